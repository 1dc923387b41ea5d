"""Autopay as it stands: the facts of a mandate for the rules, and the borrower's page."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import MessageState
from loans.engine import autopay
from loans.engine.autopay import AutopayRules, DebitOutcome, Hold
from loans.engine.events import Event, PlanChanged, Reversed
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.engine.terms import LoanTerms
from loans.models import AutopayDebit, AutopayMandate, AutopayNotice, Loan
from loans.models.autopay import AutopayEndReason
from loans.models.loan import OPEN_STATUSES
from loans.selectors.explanations import WhyLine, not_announced, why
from loans.selectors.receipts import failure_reason
from loans.selectors.repayments import in_flight_repayments
from loans.selectors.servicing import events_of, terms_of
from zhixin.shared.money import Money

# What the bank says when the account holds too little: worth a second try some days later.
LACK_OF_MONEY = frozenset({"ACQ.BUYER_BALANCE_NOT_ENOUGH", "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH"})
# A loan that waits for its payout can be given a mandate already.
MAY_HAVE_AUTOPAY = (LoanStatus.PENDING, *OPEN_STATUSES)
_OUTCOMES = {
    TransferState.PENDING: DebitOutcome.PENDING,
    TransferState.SENT: DebitOutcome.PENDING,
    TransferState.SUCCEEDED: DebitOutcome.SUCCEEDED,
    TransferState.FAILED: DebitOutcome.FAILED,
}


class AutopayStatus(StrEnum):
    """What the page of autopay has to tell."""

    OFF = "OFF"
    ON = "ON"
    NOTICE_SENT = "NOTICE_SENT"
    NOT_REACHED = "NOT_REACHED"
    DEBIT_ON_ITS_WAY = "DEBIT_ON_ITS_WAY"
    RETRY = "RETRY"
    HELD = "HELD"
    STOPPED = "STOPPED"
    CARD_CHANGED = "CARD_CHANGED"
    LOAN_ENDED = "LOAN_ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanFacts:
    """A loan's terms and events, folded to any day."""

    terms: LoanTerms
    events: tuple[Event, ...]

    def on(self, day: datetime.date) -> LoanState:
        """Return the state on `day` when nothing else happens."""
        return replay(self.terms, self.events, day)

    def plan_waits(self, as_of: datetime.date) -> bool:
        """Return whether an accepted plan takes effect later only."""
        undone = {event.of for event in self.events if isinstance(event, Reversed)}
        return any(
            isinstance(event, PlanChanged)
            and event.effective_date > as_of
            and event.event_id not in undone
            for event in self.events
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDebit:
    """A debit as the page lists it."""

    debit: AutopayDebit
    when: datetime.date
    amount: Money
    label: str
    tone: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayPage:
    """What the page of autopay shows.

    `next_on` and `next_amount` are the next debit, or without a mandate the first that turning it
    on would lead to; `by_hand_until` is set when that comes too late for the installment.
    """

    loan: Loan
    status: AutopayStatus
    is_on: bool
    may_turn_on: bool
    mandate: AutopayMandate | None
    next_on: datetime.date | None
    next_amount: Money
    next_why: tuple[WhyLine, ...]
    by_hand_until: datetime.date | None
    overdue: Money
    past: tuple[PastDebit, ...]
    rules: AutopayRules


def autopay_rules() -> AutopayRules:
    """Return the numbers of autopay that the settings give."""
    return AutopayRules(**settings.AUTOPAY)


def mandate_in_force(loan: Loan) -> AutopayMandate | None:
    """Return the loan's mandate that nothing has ended, None when there is none."""
    return AutopayMandate.objects.filter(loan=loan, end__isnull=True).first()


def loan_facts(loan: Loan) -> LoanFacts:
    """Return what the fold of `loan` needs."""
    return LoanFacts(terms=terms_of(loan), events=events_of(loan))


def mandate_facts(mandate: AutopayMandate, facts: LoanFacts) -> autopay.Mandate:
    """Return the mandate with its debits and notices as the rules read them."""
    debits = AutopayDebit.objects.filter(mandate=mandate).select_related("transfer")
    notices = AutopayNotice.objects.filter(mandate=mandate).select_related("message")
    undone = {event.of for event in facts.events if isinstance(event, Reversed)}
    return autopay.Mandate(
        granted_on=mandate.granted_on,
        ended=hasattr(mandate, "end"),
        debits=[
            _debit(each, undone)
            for each in debits.order_by("pk").prefetch_related("transfer__events")
        ],
        notices=[_notice(each) for each in notices.order_by("pk")],
    )


def local_date(at: datetime.datetime) -> datetime.date:
    """Return the calendar date of an instant where the lender is."""
    return timezone.localtime(at).date()


def _debit(row: AutopayDebit, undone: set[str]) -> autopay.Debit:
    transfer = row.transfer
    outcome = _OUTCOMES[TransferState(transfer.state)]
    if any(str(event.event_id) in undone for event in transfer.events.all()):
        outcome = DebitOutcome.BOUNCED
    return autopay.Debit(
        installment=row.installment_number,
        attempt=row.attempt,
        amount=transfer.amount,
        made_on=row.business_date,
        outcome=outcome,
        settled_on=None if transfer.settled_at is None else local_date(transfer.settled_at),
        lacked_money=transfer.failure_code in LACK_OF_MONEY,
    )


def _notice(row: AutopayNotice) -> autopay.Notice:
    message = row.message
    return autopay.Notice(
        installment=row.installment_number,
        attempt=row.attempt,
        debit_on=row.debit_on,
        amount=row.amount,
        told_on=None if message.sent_at is None else local_date(message.sent_at),
        lost=message.state in (MessageState.FAILED, MessageState.REFUSED),
    )


# --- The page -----------------------------------------------------------------------------


def autopay_page(loan: Loan, *, as_of: datetime.date) -> AutopayPage:
    """Return the page of autopay of `loan` on the business date `as_of`."""
    mandate = AutopayMandate.objects.filter(loan=loan).select_related("end").order_by("-pk").first()
    facts, rules = loan_facts(loan), autopay_rules()
    state = facts.on(as_of)
    known = (
        autopay.Mandate(granted_on=as_of, ended=False, debits=(), notices=())
        if mandate is None or hasattr(mandate, "end")
        else mandate_facts(mandate, facts)
    )
    status = _status(loan=loan, mandate=mandate, known=known, state=state, facts=facts, rules=rules)
    is_on = status in _ON
    next_on, amount, due_on = _next(known, facts, state, rules)
    return AutopayPage(
        loan=loan,
        status=status,
        is_on=is_on,
        may_turn_on=not is_on and loan.status in MAY_HAVE_AUTOPAY,
        mandate=mandate,
        next_on=next_on,
        next_amount=amount,
        next_why=_why_next(facts, next_on, amount, as_of=as_of),
        by_hand_until=due_on if next_on and due_on and next_on > due_on >= as_of else None,
        overdue=state.overdue.total,
        past=_past(loan),
        rules=rules,
    )


_ON = frozenset(
    {
        AutopayStatus.ON,
        AutopayStatus.NOTICE_SENT,
        AutopayStatus.NOT_REACHED,
        AutopayStatus.DEBIT_ON_ITS_WAY,
        AutopayStatus.RETRY,
        AutopayStatus.HELD,
    }
)
_ENDED = {
    AutopayEndReason.TURNED_OFF: AutopayStatus.OFF,
    AutopayEndReason.TWO_FAILURES: AutopayStatus.STOPPED,
    AutopayEndReason.CARD_CHANGED: AutopayStatus.CARD_CHANGED,
    AutopayEndReason.LOAN_ENDED: AutopayStatus.LOAN_ENDED,
}


def _status(
    *,
    loan: Loan,
    mandate: AutopayMandate | None,
    known: autopay.Mandate,
    state: LoanState,
    facts: LoanFacts,
    rules: AutopayRules,
) -> AutopayStatus:
    if loan.status not in MAY_HAVE_AUTOPAY:
        return AutopayStatus.LOAN_ENDED
    if mandate is None:
        return AutopayStatus.OFF
    if hasattr(mandate, "end"):
        return _ENDED[AutopayEndReason(mandate.end.reason)]
    if autopay.standing(state, known, rules=rules) is Hold.TWO_FAILURES:
        return AutopayStatus.STOPPED
    return _status_in_force(loan, known, state, facts, rules)


def _status_in_force(
    loan: Loan,
    known: autopay.Mandate,
    state: LoanState,
    facts: LoanFacts,
    rules: AutopayRules,
) -> AutopayStatus:
    if any(debit.outcome is DebitOutcome.PENDING for debit in known.debits):
        return AutopayStatus.DEBIT_ON_ITS_WAY
    decision = autopay.decide(
        state=state,
        mandate=known,
        in_flight=in_flight_repayments(loan),
        plan_waits=facts.plan_waits(state.as_of),
        rules=rules,
    )
    if decision.hold in (Hold.DISPUTED, Hold.PLAN_WAITS):
        return AutopayStatus.HELD
    planned = decision.planned
    if planned is None:
        return AutopayStatus.ON
    about = autopay.notices_for(known, planned, as_of=state.as_of, rules=rules)
    if planned.attempt > 1:
        return AutopayStatus.RETRY
    if about:
        return AutopayStatus.NOTICE_SENT
    lost = [notice for notice in known.notices if notice.installment == planned.installment]
    return AutopayStatus.NOT_REACHED if lost else AutopayStatus.ON


def _next(
    known: autopay.Mandate, facts: LoanFacts, state: LoanState, rules: AutopayRules
) -> tuple[datetime.date | None, Money, datetime.date | None]:
    """Return the day and amount of the next debit, and the last day on which paying is in time."""
    if autopay.standing(state, known, rules=rules) is not None:
        return None, Money.zero(), None
    planned = autopay.planned_debit(state, known, rules=rules)
    if planned is None:
        return None, Money.zero(), None
    told = autopay.notices_for(known, planned, as_of=state.as_of, rules=rules)
    earliest = state.as_of + datetime.timedelta(days=rules.notice_days)
    day = min((each.debit_on for each in told), default=max(planned.due_on, earliest))
    amount = facts.on(max(day, state.as_of)).payable_now
    row = next(row for row in state.installments if row.number == planned.installment)
    return day, min([amount, *(each.amount for each in told)]), row.payable_through


def _why_next(
    facts: LoanFacts, day: datetime.date | None, amount: Money, *, as_of: datetime.date
) -> tuple[WhyLine, ...]:
    """Return what the next debit consists of; what was announced may be less than what is due."""
    if day is None:
        return ()
    state = facts.on(max(day, as_of))
    return (*why(state, "payable_now"), *not_announced(state.payable_now - amount))


def _past(loan: Loan) -> tuple[PastDebit, ...]:
    rows = (
        AutopayDebit.objects.filter(mandate__loan=loan).select_related("transfer").order_by("-pk")
    )
    return tuple(_past_debit(row) for row in rows)


def _past_debit(row: AutopayDebit) -> PastDebit:
    labels = {
        DebitOutcome.PENDING: (_("On its way"), "soon"),
        DebitOutcome.SUCCEEDED: (_("Collected"), "good"),
        DebitOutcome.FAILED: (_("Not done"), "late"),
    }
    label, tone = labels[_OUTCOMES[TransferState(row.transfer.state)]]
    return PastDebit(
        debit=row,
        when=row.business_date,
        amount=row.transfer.amount,
        label=label,
        tone=tone,
        reason=failure_reason(row.transfer),
    )
