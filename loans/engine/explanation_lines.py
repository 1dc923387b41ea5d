"""The lines behind the amounts of a state; `loans.engine.explanation` says which number has which.

Unrounded lines are shown to eight decimals; a line of rule ROUNDING closes the gap to cents. Rules
and text keys are listed in docs/formulas/explanation.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from loans.engine.day_count import UNITS_A_YEAR
from loans.engine.events import Reversed, effective_order
from loans.engine.schedule import Amortization
from loans.engine.state import (
    Buckets,
    InstallmentState,
    Line,
    LoanState,
    RepaymentAllocation,
    Span,
)
from loans.engine.terms import DayCount, Method
from zhixin.shared.money import MINOR_UNITS, Money

BUCKETS: Final = ("principal", "interest", "fees", "penalty")
_PLACES: Final = Decimal("1e-8")
_CENT: Final = Decimal("0.01")
_LENGTHS_OF_YEAR: Final = (365, 366)
_CONTEXT: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)
_LEVEL: Final = (Method.EQUAL_INSTALLMENT, Method.FLAT)
Lines = list[Line]


def part(
    amount: Money,
    rule: str,
    text_key: str,
    *,
    event_id: str | None = None,
    number: int | None = None,
) -> Lines:
    """Return a line of a settled amount, none for 0.00."""
    if not amount:
        return []
    return [
        Line(
            amount=amount.amount,
            rule=rule,
            text_key=text_key,
            base=amount if amount.cents > 0 else -amount,
            event_id=event_id or None,
            number=number,
        )
    ]


def bucket(amounts: Buckets, name: str) -> Money:
    """Return one bucket, or their total."""
    found: Money = getattr(amounts, name)
    return found


def buckets_of(name: str) -> Sequence[str]:
    """Return the buckets that a name stands for."""
    return BUCKETS if name == "total" else (name,)


# -- interest and penalty by the day ---------------------------------------------------------------


def interest_line(row: InstallmentState, span: Span) -> Line:
    """Return what the days of `span` cost in contract interest."""
    part, whole = row.interest_scale
    year = UNITS_A_YEAR[DayCount.THIRTY_360]
    time: tuple[tuple[int, int], ...] = ((span.units, whole // year), (part, year))
    if part == 1:
        time = (_lowest(span.units, whole),)
    elif span.units == whole // year:
        time = time[1:]
    return _line_of_days(
        row.number, span, row.interest_rate, time, ("INTEREST", "interest_on_principal")
    )


def penalty_line(row: InstallmentState, span: Span) -> Line:
    """Return what the late days of `span` cost in penalty."""
    time = (_lowest(span.units, row.penalty_units_a_year),)
    names = ("PENALTY", "penalty_on_overdue_principal")
    return _line_of_days(row.number, span, row.penalty_rate, time, names)


def _lowest(units: int, year: int) -> tuple[int, int]:
    """Return days of a year; units of actual/actual are brought back to days of one year."""
    for length in _LENGTHS_OF_YEAR:
        if year > length and units * length % year == 0:
            return units * length // year, length
    return units, year


def _line_of_days(
    number: int,
    span: Span,
    rate: Decimal,
    time: tuple[tuple[int, int], ...],
    names: tuple[str, str],
) -> Line:
    numerator = math.prod(part for part, _ in time) * span.base_cents
    denominator = math.prod(whole for _, whole in time) * MINOR_UNITS
    amount = _CONTEXT.divide(_CONTEXT.multiply(numerator, rate), Decimal(denominator))
    return Line(
        amount=amount.quantize(_PLACES, context=_CONTEXT),
        rule=names[0],
        text_key=names[1],
        base=Money(span.base_cents),
        rate=rate,
        days=(span.end - span.start).days,
        start=span.start,
        end=span.end,
        time=time,
        event_id=span.event_id or None,
        number=number,
    )


def _closed(lines: Lines, whole: Decimal, number: int | None = None) -> Lines:
    """Add the line that closes the gap between the lines and the amount.

    More than a cent is the rounding of all installments of a flat charge, which its last one takes.
    """
    gap = _CONTEXT.subtract(whole, sum((line.amount for line in lines), Decimal(0)))
    if gap:
        rest = abs(gap) > _CENT
        rule, text = ("REST_OF_INTEREST", "rest_of_interest") if rest else ("ROUNDING", "rounding")
        lines.append(Line(amount=gap, rule=rule, text_key=text, number=number))
    return lines


def _penalty_by_day(row: InstallmentState) -> Lines:
    lines = [penalty_line(row, span) for span in row.penalty_spans]
    return _closed(lines, (row.due.penalty - row.kept_penalty).amount, row.number)


def interest_lines(_: LoanState, row: InstallmentState) -> Lines:
    """Return the installment's interest: its days, and what an earlier plan left."""
    own = (row.due.interest - row.carried_interest).amount
    spans = _joined(row.interest_spans)
    return [
        *_closed([interest_line(row, span) for span in spans], own, row.number),
        *carried(row.carried_interest, "interest", row.plan_event, row.number),
    ]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return the spans with those made one that only the date of the state parts."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and (last.end, last.base_cents) == (span.start, span.base_cents):
            joined[-1] = last._replace(end=span.end, units=last.units + span.units)
        else:
            joined.append(span)
    return joined


