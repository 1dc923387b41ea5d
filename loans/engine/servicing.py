"""A loan is a fold over its events: `replay(terms, events, as_of)`.

Pure: no database, no clock. The order in which events were recorded does not matter, only the dates
from which they count; `sequence` decides between events of one date. See docs/formulas/.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from loans.engine.aging import age_bucket, classify
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
    in_effective_order,
    nameless_reversal,
)
from loans.engine.fold import Fold
from loans.engine.interventions import charge_off, dispute, move_due_date, resolve
from loans.engine.passage import advance
from loans.engine.payments import refund, repay, waive
from loans.engine.payout import disburse, hold_before_payout
from loans.engine.plan_change import change_plan
from loans.engine.state import (
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
from loans.engine.summary import FoldInvariantError, state_of
from loans.engine.terms import InvalidTermsError, LoanTerms, PrepaymentEffect

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
    "FoldInvariantError",
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


def replay(terms: LoanTerms, events: Iterable[Event], as_of: dt.date) -> LoanState:
    """Return the state of the loan on `as_of`, with interest and penalty through that date.

    Events dated after `as_of` do not count yet. Raises InvalidEventError for events that do not
    fit the loan (an unknown reversal, a second payout, money before the payout).
    """
    known = in_effective_order(events)
    reversed_ids, idle = _reversed_ids(known, as_of)
    applied = [
        event
        for event in known
        if event.effective_date <= as_of
        and event.event_id not in reversed_ids
        and not isinstance(event, Reversed)
    ]
    fold = Fold(terms)
    if reversed_ids:
        undone = [event for event in known if event.event_id in reversed_ids]
        fold.plan_undone = any(isinstance(event, PlanChanged) for event in undone)
        days = (event.effective_date for event in undone if isinstance(event, Disbursed))
        fold.payout_undone_on = min(days, default=None)
    for event in applied:
        try:
            _apply(fold, event)
        except InvalidEventError as error:
            error.event_id = event.event_id
            raise
        except InvalidTermsError as error:
            raise _of_plan(error, event) from None
    if fold.plans:
        advance(fold, as_of)
    fold.without_effect += idle
    return state_of(fold, known, reversed_ids, as_of)


def _of_plan(error: InvalidTermsError, event: Event) -> InvalidEventError:
    """Return what is wrong with a plan's terms as an error of the event that states them."""
    key = error.key.replace("terms", "event", 1)
    found = InvalidEventError(key=key, problem=error.problem, mend=error.mend)
    found.event_id = event.event_id
    return found


def _by_id(events: Sequence[Event]) -> dict[str, Event]:
    by_id = {event.event_id: event for event in events}
    if len(by_id) == len(events):
        return by_id
    by_id.clear()
    for event in events:
        if event.event_id not in by_id:
            by_id[event.event_id] = event
            continue
        problem = f"{event.event_id!r} occurs twice"
        if isinstance(event, Reversed) and event.event_id == nameless_reversal(event.of):
            problem = f"{event.of!r} is reversed twice by reversals without an id of their own"
        raise InvalidEventError(
            key="event.id", problem=problem, mend="Give each event an id of its own"
        )
    return by_id


def _reversed_ids(events: Sequence[Event], as_of: dt.date) -> tuple[frozenset[str], list[str]]:
    """Return what reversals in force have undone, and the reversals that found it undone already.

    Raises InvalidEventError where identities are not sound.
    """
    by_id = _by_id(events)
    undone: set[str] = set()
    idle: list[str] = []
    for event in events:
        if not isinstance(event, Reversed):
            continue
        target = by_id.get(event.of)
        if target is None or isinstance(target, Reversed):
            error = InvalidEventError(
                key="event.of",
                problem=(
                    f"{event.event_id!r} names {event.of!r}, which is not an event that can be "
                    "reversed"
                ),
                mend="Write the id of an earlier event that is no reversal",
            )
            error.event_id = event.event_id
            raise error
        if event.effective_date <= as_of:
            if event.of in undone:
                idle.append(event.event_id)
            undone.add(event.of)
    return frozenset(undone), idle


def _apply(fold: Fold, event: Event) -> None:
    if isinstance(event, Disbursed):
        fold.event_id = event.event_id
        _disburse(fold, event)
        return
    if not fold.plans:
        hold_before_payout(fold, event)
        return
    day = event.effective_date
    advance(fold, day)
    fold.event_id = event.event_id
    match event:
        case Repaid():
            repay(fold, event.event_id, event.amount.cents, day, event.prepayment)
        case Recovered():
            repay(fold, event.event_id, event.amount.cents, day, None)
        case Refunded():
            refund(fold, event.amount.cents, day)
        case Waived():
            amounts = (event.principal, event.interest, event.fees, event.penalty)
            waive(fold, [amount.cents for amount in amounts], day)
        case PlanChanged():
            change_plan(fold, event, day)
        case _:
            _apply_rare(fold, event, day)


def _apply_rare(fold: Fold, event: Event, day: dt.date) -> None:
    match event:
        case DueDateMoved():
            move_due_date(fold, event.number, event.payable_through)
        case ChargedOff():
            charge_off(fold, day)
        case Disputed():
            dispute(fold, event.event_id, event.number, day)
        case DisputeResolved():
            resolve(fold, event.of, day)
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
            problem=f"{event.event_id!r} pays out a loan that is paid out already",
            mend="Remove the second payout or reverse the first",
        )
    if event.amount != fold.terms.principal:
        raise InvalidEventError(
            key="event.amount",
            problem=(
                f"{event.event_id!r} pays out {event.amount}, not the principal "
                f"{fold.terms.principal}"
            ),
            mend="The payout is the principal, nothing is held back",
        )
    disburse(fold, event.effective_date)
