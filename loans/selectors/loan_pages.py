"""What the pages of a loan show: frozen read models over the fold, in the reader's language."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from loans.engine.events import (
    ChargedOff,
    Disputed,
    Recovered,
    Repaid,
    Reversed,
)
from loans.engine.lifecycle import LoanStatus
from loans.engine.payoff import interest_saved
from loans.engine.servicing import replay
from loans.engine.state import Buckets, InstallmentState, Line, LoanState, NextDue
from loans.models import BankTransfer, Loan, LoanEvent
from loans.models.loan import OPEN_STATUSES, OWED_STATUSES
from loans.models.transfer import TransferPurpose
from loans.selectors.autopay_line import AutopayLine, autopay_line
from loans.selectors.disputed import DisputeNews, dispute_news
from loans.selectors.explanations import WhyLine, in_words, on_its_way, why
from loans.selectors.loan_history import HistoryEntry, PlanInForce, history_of, plan_in_force
from loans.selectors.payouts import PayoutNews, payout_news
from loans.selectors.repayments import asked_today, in_flight_transfers, what_is_due
from loans.selectors.servicing import engine_event, loan_state, terms_of
from zhixin.shared.charts import (
    InstallmentBar,
    ProgressRing,
    StackedBarChart,
    draw_installments,
    draw_progress,
)
from zhixin.shared.money import Money, Rounding, total
from zhixin.shared.templatetags.zhixin import money

STATUS_TONES = {
    LoanStatus.PENDING: "soon",
    LoanStatus.ACTIVE: "good",
    LoanStatus.OVERDUE: "late",
    LoanStatus.PAID_OFF: "good",
    LoanStatus.OVERPAID: "good",
    LoanStatus.CHARGED_OFF: "soon",
}
# Of a loan whose payout failed or came back, instead of its status.
NOT_PAID_OUT = gettext_lazy("Not paid out")
# Of a loan of which nothing is late but what is in dispute, instead of its status.
IN_DISPUTE = gettext_lazy("In dispute")
SOON_DAYS = 3
NO_INTEREST = Decimal(0)
# What of an installment does not grow by the day; the rest is told by its days.
_NOT_BY_DAY = ("installment_principal", "installment_fees")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanCard:
    """A loan in a list: what is late or due next, less what is on its way.

    `to_pay_now` is what is owed where nothing is late or to come, such as a late charge.
    `still_owed` is what is left of a loan that was written off, but what is suspended; else zero.
    `at_cashier` are payments that wait at the bank's own page, where the borrower may have left
    without paying.
    `dispute` is set while an installment is in dispute; it says what is asked for beside it.
    """

    loan: Loan
    status_label: str
    status_tone: str
    ring: ProgressRing
    ring_sentence: str
    is_open: bool
    late: Money
    next_payment: Money
    to_pay_now: Money
    is_covered: bool
    is_written_off: bool
    still_owed: Money
    at_cashier: tuple[BankTransfer, ...]
    dispute: DisputeNews | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """An installment as the schedule shows it; `why` are the lines of `total`.

    `left` is what is still to pay of an installment on which something was paid, else None.
    """

    number: int
    due_date: datetime.date
    payable_through: datetime.date
    principal: Money
    interest: Money
    fees: Money
    penalty: Money
    total: Money
    state: str
    status_label: str
    status_tone: str
    why: tuple[WhyLine, ...]
    left: Money | None
    left_why: tuple[WhyLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanPage:
    """Everything that a loan's own page shows on a business date.

    `to_pay` and `payoff_to_pay` are what is due and what ends the loan, less what is on its way.
    `then_to_pay` is what has to be paid by `then_date`, with what is due already, where that is a
    late charge or the like beside which the next installment is not to be overlooked.
    `payoff_saves` is the interest that paying everything today saves.
    `late_cost` is all that being late has cost so far, paid or not, less what was waived. Each
    number's lines have its name and `_why`. A loan that was written off is owed though it is not
    open: `written_off_on` is set, everything is due, and nothing grows. `can_wait` is what is
    billed and may be paid later, beside what is due next. `payout` is what became of the payout,
    while the loan is not paid out. The chart's cost is interest and fees.
    `dispute` is set while an installment is in dispute: what is asked for, and what can wait.
    `ring_sentence` is set where more principal is owed than was lent. `owed_again` is what of the
    money that was returned to the borrower is owed again, beside the `borrowed` rest of the chart's
    principal; `owed_again_words` say why.
    """

    loan: Loan
    as_of: datetime.date
    state: LoanState
    status_label: str
    status_tone: str
    due_amount: Money
    to_pay: Money
    payoff_to_pay: Money
    payoff_saves: Money
    due_date: datetime.date | None
    then_date: datetime.date | None
    then_to_pay: Money
    can_wait: tuple[InstallmentState, ...]
    is_soon: bool
    late_cost: Money
    penalty_tomorrow: Money
    ring: ProgressRing
    ring_sentence: str
    owed_again: Money
    owed_again_words: str
    borrowed: Money
    chart: StackedBarChart
    rows: tuple[ScheduleRow, ...]
    totals: Buckets
    with_penalty: bool
    history: tuple[HistoryEntry, ...]
    merchant_name: str
    plan: PlanInForce | None
    rate_today: Decimal
    in_flight: tuple[BankTransfer, ...]
    to_pay_why: tuple[WhyLine, ...]
    then_why: tuple[WhyLine, ...]
    payoff_why: tuple[WhyLine, ...]
    late_cost_why: tuple[WhyLine, ...]
    tomorrow_why: tuple[WhyLine, ...]
    credit_why: tuple[WhyLine, ...]
    is_open: bool
    is_owed: bool
    dispute: DisputeNews | None
    written_off_on: datetime.date | None
    payout: PayoutNews | None
    with_fees: bool
    autopay: AutopayLine | None


def loan_cards(borrower: User) -> list[LoanCard]:
    """Return the borrower's loans, those that are owed first, by what is due soonest."""
    not_arrived = BankTransfer.objects.payouts_that_did_not_arrive()
    disputes = LoanEvent.objects.filter(kind=Disputed.kind)
    loans = (
        Loan.objects.filter(borrower=borrower)
        .select_related("agreement__application__product_version__product")
        .annotate(
            payout_waits=Exists(not_arrived.filter(loan=OuterRef("pk"))),
            was_disputed=Exists(disputes.filter(loan=OuterRef("pk"))),
        )
        .order_by("-created_at")
    )
    waiting = _waiting_by_loan(borrower)
    cards = [_card(loan, waiting.get(loan.pk, ())) for loan in loans]
    far = datetime.date.max
    return sorted(
        cards,
        key=lambda card: (
            not (card.is_open or card.is_written_off),
            card.loan.next_due_date or far,
        ),
    )