def penalty_lines(_: LoanState, row: InstallmentState) -> Lines:
    """Return the installment's penalty: its late days, and what an earlier plan left."""
    return [
        *_penalty_by_day(row),
        *carried(row.kept_penalty, "penalty", row.plan_event, row.number),
    ]


def carried(amount: Money, name: str, event_id: str, number: int | None = None) -> Lines:
    """Return what a plan took over from before."""
    rule = "KEPT_PENALTY" if name == "penalty" else f"CARRIED_{name.upper()}"
    return part(amount, rule, f"{name}_from_before_the_plan", event_id=event_id, number=number)


def penalty_accrued(state: LoanState) -> Lines:
    """Return all penalty ever charged, day by day."""
    return [line for row in state.installments for line in _penalty_by_day(row)]


def accrued_interest(state: LoanState) -> Lines:
    """Return the interest since the last due date."""
    return _closed(_accrued_days(state), state.accrued_interest.amount, _running_number(state))


def accrued_interest_unrounded(state: LoanState) -> Lines:
    """Return the same before it is settled to cents."""
    return _closed(_accrued_days(state), state.accrued_interest_unrounded, _running_number(state))


def _accrued_days(state: LoanState) -> Lines:
    row = state.running
    if row is None or not state.plan_events:
        return []
    return [interest_line(row, span) for span in row.interest_spans if span.end <= state.as_of]


def _running_number(state: LoanState) -> int | None:
    return state.running.number if state.running is not None else None


def penalty_per_day(state: LoanState) -> Lines:
    """Return what the next day adds on each installment that is late."""
    if not state.penalty_per_day:
        return []
    rows = {row.number: row for row in state.installments}
    lines = [penalty_line(rows[number], span) for number, span in state.tomorrow]
    return _closed(lines, state.penalty_per_day)


# -- what is owed ----------------------------------------------------------------------------------


def billed(state: LoanState, name: str, rows: Iterable[InstallmentState]) -> Lines:
    """Return what is still to pay of `rows`, by installment and bucket."""
    return [
        Line(
            amount=bucket(row.outstanding, each).amount,
            rule="BILLED",
            text_key=f"billed_{each}",
            base=bucket(row.outstanding, each),
            end=row.due_date,
            event_id=state.closings.get(row.number),
            number=row.number,
        )
        for row in rows
        for each in buckets_of(name)
        if bucket(row.outstanding, each)
    ]


def due_now(state: LoanState, name: str) -> Lines:
    """Return what is billed and unpaid."""
    return billed(state, name, (row for row in state.installments if row.billed))


def payable_now(state: LoanState) -> Lines:
    """Return the part of it that cannot be paid on a later day."""
    return billed(state, "total", state.payable_rows)


def overdue(state: LoanState, name: str) -> Lines:
    """Return the part of it that is late."""
    return billed(state, name, (row for row in state.installments if row.days_late_now))


def next_due(state: LoanState) -> Lines:
    """Return what has to be paid by the day of the next installment, beside what is late."""
    return billed(state, "total", state.next_due_rows)


def unbilled(state: LoanState, name: str) -> Lines:
    """Return what is not billed yet but owed when the loan ends today."""
    return [line for each in buckets_of(name) for line in _unbilled_bucket(state, each)]


def _unbilled_bucket(state: LoanState, name: str) -> Lines:
    if name == "principal":
        return _unbilled_principal(state)
    if name == "interest":
        return _unbilled_interest(state)
    return _unbilled_carried(state, name)


