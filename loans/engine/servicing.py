"""A loan is a fold over its events: `replay(terms, events, as_of)`.

Pure: no database, no clock. The order in which events were recorded does not matter, only the dates
from which they count; `sequence` decides between events of one date. See docs/formulas/.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final

from loans.engine.day_count import UNITS_A_YEAR
from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    InvalidEventError,
    PlanChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
    event_from_json,
)
from loans.engine.fold import Fold
from loans.engine.installments import FEES, INTEREST, PENALTY, PRINCIPAL, Row
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.plan_change import change_plan
from loans.engine.state import (
    NOTHING,
    AllocationPart,
    Buckets,
    Classification,
    InstallmentState,
    Line,
    LoanState,
    NextDue,
    RepaymentAllocation,
    Span,
    StateTotals,
)
from loans.engine.terms import LoanTerms, PrepaymentEffect
from zhixin.shared.money import Money

__all__ = [
    "AllocationPart",
    "Buckets",
    "ChargedOff",
    "Classification",
    "Disbursed",
    "DisputeResolved",
    "Disputed",
    "DueDateMoved",
    "Event",
    "InstallmentState",
    "InvalidEventError",
    "Line",
    "LoanState",
    "NextDue",
    "PlanChanged",
    "PrepaymentEffect",
    "Recovered",
    "Refunded",
    "Repaid",
    "RepaymentAllocation",
    "Reversed",
    "Span",
    "StateTotals",
    "Waived",
    "age_bucket",
    "classify",
    "event_from_json",
    "replay",
]

_UNROUNDED: Final = Context(prec=40)
_CENTS: Final = Decimal(100)
_DAYS_A_BUCKET: Final = 30
_LAST_BUCKET: Final = 6
_OBSERVATION_DAYS: Final = 365


class FoldInvariantError(AssertionError):
    """A finished fold breaks a law: parts do not re-add, or the balances do not sum to zero."""


def replay(terms: LoanTerms, events: Iterable[Event], as_of: dt.date) -> LoanState:
    """Return the state of the loan on `as_of`, with interest and penalty through that date.

    Events dated after `as_of` do not count yet. Raises InvalidEventError for events that do not
    fit the loan (an unknown reversal, a second payout, money before the payout).
    """
    known = tuple(events)
    reversed_ids = _reversed_ids(known, as_of)
    applied = sorted(
        (
            event
            for event in known
            if event.effective_date <= as_of
            and event.event_id not in reversed_ids
            and not isinstance(event, Reversed)
        ),
        key=_order,
    )
    fold = Fold(terms)
    for event in applied:
        _apply(fold, event)
    if fold.plans:
        fold.advance(as_of)
    return _state_of(fold, known, reversed_ids, as_of)


def age_bucket(days_past_due: int) -> str:
    """Return the ageing label (conduct CL-06): M0 on time, Mk for 30(k−1)+1 to 30k, M6+ above.

    >>> [age_bucket(days) for days in (0, 1, 30, 31, 150, 151)]
    ['M0', 'M1', 'M1', 'M2', 'M5', 'M6+']
    """
    months = -(-days_past_due // _DAYS_A_BUCKET)
    return f"M{months}" if months < _LAST_BUCKET else "M6+"


def classify(days_past_due: int, *, under_observation: bool) -> Classification:
    """Return the asset class (conduct CL-01); a restructured loan is special mention at least.

    >>> [classify(days, under_observation=False).value for days in (0, 90, 91, 271, 361)]
    ['NORMAL', 'SPECIAL_MENTION', 'SUBSTANDARD', 'DOUBTFUL', 'LOSS']
    """
    for least, classification in _CLASSES:
        if days_past_due >= least:
            return classification
    return Classification.SPECIAL_MENTION if under_observation else Classification.NORMAL


_CLASSES: Final = (
    (361, Classification.LOSS),
    (271, Classification.DOUBTFUL),
    (91, Classification.SUBSTANDARD),
    (1, Classification.SPECIAL_MENTION),
)


def _order(event: Event) -> tuple[dt.date, bool, int, str]:
    return (
        event.effective_date,
        not isinstance(event, Disbursed),
        event.sequence,
        event.event_id,
    )


def _reversed_ids(events: Sequence[Event], as_of: dt.date) -> frozenset[str]:
    """Return what reversals in force have undone; check that identities are sound."""
    by_id: dict[str, Event] = {}
    for event in events:
        if event.event_id in by_id:
            raise InvalidEventError(
                key="event.id",
                problem=f"{event.event_id!r} occurs twice",
                mend="Give each event an id of its own",
            )
        by_id[event.event_id] = event
    undone = set()
    for event in events:
        if not isinstance(event, Reversed):
            continue
        target = by_id.get(event.of)
        if target is None or isinstance(target, Reversed):
            raise InvalidEventError(
                key="event.of",
                problem=f"{event.of!r} is not an event that can be reversed",
                mend="Write the id of an earlier event that is no reversal",
            )
        if event.effective_date <= as_of:
            undone.add(event.of)
    return frozenset(undone)


def _apply(fold: Fold, event: Event) -> None:
    if isinstance(event, Disbursed):
        _disburse(fold, event)
        return
    if not fold.plans:
        raise InvalidEventError(
            key="event.date",
            problem=f"{event.event_id!r} counts from {event.effective_date}, before the payout",
            mend="Write the payout's date or a later one",
        )
    day = event.effective_date
    fold.advance(day)
    match event:
        case Repaid():
            fold.repay(event.event_id, event.amount.cents, day, event.prepayment)
        case Recovered():
            fold.repay(event.event_id, event.amount.cents, day, None)
        case Refunded():
            fold.refund(event.amount.cents, day)
        case Waived():
            amounts = (event.principal, event.interest, event.fees, event.penalty)
            fold.waive([amount.cents for amount in amounts], day)
        case PlanChanged():
            change_plan(fold, event, day)
        case _:
            _apply_rare(fold, event, day)


def _apply_rare(fold: Fold, event: Event, day: dt.date) -> None:
    match event:
        case DueDateMoved():
            fold.move_due_date(event.number, event.payable_through)
        case ChargedOff():
            fold.charge_off(day)
        case Disputed():
            fold.dispute(event.event_id, event.number, day)
        case DisputeResolved():
            fold.resolve(event.of, day)
        case _:
            raise InvalidEventError(
                key="event.type",
                problem=f"{event.kind!r} cannot be applied",
                mend="Write a known type",
            )


def _disburse(fold: Fold, event: Disbursed) -> None:
    if fold.plans:
        raise InvalidEventError(
            key="event.type",
            problem="the loan is paid out already",
            mend="Remove the second payout or reverse the first",
        )
    if event.amount != fold.terms.principal:
        raise InvalidEventError(
            key="event.amount",
            problem=f"{event.amount} is not the principal {fold.terms.principal}",
            mend="The payout is the principal, nothing is held back",
        )
    fold.disburse(event.effective_date)


def _state_of(
    fold: Fold, events: Sequence[Event], reversed_ids: frozenset[str], as_of: dt.date
) -> LoanState:
    balances = _balances(fold)
    owed = _owed_today(fold)
    due_now = _sum_owed(fold.open)
    unbilled = _buckets(_unbilled(fold))
    late_rows = [row for row in fold.open if row.days_late(as_of)]
    late = max((row.days_late(as_of) for row in late_rows), default=0)
    allocations = _repayments(fold, events, reversed_ids, as_of)
    accrued = fold.queue[0] if fold.queue else None
    plan = fold.plans[-1] if fold.plans else None
    observed = (
        fold.last_plan_on is not None
        and fold.closed_on is None
        and (as_of - fold.last_plan_on).days < _OBSERVATION_DAYS
    )
    closed = bool(fold.plans) and not owed.total
    accrued_unrounded = _major(*accrued.interest_ratio()) if accrued else Decimal(0)
    accrued_cents = accrued.accrued() if accrued else 0
    penalty_per_day = _penalty_per_day(fold, as_of)
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
        totals=_totals(fold),
        outstanding=owed,
        unbilled=unbilled,
        due_now=due_now,
        overdue=overdue,
        next_due=_next_due(installments, as_of),
        days_past_due=late,
        overdue_since=min((_counted_from(row, as_of) for row in late_rows), default=None),
        most_days_past_due=most_late,
        bucket=age_bucket(late),
        classification=classify(late, under_observation=observed),
        accrued_interest_unrounded=accrued_unrounded,
        accrued_interest=Money(accrued_cents),
        annual_rate=plan.terms.annual_rate if plan else fold.terms.annual_rate,
        penalty_rate=plan.penalty_rate if plan else Decimal(0),
        penalty_accrued=penalty_accrued,
        penalty_per_day=penalty_per_day,
        payoff_amount=owed.total,
        prepaid=Money(0 if queue_empty else credit),
        overpaid=Money(credit if queue_empty else 0),
        closed_on=fold.closed_on if closed else None,
        plan_number=plan.number if plan else 0,
        repayments=allocations,
        balances=balances,
    )


def _counted_from(row: Row, as_of: dt.date) -> dt.date:
    return as_of - dt.timedelta(days=row.days_late(as_of))


def _major(numerator: int, denominator: int) -> Decimal:
    """Return a ratio of cents as an unrounded amount in major units."""
    return _UNROUNDED.divide(Decimal(numerator), Decimal(denominator) * _CENTS)


def _buckets(parts: Sequence[int]) -> Buckets:
    return _buckets_of(*parts)


@lru_cache(maxsize=16_384)
def _buckets_of(principal: int, interest: int, fees: int, penalty: int) -> Buckets:
    """Return the buckets of amounts in cents; the same amounts come back night after night."""
    if not (principal or interest or fees or penalty):
        return NOTHING
    return Buckets(
        principal=Money(principal),
        interest=Money(interest),
        fees=Money(fees),
        penalty=Money(penalty),
    )


def _sum_parts(parts: Iterable[Sequence[int]]) -> list[int]:
    sums = [0, 0, 0, 0]
    for part in parts:
        for bucket in range(4):
            sums[bucket] += part[bucket]
    return sums


def _sum_owed(rows: Iterable[Row]) -> Buckets:
    return _buckets(_sum_parts(row.owed() for row in rows))


def _owed_today(fold: Fold) -> Buckets:
    """Return what closes the loan today: billed, unbilled, accrued, less money paid ahead."""
    sums = _sum_parts([*(row.owed() for row in fold.open), _unbilled(fold)])
    if fold.queue:
        credit = fold.credit_total
        for bucket in (PRINCIPAL, INTEREST, FEES, PENALTY):
            part = min(credit, sums[bucket])
            sums[bucket] -= part
            credit -= part
    return _buckets(sums)


def _unbilled(fold: Fold) -> list[int]:
    """Return what is not billed yet but owed when the loan ends today."""
    parts = [fold.unbilled, 0, 0, 0]
    if fold.queue:
        parts[INTEREST] = fold.queue[0].accrued()
    for row in fold.queue:
        parts[INTEREST] += row.carried_interest
        parts[FEES] += row.carried_fees
        parts[PENALTY] += row.kept_penalty
    return parts


def _status(fold: Fold, *, closed: bool, late: int, credit: int) -> LoanStatus:
    if not fold.plans:
        return LoanStatus.PENDING
    if closed:
        return LoanStatus.OVERPAID if credit and not fold.queue else LoanStatus.PAID_OFF
    if fold.charged_off_on is not None:
        return LoanStatus.CHARGED_OFF
    return LoanStatus.OVERDUE if late else LoanStatus.ACTIVE


def _penalty_per_day(fold: Fold, as_of: dt.date) -> Decimal:
    """Return what one more day costs at the present bases, unrounded."""
    if fold.charged_off_on is not None:
        return Decimal(0)
    cost = Decimal(0)
    for row in fold.open:
        base = row.principal_owed()
        starts = row.payable_through + dt.timedelta(days=row.plan.grace_days)
        if base and row.plan.penalty_rate and as_of >= starts and row.fenced_since is None:
            numerator, denominator = row.penalty_ratio_of(base, as_of)
            cost += _major(numerator, denominator)
    return cost


def _repayments(
    fold: Fold, events: Sequence[Event], reversed_ids: frozenset[str], as_of: dt.date
) -> tuple[RepaymentAllocation, ...]:
    held: dict[str, int] = {}
    for event_id, _, amount in fold.credit:
        held[event_id] = held.get(event_id, 0) + amount
    money = [
        event
        for event in events
        if isinstance(event, Repaid | Recovered) and event.effective_date <= as_of
    ]
    return tuple(
        RepaymentAllocation(
            event_id=event.event_id,
            effective_date=event.effective_date,
            amount=event.amount,
            parts=tuple(
                AllocationPart(number=number, amount=_buckets(parts))
                for number, parts in fold.allocations.get(event.event_id, {}).items()
                if any(parts)
            ),
            credit=Money(held.get(event.event_id, 0)),
            reversed=event.event_id in reversed_ids,
        )
        for event in sorted(money, key=_order)
    )


def _installments(fold: Fold, as_of: dt.date) -> tuple[InstallmentState, ...]:
    """Return all rows; those to come as they will be when nothing else happens."""
    if not fold.plans:
        fold = Fold(fold.terms)
        fold.disburse(fold.terms.disbursement_date)
    billed = {id(row) for row in fold.rows if row.billed}
    fold.projecting = True
    while fold.queue:
        fold.advance(fold.queue[0].due_date)
    balance = sum(row.principal - row.moved[PRINCIPAL] for row in fold.rows)
    states = []
    for row in fold.rows:
        balance -= row.principal - row.moved[PRINCIPAL]
        states.append(_installment(row, balance, as_of, billed=id(row) in billed))
    return tuple(states)


def _installment(row: Row, balance: int, as_of: dt.date, *, billed: bool) -> InstallmentState:
    parts = row.due()
    due = _buckets(parts)
    owed = row.owed() if row.is_open else ()
    return InstallmentState(
        number=row.number,
        plan=row.plan.number,
        start_date=row.start,
        due_date=row.due_date,
        payable_through=row.payable_through,
        days=row.days,
        billed=billed,
        due=due,
        balance=Money(balance),
        paid=due if tuple(row.paid) == parts else _buckets(row.paid),
        waived=_buckets(row.waived),
        moved=_buckets(row.moved),
        outstanding=_buckets(owed) if owed else NOTHING,
        days_late=row.days_late(as_of) if billed else 0,
        paid_on=None if row.is_open else row.paid_on,
        disputed=row.fenced_since is not None,
        interest_spans=tuple(row.spans),
        penalty_spans=tuple(row.penalty_spans),
        interest_rate=row.plan.terms.annual_rate,
        penalty_rate=row.plan.penalty_rate,
        interest_scale=row.scale,
        penalty_units_a_year=UNITS_A_YEAR[row.plan.terms.day_count],
        carried_interest=Money(row.carried_interest),
        kept_penalty=Money(row.kept_penalty),
    )


def _next_due(installments: Sequence[InstallmentState], as_of: dt.date) -> NextDue | None:
    for row in installments:
        if row.payable_through >= as_of and row.outstanding.total:
            return NextDue(number=row.number, date=row.due_date, amount=row.outstanding.total)
    return None


def _totals(fold: Fold) -> StateTotals:
    return StateTotals(
        scheduled=_buckets(
            _sum_parts(
                [due - moved for due, moved in zip(row.due(), row.moved, strict=True)]
                for row in fold.rows
            )
        ),
        paid=_buckets(_sum_parts(row.paid for row in fold.rows)),
        waived=_buckets(fold.waived),
        disbursed=Money(fold.disbursed),
        received=Money(fold.received),
        refunded=Money(fold.refunded),
    )


def _balances(fold: Fold) -> dict[LedgerAccount, Money]:
    """Return the journal's balances: debits positive, summing to zero."""
    owed = _sum_parts(row.owed() for row in fold.open)
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
    return {account: Money(amount) for account, amount in cents.items()}