def _waiting_by_loan(borrower: User) -> dict[int, list[BankTransfer]]:
    """Return each loan's repayments whose outcome is not known yet, oldest first."""
    waiting: dict[int, list[BankTransfer]] = defaultdict(list)
    unsettled = BankTransfer.objects.unsettled().filter(
        loan__borrower=borrower, withdrawn_at=None, purpose=TransferPurpose.REPAYMENT
    )
    for transfer in unsettled.order_by("pk"):
        waiting[transfer.loan_id].append(transfer)
    return waiting


def _card(loan: Loan, waiting: Sequence[BankTransfer]) -> LoanCard:
    held = total(transfer.amount for transfer in waiting)
    late, no_day = asked_today(loan), _owed_without_a_day(loan)
    due: Money = late or loan.next_due_amount or no_day
    dispute = _dispute_of(loan, held)
    payout_waits = getattr(loan, "payout_waits", False)
    label, tone = _status_of(loan.get_status_display(), LoanStatus(loan.status), dispute)
    return LoanCard(
        loan=loan,
        status_label=str(NOT_PAID_OUT) if payout_waits else label,
        status_tone=tone,
        ring=_ring(loan, loan.principal_outstanding),
        ring_sentence=_beyond_the_whole(loan, loan.principal_outstanding),
        is_open=loan.status in (*OPEN_STATUSES, LoanStatus.PENDING),
        late=_less(late, held),
        next_payment=_less(loan.next_due_amount or Money.zero(), held),
        to_pay_now=_less(no_day, held),
        is_covered=bool(held) and held >= due,
        is_written_off=loan.status == LoanStatus.CHARGED_OFF,
        still_owed=_less(owed_after_write_off(loan), held),
        at_cashier=tuple(transfer for transfer in waiting if transfer.expires_at),
        dispute=dispute,
    )