def _unbilled_carried(state: LoanState, name: str) -> Lines:
    plan = state.plan_events[-1] if state.plan_events else ""
    amount = bucket(state.unbilled, name)
    if name == "fees" and not state.plan_number:
        return _agreed_fees(amount, plan)
    return carried(amount, name, plan)


def _unbilled_interest(state: LoanState) -> Lines:
    plan = state.plan_events[-1] if state.plan_events else ""
    rest = state.unbilled.interest - state.accrued_interest
    return [*carried(rest, "interest", plan), *accrued_interest(state)]


def _unbilled_principal(state: LoanState) -> Lines:
    """Return what was lent, less what fell due or was repaid early, and what plans moved back."""
    lines = lent(state)
    for row in state.installments:
        if row.billed:
            lines += part(
                -row.due.principal, "FELL_DUE", "principal_that_fell_due", number=row.number
            )
            lines += _moved(state, row, row.moved.principal)
    waiting = {row.number for row in state.installments if not row.billed}
    for early in state.early:
        if early.number in waiting:
            lines += _paid_early(early.event_id, -early.amount, early.number)
    return lines


def lent(state: LoanState, sign: int = 1) -> Lines:
    """Return the payout, and credit refunded in excess, which is principal again."""
    payout = state.plan_events[0] if state.plan_events else ""
    lines = part(state.totals.disbursed * sign, "PAYOUT", "paid_out", event_id=payout)
    for refund in state.refunds:
        if refund.of is None:
            lines += part(
                refund.amount * sign, "LENT_AGAIN", "lent_again", event_id=refund.event_id
            )
    return lines


def outstanding(state: LoanState, name: str) -> Lines:
    """Return what closes the loan today: billed, to come, accrued, less money paid ahead."""
    lines = due_now(state, name)
    if state.unbilled.principal and name in {"principal", "total"}:
        lines += part(
            state.unbilled.principal,
            "UNBILLED_PRINCIPAL",
            "principal_not_due_yet",
            event_id=_latest_on_principal(state),
        )
    for each in buckets_of(name):
        if each != "principal":
            lines += unbilled(state, each)
    return lines + _held_against(state, name)


def _latest_on_principal(state: LoanState) -> str:
    """Return the event that last changed the principal to come, beside the schedule."""
    changed = {state.plan_events[-1], *(early.event_id for early in state.early)}
    changed |= {refund.event_id for refund in state.refunds if refund.of is None}
    found = (event for event in state.events if event.event_id in changed)
    return max(found, key=effective_order).event_id


def _held_against(state: LoanState, name: str) -> Lines:
    """Return the money paid ahead that the bucket is lowered by, principal first."""
    pools = _pools(state)
    lines: Lines = []
    for each in BUCKETS:
        whole = bucket(state.due_now, each) + bucket(state.unbilled, each)
        taken = _take(pools, whole - bucket(state.outstanding, each))
        if name in {each, "total"}:
            for event_id, amount in taken:
                lines += part(-amount, "PAID_AHEAD", "money_paid_ahead", event_id=event_id)
    return lines


def _pools(state: LoanState) -> list[tuple[str, Money]]:
    return [
        (repayment.event_id, repayment.credit) for repayment in state.repayments if repayment.credit
    ]


def _take(pools: list[tuple[str, Money]], amount: Money) -> list[tuple[str, Money]]:
    """Take `amount` out of the money held, the oldest first; say whose it was."""
    taken = []
    while amount and pools:
        event_id, held = pools.pop(0)
        share = min(held, amount)
        taken.append((event_id, share))
        amount -= share
        if held > share:
            pools.insert(0, (event_id, held - share))
    return taken


def credit(state: LoanState) -> Lines:
    """Return whose money is held."""
    return [
        line
        for event_id, held in _pools(state)
        for line in part(held, "PAID_AHEAD", "money_paid_ahead", event_id=event_id)
    ]


# -- sums ------------------------------------------------------------------------------------------


def scheduled(state: LoanState, name: str) -> Lines:
    """Return what each installment asks, less what a plan change moved on.

    While nothing is paid out the installments are a forecast, and nothing is scheduled.
    """
    lines: Lines = []
    for row in state.installments if state.plan_events else ():
        for each in buckets_of(name):
            lines += part(bucket(row.due, each), "INSTALLMENT", f"billed_{each}", number=row.number)
        lines += _moved(state, row, -bucket(row.moved, name))
    return lines


