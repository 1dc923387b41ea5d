"""The state of a loan, summed up from a fold that has come to its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from operator import add, sub
from typing import Final

from loans.engine.aging import age_bucket, classify
from loans.engine.day_count import span_units
from loans.engine.events import Event, Recovered, Repaid
from loans.engine.fold import Fold
from loans.engine.installments import FEES, INTEREST, PENALTY, PRINCIPAL, Row
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.passage import advance
from loans.engine.payout import disburse
from loans.engine.state import (
    NOTHING,
    AllocationPart,
    Buckets,
    EarlyPart,
    InstallmentState,
    LoanState,
    NextDue,
    RefundedPart,
    RepaymentAllocation,
    Span,
    StateTotals,
    WaivedPart,
    rows_asked_by,
)
from zhixin.shared.money import Money

_UNROUNDED: Final = Context(prec=40)
_CENTS: Final = Decimal(100)
_ZERO: Final = Money(0)
_NO_PARTS: Final[dict[int, list[int]]] = {}
_OBSERVATION_DAYS: Final = 365


class FoldInvariantError(AssertionError):
    """A finished fold breaks a law: parts do not re-add, or the balances do not sum to zero."""


def state_of(
    fold: Fold, events: Sequence[Event], reversed_ids: frozenset[str], as_of: dt.date
) -> LoanState:
    """Return the state of the loan on `as_of`; the fold is used up by it.

    `events` are all that is known, in the order in which they count.
    """
    due_now = _sum_owed(fold.open)
    unbilled = _unbilled(fold)
    balances = _balances(fold, due_now)
    owed = _owed_today(fold, due_now, unbilled)
    late_rows = [row for row in fold.open if row.days_late_now(as_of)]
    late = max((row.days_late_now(as_of) for row in late_rows), default=0)
    allocations = _repayments(fold, events, reversed_ids, as_of)
    accrued = fold.queue[0] if fold.queue else None
    plan = fold.plans[-1] if fold.plans else None
    observed = (
        fold.last_plan_on is not None
        and fold.closed_on is None
        and (as_of - fold.last_plan_on).days < _OBSERVATION_DAYS
    )
    closed = bool(fold.plans) and not owed.total
    written_off = fold.charged_off_on is not None and not closed
    accrued_unrounded = _major(*accrued.interest_ratio()) if accrued else Decimal(0)
    accrued_cents = accrued.accrued() if accrued else 0
    tomorrow = _tomorrow(fold, as_of)
    penalty_per_day = _penalty_per_day(fold, tomorrow)
    penalty_accrued = -balances[LedgerAccount.PENALTY_INCOME]
    credit = fold.credit_total
    most_late = max(fold.most_late, late)
    queue_empty = not fold.queue
    overdue = _sum_owed(late_rows)
    installments = _installments(fold, as_of)
    return LoanState(
        as_of=as_of,
        status=_status(fold, closed=closed, late=late, credit=credit),
        installments=installments,
        totals=_totals(fold, installments),
        outstanding=owed,
        unbilled=unbilled,
        due_now=due_now,
        overdue=overdue,
        next_due=None if fold.called or plan is None else _next_due(installments, as_of),
        called=fold.called,
        days_past_due=late,
        overdue_since=min((_counted_from(row, as_of) for row in late_rows), default=None),
        most_days_past_due=most_late,
        bucket=age_bucket(late),
        classification=classify(late, under_observation=observed, charged_off=written_off),
        accrued_interest_unrounded=accrued_unrounded,
        accrued_interest=Money(accrued_cents),
        annual_rate=plan.terms.annual_rate if plan else fold.terms.annual_rate,
        penalty_rate=plan.penalty_rate if plan else Decimal(0),
        penalty_accrued=penalty_accrued,
        penalty_per_day=penalty_per_day,
        tomorrow=tomorrow,
        payoff_amount=owed.total,
        prepaid=Money(0 if queue_empty else credit),
        overpaid=Money(credit if queue_empty else 0),
        closed_on=fold.closed_on if closed else None,
        plan_number=plan.number if plan else 0,
        repayments=allocations,
        balances=balances,
        without_effect=tuple(fold.without_effect),
        plan_events=_plan_events(fold),
        closings=dict(fold.closings),
        disputes={event_id: row.number for event_id, row in fold.disputes.items()},
        disputes_ended=dict(fold.disputes_ended),
        early=tuple(
            EarlyPart(event_id=event_id, number=number, amount=Money(amount))
            for event_id, number, amount in fold.early
        ),
        waivers=_waivers(fold),
        refunds=tuple(
            RefundedPart(event_id=event_id, of=of, amount=Money(amount))
            for event_id, of, amount in fold.refunds
        ),
        events=tuple(events),
    )


def _plan_events(fold: Fold) -> tuple[str, ...]:
    """Return the event of each plan number; a plan that goes on after a refund keeps its first."""
    found: dict[int, str] = {}
    for plan in fold.plans:
        found.setdefault(plan.number, plan.event_id)
    return tuple(found.values())


def _waivers(fold: Fold) -> tuple[WaivedPart, ...]:
    return tuple(
        WaivedPart(
            event_id=event_id,
            number=number,
            amount=Buckets(*[amount if index == bucket else 0 for index in range(4)]),
            counted=counted,
        )
        for event_id, number, bucket, amount, counted in fold.waivers
    )


def _counted_from(row: Row, as_of: dt.date) -> dt.date:
    return as_of - dt.timedelta(days=row.days_late_now(as_of))


def _major(numerator: int, denominator: int) -> Decimal:
    """Return a ratio of cents as an unrounded amount in major units."""
    return _UNROUNDED.divide(Decimal(numerator), Decimal(denominator) * _CENTS)


def _sum_parts(parts: Iterable[Sequence[int]]) -> Buckets:
    sums = [sum(bucket) for bucket in zip(*parts, strict=True)]
    return Buckets(*sums) if sums else NOTHING


def _sum_owed(rows: Iterable[Row]) -> Buckets:
    return _sum_parts(row.owed() for row in rows)


def _money(cents: int) -> Money:
    """Return the amount; most that a state holds are nothing, and share one object."""
    return Money(cents) if cents else _ZERO


def _owed_today(fold: Fold, due_now: Buckets, unbilled: Buckets) -> Buckets:
    """Return what closes the loan today: billed, unbilled, accrued, less money paid ahead."""
    sums = list(map(add, due_now, unbilled))
    if fold.queue:
        credit = fold.credit_total
        for bucket in (PRINCIPAL, INTEREST, FEES, PENALTY):
            part = min(credit, sums[bucket])
            sums[bucket] -= part
            credit -= part
    return Buckets(*sums)


def _unbilled(fold: Fold) -> Buckets:
    """Return what is not billed yet but owed when the loan ends today."""
    parts = [fold.unbilled, 0, 0, 0]
    if fold.queue:
        parts[INTEREST] = fold.queue[0].accrued()
    for row in fold.queue:
        parts[INTEREST] += row.carried_interest
        parts[FEES] += row.carried_fees
        parts[PENALTY] += row.kept_penalty
    return Buckets(*parts)


def _status(fold: Fold, *, closed: bool, late: int, credit: int) -> LoanStatus:
    if not fold.plans:
        return LoanStatus.PENDING
    if closed:
        return LoanStatus.OVERPAID if credit and not fold.queue else LoanStatus.PAID_OFF
    if fold.charged_off_on is not None:
        return LoanStatus.CHARGED_OFF
    return LoanStatus.OVERDUE if late else LoanStatus.ACTIVE


def _tomorrow(fold: Fold, as_of: dt.date) -> tuple[tuple[int, Span], ...]:
    """Return the overdue principal on which the day after `as_of` counts, by installment."""
    if fold.charged_off_on is not None:
        return ()
    following = as_of + dt.timedelta(days=1)
    units = span_units(fold.day_count, as_of, following)
    spans = []
    for row in fold.open:
        base = row.principal_owed()
        starts = row.payable_through + dt.timedelta(days=row.plan.grace_days)
        if base and row.plan.penalty_rate and as_of >= starts and row.fenced_since is None:
            span = Span(base, as_of, following, units, row.principal_event)
            spans.append((row.number, span))
    return tuple(spans)


def _penalty_per_day(fold: Fold, tomorrow: Sequence[tuple[int, Span]]) -> Decimal:
    """Return what one more day costs at the present bases, unrounded."""
    cost = Decimal(0)
    for number, span in tomorrow:
        row = next(row for row in fold.open if row.number == number)
        numerator, denominator = row.plan.penalty_scale
        cost += _major(span.base_cents * span.units * numerator, denominator)
    return cost


def _repayments(
    fold: Fold, events: Sequence[Event], reversed_ids: frozenset[str], as_of: dt.date
) -> tuple[RepaymentAllocation, ...]:
    held: dict[str, int] = {}
    for event_id, _, amount in fold.credit:
        held[event_id] = held.get(event_id, 0) + amount
    repayments = []
    for event in events:
        if not isinstance(event, (Repaid, Recovered)) or event.effective_date > as_of:
            continue
        event_id = event.event_id
        parts = [
            AllocationPart(number, Buckets(*parts))
            for number, parts in fold.allocations.get(event_id, _NO_PARTS).items()
            if any(parts)
        ]
        # By position, as below: a long named tuple is made twice as fast.
        repayments.append(
            RepaymentAllocation(
                event_id,
                event.effective_date,
                event.amount,
                tuple(parts),
                _money(held.get(event_id, 0)),
                event_id in reversed_ids,
            )
        )
    return tuple(repayments)


def _installments(fold: Fold, as_of: dt.date) -> tuple[InstallmentState, ...]:
    """Return all rows; those to come as they will be when nothing else happens.

    Before a payout they are a forecast of what will fall due; nothing of them is owed.
    """
    is_owed = bool(fold.plans)
    if not is_owed:
        fold = Fold(fold.terms)
        disburse(fold, fold.terms.disbursement_date)
    billed = {id(row) for row in fold.rows if row.billed}
    # What is billed stays as it is: money held pays rows to come only.
    fold.projecting, fold.open = True, []
    while fold.queue:
        advance(fold, fold.queue[0].due_date)
    balance = sum(row.principal - row.moved[PRINCIPAL] for row in fold.rows)
    states = []
    for row in fold.rows:
        balance -= row.principal - row.moved[PRINCIPAL]
        state = _installment(row, balance, as_of, billed=id(row) in billed)
        states.append(state if is_owed else state._replace(outstanding=NOTHING))
    return tuple(states)


def _installment(row: Row, balance: int, as_of: dt.date, *, billed: bool) -> InstallmentState:
    plan = row.plan
    due = row.due()
    is_open = row.is_open
    is_disputed = row.fenced_since is not None
    carried_interest = _money(row.carried_interest)
    carried_fees = _money(row.carried_fees)
    kept_penalty = _money(row.kept_penalty)
    paid = row.paid()
    # By position, in the order of the fields: 28 names would cost more than all they hold.
    return InstallmentState(
        row.number,
        plan.number,
        row.start,
        row.due_date,
        row.payable_through,
        row.days,
        billed,
        due,
        _money(balance),
        due if paid == due else paid,
        row.waived,
        row.moved,
        Buckets(*row.owed()) if is_open else NOTHING,
        row.days_late_in_all(as_of) if billed else 0,
        None if is_open else row.paid_on,
        is_disputed,
        is_disputed and row.is_suspended,
        tuple(row.spans),
        tuple(row.penalty_spans),
        plan.terms.annual_rate,
        plan.penalty_rate,
        row.scale,
        plan.units_a_year,
        carried_interest,
        carried_fees,
        kept_penalty,
        row.amortization,
        plan.event_id,
    )


def _next_due(installments: Sequence[InstallmentState], as_of: dt.date) -> NextDue | None:
    """Return the unpaid row whose last day in time comes next; a moved one may not be the first."""
    row = min(
        (
            row
            for row in installments
            if row.payable_through >= as_of and any(row.outstanding) and not row.suspended
        ),
        key=lambda row: (row.payable_through, row.number),
        default=None,
    )
    if row is None:
        return None
    asked = rows_asked_by(installments, row.payable_through)
    return NextDue(
        number=row.number,
        date=row.payable_through,
        due_date=row.due_date,
        amount=Money(sum(sum(each.outstanding) for each in asked)),
    )


def _totals(fold: Fold, installments: Sequence[InstallmentState]) -> StateTotals:
    rows = installments if fold.plans else ()
    due = _sum_parts(row.due for row in rows)
    moved = _sum_parts(row.moved for row in rows)
    return StateTotals(
        scheduled=Buckets(*map(sub, due, moved)),
        paid=_sum_parts(row.paid for row in rows),
        waived=Buckets(*fold.waived),
        disbursed=Money(fold.disbursed),
        received=Money(fold.received),
        refunded=Money(fold.refunded),
    )


def _balances(fold: Fold, due_now: Buckets) -> dict[LedgerAccount, Money]:
    """Return the journal's balances: debits positive, summing to zero."""
    owed = list(due_now)
    owed[PRINCIPAL] += fold.unbilled
    for row in fold.queue:
        owed[INTEREST] += row.carried_interest
        owed[FEES] += row.carried_fees
        owed[PENALTY] += row.kept_penalty
    if fold.charged_off_on is not None:
        owed = [0, 0, 0, 0]
    penalty = sum(row.penalty() - row.kept_penalty for row in fold.rows)
    cents = {
        LedgerAccount.BANK: fold.received - fold.disbursed - fold.refunded,
        LedgerAccount.LOANS_RECEIVABLE: owed[PRINCIPAL],
        LedgerAccount.INTEREST_RECEIVABLE: owed[INTEREST],
        LedgerAccount.PENALTY_RECEIVABLE: owed[PENALTY],
        LedgerAccount.FEES_RECEIVABLE: owed[FEES],
        LedgerAccount.BORROWER_CREDIT: -fold.credit_total,
        LedgerAccount.INTEREST_INCOME: -fold.recognized_interest,
        LedgerAccount.PENALTY_INCOME: -penalty,
        LedgerAccount.FEE_INCOME: -fold.recognized_fees,
        LedgerAccount.WAIVERS: sum(fold.waived),
        LedgerAccount.CHARGE_OFF_LOSS: sum(fold.loss),
        LedgerAccount.RECOVERY_INCOME: -fold.recovered,
    }
    if sum(cents.values()):
        raise FoldInvariantError(f"The balances must sum to zero, not {sum(cents.values())} cents.")
    return {account: _money(amount) for account, amount in cents.items()}