def _dispute_of(loan: Loan, held: Money) -> DisputeNews | None:
    """Return what is in dispute; only a loan on which something ever was costs a fold."""
    as_of = loan.projected_as_of
    if not getattr(loan, "was_disputed", False) or as_of is None:
        return None
    return dispute_news(loan_state(loan, as_of=as_of), on_its_way=held)


def _status_of(label: str, status: LoanStatus, dispute: DisputeNews | None) -> tuple[str, str]:
    """Return the word for the loan's status and its tone; a dispute alone makes nobody late.

    A loan that was written off is called so, whatever is in dispute.
    """
    if dispute is None or dispute.late_days or status == LoanStatus.CHARGED_OFF:
        return label, STATUS_TONES[status]
    return str(IN_DISPUTE), "soon"


def _owed_without_a_day(loan: Loan) -> Money:
    """Return what an open loan asks for when nothing of it is late or to come.

    That is penalty, which grows no more.
    """
    as_of = loan.projected_as_of
    if loan.status not in OPEN_STATUSES or loan.overdue_amount or loan.next_due_date or not as_of:
        return Money.zero()
    return loan_state(loan, as_of=as_of).payable_now


def owed_after_write_off(loan: Loan) -> Money:
    """Return what is to be paid of a loan that was written off; it does not grow by the day.

    Left out is what is suspended: nobody has to pay that before the answer to the dispute.
    """
    if loan.status != LoanStatus.CHARGED_OFF or loan.projected_as_of is None:
        return Money.zero()
    return what_is_due(loan_state(loan, as_of=loan.projected_as_of))


def loan_page(loan: Loan, *, as_of: datetime.date) -> LoanPage:
    """Return what the page of `loan` shows on the business date `as_of`, from one fold."""
    events = list(loan.events.select_related("transfer").order_by("effective_date", "sequence"))
    known = sorted(events, key=lambda row: row.sequence)
    state = replay(terms_of(loan), [engine_event(row) for row in known], as_of)
    shown = shown_installments(state)
    own = [_own_part(installment) for installment in shown]
    parts = list(zip(shown, own, strict=True))
    chart = draw_installments([_bar(*pair) for pair in parts])
    due_amount, due_date, then = what_is_due(state), _day_due(state), _then(state)
    plan = plan_in_force(events, as_of)
    in_flight = in_flight_transfers(loan)
    held = total(transfer.amount for transfer in in_flight)
    merchant = loan.agreement.application.merchant
    payout = payout_news(loan)
    dispute = dispute_news(state, on_its_way=held)
    label, tone = _status_of(loan.get_status_display(), state.status, dispute)
    return LoanPage(
        loan=loan,
        as_of=as_of,
        state=state,
        status_label=label if payout is None or payout.is_open else str(NOT_PAID_OUT),
        status_tone=tone,
        due_amount=due_amount,
        to_pay=_less(due_amount, held),
        payoff_to_pay=_less(state.payoff_amount, held),
        payoff_saves=interest_saved(state),
        due_date=due_date,
        then_date=then.date if then else None,
        then_to_pay=_less(then.amount, held) if then else Money.zero(),
        can_wait=_can_wait(state),
        is_soon=due_date is not None and (due_date - as_of).days <= SOON_DAYS,
        late_cost=state.penalty_accrued - state.totals.waived.penalty,
        penalty_tomorrow=Money.rounded(state.penalty_per_day, rounding=Rounding.HALF_UP),
        ring=_ring(loan, state.outstanding.principal),
        ring_sentence=_beyond_the_whole(loan, state.outstanding.principal),
        owed_again=_owed_again(state),
        owed_again_words=_owed_again_words(state),
        borrowed=_less(chart.principal_total, _owed_again(state)),
        chart=chart,
        rows=tuple(_row(state, *pair, as_of) for pair in parts),
        totals=_sum(own),
        with_penalty=any(part.penalty for part in own),
        history=tuple(history_of(state, events, paid_to=merchant.name if merchant else "")),
        merchant_name=merchant.name if merchant else "",
        plan=plan,
        rate_today=NO_INTEREST if plan and plan.free_until else state.annual_rate,
        in_flight=tuple(in_flight),
        to_pay_why=(
            *why(state, "payable_now" if state.payable_now else "next_due"),
            *on_its_way(min(held, due_amount)),
        ),
        then_why=(*why(state, "next_due"), *on_its_way(min(held, then.amount))) if then else (),
        payoff_why=why(state, "payoff_amount"),
        late_cost_why=_late_cost_lines(state),
        tomorrow_why=why(state, "penalty_per_day"),
        credit_why=why(state, "overpaid" if state.overpaid else "prepaid"),
        is_open=state.status in OPEN_STATUSES,
        is_owed=state.status in OWED_STATUSES,
        dispute=dispute,
        written_off_on=_written_off_on(state),
        payout=payout,
        with_fees=any(part.fees for part in own),
        autopay=autopay_line(loan),
    )