def paid(state: LoanState, name: str) -> Lines:
    """Return what each repayment paid, and what money held will pay."""
    now: dict[str, Money] = defaultdict(Money.zero)
    later: dict[str, Money] = defaultdict(Money.zero)
    for event_id, _, amounts, is_held in _payments(state):
        sums = later if is_held else now
        sums[event_id] += bucket(amounts, name)
    lines: Lines = []
    for event_id, amount in now.items():
        lines += part(amount, "ALLOCATION", "paid", event_id=event_id)
    for event_id, amount in later.items():
        lines += part(amount, "PAID_AHEAD", "money_paid_ahead", event_id=event_id)
    return lines


def waived(state: LoanState, name: str) -> Lines:
    """Return what each event forgave."""
    return [
        line
        for each in state.waivers
        if each.counted
        for line in part(
            bucket(each.amount, name),
            "WAIVER",
            "waived",
            event_id=each.event_id,
            number=each.number,
        )
    ]


def disbursed(state: LoanState) -> Lines:
    """Return the payout."""
    payout = state.plan_events[0] if state.plan_events else ""
    return part(state.totals.disbursed, "PAYOUT", "paid_out", event_id=payout)


def received(state: LoanState) -> Lines:
    """Return each repayment that was not taken back."""
    return [
        line
        for repayment in state.repayments
        if not repayment.reversed
        for line in part(repayment.amount, "RECEIVED", "received", event_id=repayment.event_id)
    ]


def refunded(state: LoanState) -> Lines:
    """Return each refund, by what it was taken from."""
    lines: Lines = []
    for refund in state.refunds:
        rule, text = ("LENT_AGAIN", "lent_again") if refund.of is None else ("REFUND", "refunded")
        lines += part(refund.amount, rule, text, event_id=refund.event_id)
    return lines


def total_cost(state: LoanState) -> Lines:
    """Return the flows of the loan as it stands: paid out, and each installment back.

    There are none while nothing is paid out; what the contract costs is `explain_signed_cost`.
    """
    if not state.plan_events:
        return []
    lines = lent(state, -1)
    for row in state.installments:
        asks = row.due.total - row.moved.total
        for line in part(asks, "FLOW", "installment_total", number=row.number):
            lines.append(line)
    return lines


# -- one installment -------------------------------------------------------------------------------


def principal_lines(state: LoanState, row: InstallmentState) -> Lines:
    """Return the principal that was repaid early in the period, and what the rule asks."""
    lines: Lines = []
    rest = row.due.principal
    for early in state.early:
        if early.number == row.number:
            lines += _paid_early(early.event_id, early.amount, row.number)
            rest -= early.amount
    own = row.due.interest - row.carried_interest
    return lines + _by_rule(state, row, rest, own)


def _by_rule(state: LoanState, row: InstallmentState, rest: Money, own: Money) -> Lines:
    rule = row.amortization
    if rule is not None and _is_level(rule, rest, own):
        level = part(
            rest + own,
            "LEVEL_INSTALLMENT",
            "level_installment",
            event_id=row.plan_event,
            number=row.number,
        )
        return level + part(-own, "LESS_INTEREST", "less_its_interest", number=row.number)
    if rule is not None and rule.method is Method.EQUAL_PRINCIPAL and rest.cents == rule.part:
        return part(
            rest,
            "EQUAL_PRINCIPAL",
            "equal_principal",
            event_id=row.plan_event,
            number=row.number,
        )
    event_id = state.closings.get(row.number, row.plan_event)
    return part(
        rest, "REST_OF_PRINCIPAL", "rest_of_principal", event_id=event_id, number=row.number
    )


def _is_level(rule: Amortization, rest: Money, own: Money) -> bool:
    return rule.method in _LEVEL and bool(rest) and (rest + own).cents == rule.level


def _paid_early(event_id: str, amount: Money, number: int) -> Lines:
    return part(amount, "PAID_EARLY", "principal_paid_early", event_id=event_id, number=number)


def _moved(state: LoanState, row: InstallmentState, amount: Money) -> Lines:
    """Return what the next plan took over from the installment."""
    if not amount:
        return []
    return part(
        amount,
        "MOVED",
        "moved_to_plan",
        event_id=state.plan_events[row.plan + 1],
        number=row.number,
    )


def fee_lines(_: LoanState, row: InstallmentState) -> Lines:
    """Return the agreement's fee, and fees that an earlier plan left."""
    if not row.plan:
        return _agreed_fees(row.due.fees, row.plan_event, row.number)
    own = row.due.fees - row.carried_fees
    return [
        *_agreed_fees(own, row.plan_event, row.number),
        *carried(row.carried_fees, "fees", row.plan_event, row.number),
    ]


def _agreed_fees(amount: Money, event_id: str, number: int | None = None) -> Lines:
    return part(amount, "FEE", "fee_of_agreement", event_id=event_id, number=number)


def total_lines(_: LoanState, row: InstallmentState) -> Lines:
    """Return what the installment consists of."""
    return [
        line
        for each in BUCKETS
        for line in part(
            bucket(row.due, each), "INSTALLMENT", f"installment_{each}", number=row.number
        )
    ]


def paid_lines(state: LoanState, row: InstallmentState) -> Lines:
    """Return which repayment paid what of the installment."""
    lines: Lines = []
    for event_id, number, amounts, is_held in _payments(state):
        if number == row.number:
            rule, text = ("PAID_AHEAD", "money_paid_ahead") if is_held else ("ALLOCATION", "paid")
            lines += part(amounts.total, rule, text, event_id=event_id, number=number)
    return lines


def waived_lines(state: LoanState, row: InstallmentState) -> Lines:
    """Return what was forgiven of the installment."""
    return [
        line
        for each in state.waivers
        if each.number == row.number
        for line in part(
            each.amount.total, "WAIVER", "waived", event_id=each.event_id, number=row.number
        )
    ]


def moved_lines(state: LoanState, row: InstallmentState) -> Lines:
    """Return what a plan change took over from the installment."""
    return _moved(state, row, row.moved.total)


def outstanding_lines(state: LoanState, row: InstallmentState) -> Lines:
    """Return what the installment asks, less what was paid, forgiven and moved.

    Before a payout it asks for nothing yet.
    """
    if not state.plan_events:
        return []
    done = [*paid_lines(state, row), *waived_lines(state, row), *moved_lines(state, row)]
    return [*total_lines(state, row), *(replace(line, amount=-line.amount) for line in done)]


def balance_lines(_: LoanState, row: InstallmentState) -> Lines:
    """Return the principal before the installment, less its own."""
    before = row.balance + row.due.principal - row.moved.principal
    lines = part(before, "BALANCE", "principal_before", number=row.number)
    lines += part(-row.due.principal, "INSTALLMENT", "installment_principal", number=row.number)
    return lines + _moved(_, row, row.moved.principal)


# -- one repayment ---------------------------------------------------------------------------------


def allocation(state: LoanState, repayment: RepaymentAllocation) -> Lines:
    """Return where a repayment went."""
    event_id = repayment.event_id
    if repayment.reversed:
        return part(
            repayment.amount, "REVERSED", "taken_back", event_id=_reversal_of(state, event_id)
        )
    lines: Lines = []
    for share in repayment.parts:
        for each in BUCKETS:
            lines += part(
                bucket(share.amount, each),
                "ALLOCATION",
                f"to_{each}",
                event_id=event_id,
                number=share.number,
            )
    lines += part(repayment.credit, "PAID_AHEAD", "held_for_later", event_id=event_id)
    for refund in state.refunds:
        if refund.of == event_id:
            lines += part(refund.amount, "REFUND", "refunded", event_id=refund.event_id)
    return lines


def _reversal_of(state: LoanState, event_id: str) -> str:
    return next(
        event.event_id
        for event in state.events
        if isinstance(event, Reversed)
        and event.of == event_id
        and event.effective_date <= state.as_of
    )


def _payments(state: LoanState) -> Iterator[tuple[str, int, Buckets, bool]]:
    """Yield repayment, installment, amounts, and whether it is money held that will pay then."""
    recorded: dict[int, list[Buckets]] = defaultdict(list)
    for repayment in state.repayments:
        for share in repayment.parts:
            recorded[share.number].append(share.amount)
            yield repayment.event_id, share.number, share.amount, False
    pools = _pools(state)
    for row in state.installments:
        if row.billed:
            continue
        rests = [
            bucket(row.paid, each) - Money(sum(bucket(b, each).cents for b in recorded[row.number]))
            for each in BUCKETS
        ]
        shares: dict[str, list[Money]] = {}
        for index, rest in enumerate(rests):
            for event_id, amount in _take(pools, rest):
                shares.setdefault(event_id, [Money.zero()] * 4)[index] += amount
        for event_id, (principal, interest, fees, penalty) in shares.items():
            amounts = Buckets.of(principal=principal, interest=interest, fees=fees, penalty=penalty)
            yield event_id, row.number, amounts, True