def _written_off_on(state: LoanState) -> datetime.date | None:
    """Return when the loan was written off, while something of it is owed still."""
    if state.status != LoanStatus.CHARGED_OFF:
        return None
    taken_back = {event.of for event in state.events if isinstance(event, Reversed)}
    days = (
        event.effective_date
        for event in state.events
        if isinstance(event, ChargedOff) and event.event_id not in taken_back
    )
    return min(days, default=None)


def shown_installments(state: LoanState) -> list[InstallmentState]:
    """Return the present plan's installments, after those of earlier plans that were paid on.

    What was forgiven or moved entirely asks for nothing and is left out.
    """
    return [
        installment
        for installment in state.installments
        if _own_part(installment).total
        and (installment.plan == state.plan_number or installment.paid.total or installment.billed)
    ]


def _ring(loan: Loan, outstanding: Money) -> ProgressRing:
    """Return how much of what was lent is repaid; nothing when more than that is owed."""
    is_lent = loan.status != LoanStatus.PENDING
    repaid = _less(loan.principal, outstanding) if is_lent else Money.zero()
    return draw_progress(done=repaid, whole=loan.principal)


def _beyond_the_whole(loan: Loan, outstanding: Money) -> str:
    """Return the ring's words where more principal is owed than was lent; else empty.

    So it is when money was returned to the borrower and the payment behind it was taken back.
    """
    if outstanding <= loan.principal:
        return ""
    return _(
        "Nothing of %(whole)s is repaid; with money that was returned to you, %(left)s of "
        "principal is left."
    ) % {"whole": money(loan.principal), "left": money(outstanding)}


def _owed_again(state: LoanState) -> Money:
    """Return what of the money that was returned to the borrower is owed again."""
    return total(refund.amount for refund in state.refunds if refund.of is None)


def _owed_again_words(state: LoanState) -> str:
    """Return why money that was returned is owed again; empty when none is."""
    amount = _owed_again(state)
    if not amount:
        return ""
    known = {event.event_id: event for event in state.events}
    reversals = (event for event in known.values() if isinstance(event, Reversed))
    if any(isinstance(known.get(event.of), Repaid | Recovered) for event in reversals):
        text = _(
            "Of the money that we returned to you, %(amount)s is owed again, because the payment "
            "that it came from was taken back."
        )
    else:
        text = _("Of the money that we returned to you, %(amount)s is owed again.")
    return text % {"amount": money(amount)}


def _less(amount: Money, on_its_way: Money) -> Money:
    return max(amount - on_its_way, Money.zero())


def _day_due(state: LoanState) -> datetime.date | None:
    if state.overdue_since is not None:
        return state.overdue_since
    if state.payable_now:
        return state.as_of
    return state.next_due.date if state.next_due is not None else None


def _then(state: LoanState) -> NextDue | None:
    """Return what comes next, where something is due now that is not late."""
    coming = state.next_due
    if coming is None or state.overdue.total or not state.payable_now:
        return None
    return coming if coming.date > state.as_of else None


def _can_wait(state: LoanState) -> tuple[InstallmentState, ...]:
    """Return the billed installments that may be paid later and are not what is asked for next."""
    asked = {row.number for row in (*state.payable_rows, *state.next_due_rows)}
    return tuple(
        row
        for row in state.installments
        if row.billed and row.outstanding.total and not row.suspended and row.number not in asked
    )


def _own_part(installment: InstallmentState) -> Buckets:
    """Return what an installment asks: what was paid on it, and what it still wants or will want.

    Left out is what was forgiven and what a plan change moved into later installments.
    """
    gone = _sum([installment.waived, installment.moved])
    return Buckets(*(due - less for due, less in zip(installment.due, gone, strict=True)))


def _bar(installment: InstallmentState, own: Buckets) -> InstallmentBar:
    return InstallmentBar(
        number=installment.number,
        due_date=installment.due_date,
        principal=own.principal,
        # Beside the principal the chart knows one cost: fees are in it.
        interest=own.interest + own.fees,
        paid=installment.paid_on is not None,
    )


def _late_cost_lines(state: LoanState) -> tuple[WhyLine, ...]:
    lines = [*state.explain("penalty_accrued"), *_taken_off(state.explain("totals.waived.penalty"))]
    return in_words(lines, events=state.events)


def _row_lines(state: LoanState, installment: InstallmentState) -> tuple[WhyLine, ...]:
    """Return what the installment asks, its interest and late charge by days."""
    key = f"installment.{installment.number}."
    lines = [line for line in state.explain(f"{key}total") if line.text_key in _NOT_BY_DAY]
    for name in ("interest", "penalty"):
        lines += state.explain(key + name)
    for name in ("waived", "moved"):
        lines += _taken_off(state.explain(key + name))
    return in_words(lines, events=state.events)


def _taken_off(lines: Iterable[Line]) -> list[Line]:
    return [replace(line, amount=-line.amount) for line in lines]


def _row(
    state: LoanState, installment: InstallmentState, own: Buckets, as_of: datetime.date
) -> ScheduleRow:
    partly = bool(installment.paid.total and installment.billed and installment.outstanding.total)
    written_off = state.status == LoanStatus.CHARGED_OFF
    row_state, label, tone = _row_state(installment, as_of, written_off=written_off)
    return ScheduleRow(
        number=installment.number,
        due_date=installment.due_date,
        payable_through=installment.payable_through,
        principal=own.principal,
        interest=own.interest,
        fees=own.fees,
        penalty=own.penalty,
        total=own.total,
        state=row_state,
        status_label=label,
        status_tone=tone,
        why=_row_lines(state, installment),
        left=installment.outstanding.total if partly else None,
        left_why=why(state, f"installment.{installment.number}.outstanding") if partly else (),
    )


def _row_state(
    installment: InstallmentState, as_of: datetime.date, *, written_off: bool
) -> tuple[str, str, str]:
    if installment.moved.total:
        return "paid", _("Rest moved to plan"), ""
    if installment.paid_on is not None:
        return "paid", _("Paid"), "good"
    # Of a loan that was written off, and in a dispute, nobody counts the days.
    if written_off or installment.disputed:
        return "", _("In dispute") if installment.disputed else _("Still owed"), ""
    return _open_row_state(installment, as_of)


def _open_row_state(installment: InstallmentState, as_of: datetime.date) -> tuple[str, str, str]:
    if days := installment.days_late_now:
        label = ngettext("%(days)d day late", "%(days)d days late", days)
        return "late", label % {"days": days}, "late"
    if installment.due_date <= as_of <= installment.payable_through:
        last_day = installment.payable_through == as_of
        return "now", _("Due today") if last_day else _("Billed"), "soon"
    return "", _("Partly paid") if installment.paid.total else "", ""


def _sum(parts: Sequence[Buckets]) -> Buckets:
    return Buckets.of(
        principal=Money(sum(part.principal.cents for part in parts)),
        interest=Money(sum(part.interest.cents for part in parts)),
        fees=Money(sum(part.fees.cents for part in parts)),
        penalty=Money(sum(part.penalty.cents for part in parts)),
    )
