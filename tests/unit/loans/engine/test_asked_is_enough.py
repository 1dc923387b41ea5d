"""A borrower who pays exactly what is asked, on the day on which it is asked, is never late.

Not even for an installment in dispute, which nobody is asked for before the answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from loans.engine.events import InvalidEventError, effective_order
from loans.engine.schedule import build_schedule
from loans.engine.servicing import (
    ChargedOff,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    LoanState,
    PrepaymentEffect,
    Repaid,
    Waived,
    replay,
)
from loans.engine.terms import PRINCIPAL_FIRST, Across, LateAllocation, LoanTerms
from tests.unit.loans.engine.loan_laws import ZERO, assert_state_is_sound
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.money import Money

LATE_RULES = st.sampled_from(
    [
        (),
        (LateAllocation(from_days_past_due=1, order=PRINCIPAL_FIRST, across=Across.BUCKET),),
        (LateAllocation(from_days_past_due=20, order=PRINCIPAL_FIRST, across=Across.INSTALLMENT),),
    ]
)
Loan = tuple[LoanTerms, tuple[Event, ...]]


@st.composite
def loans(draw: st.DrawFn) -> Loan:
    """Return a loan to which much happened but a write-off, above all moved due dates."""
    some = replace(draw(terms()), late_allocation=draw(LATE_RULES))
    events = [each for each in draw(histories(some, most=4)) if not isinstance(each, ChargedOff)]
    dates = build_schedule(some).due_dates
    for number in range(draw(st.integers(0, 3))):
        row = draw(st.integers(1, len(dates)))
        near = dates[row - 1] + dt.timedelta(days=draw(st.integers(-10, 10)))
        on = max(near, some.disbursement_date)
        name = {"event_id": f"m{number}", "effective_date": on, "sequence": 50 + number}
        events.append(draw(st.sampled_from((_moved, _moved, _disputed, _settled)))(draw, row, name))
    return some, tuple(events)


def _moved(draw: st.DrawFn, row: int, name: dict[str, Any]) -> Event:
    through = name["effective_date"] + dt.timedelta(days=draw(st.integers(10, 90)))
    return DueDateMoved(**name, number=row, payable_through=through)


def _disputed(draw: st.DrawFn, row: int, name: dict[str, Any]) -> Event:
    return Disputed(**name, number=row)


def _settled(draw: st.DrawFn, row: int, name: dict[str, Any]) -> Event:
    """Forgive all but the penalty."""
    much = Money(10**8)
    return Waived(**name, principal=much, interest=much, fees=much, penalty=ZERO)


def _answers(events: tuple[Event, ...], on: dt.date, sequence: int) -> tuple[Event, ...]:
    """Answer every dispute on that day."""
    return tuple(
        DisputeResolved(event_id=f"r{of}{sequence}", effective_date=on, sequence=sequence, of=of)
        for of in (each.event_id for each in events if isinstance(each, Disputed))
    )


def by_the_page(state: LoanState) -> Money:
    """What the page asks for today."""
    return state.payable_now


def by_the_list(state: LoanState) -> Money:
    """What the list asks for today: it knows what is late and what is due next."""
    if state.next_due is not None and state.next_due.date == state.as_of:
        return state.overdue.total + state.next_due.amount
    return state.overdue.total or (ZERO if state.next_due is not None else state.payable_now)


def ahead(state: LoanState) -> Money:
    """All that is late, and the next payment before its day."""
    return state.overdue.total + (state.next_due.amount if state.next_due else state.payable_now)


ASKED: dict[str, Callable[[LoanState], Money]] = {
    "page": by_the_page,
    "list": by_the_list,
    "ahead": ahead,
}


@settings(max_examples=200)
@given(loans(), st.sampled_from(list(ASKED)), st.integers(0, 30))
def test_who_pays_what_is_asked_is_never_late_again_and_ends_at_nothing(
    loan: Loan, asked: str, later: int
) -> None:
    some_terms, events = loan
    day = max(events, key=effective_order).effective_date + dt.timedelta(days=later)
    try:
        state = replay(some_terms, events, day)
    except InvalidEventError:
        event("does not fold")
        return
    for number in range(400):
        if state.next_due is None and not state.payable_now:
            left = [row for row in state.installments if row.outstanding.total]
            assert all(row.suspended for row in left)
            if not state.payoff_amount:
                break
            events = (*events, *_answers(events, state.as_of, 2000 + number))
            state = replay(some_terms, events, state.as_of)
            assert state.days_past_due == 0
        amount = ASKED[asked](state)
        if amount:
            paid = Repaid(
                event_id=f"p{number}",
                effective_date=state.as_of,
                sequence=1000 + number,
                amount=amount,
                prepayment=PrepaymentEffect.NEXT_INSTALLMENTS if asked == "ahead" else None,
            )
            events = (*events, paid)
            state = replay(some_terms, events, state.as_of)
            assert state.days_past_due == 0
            assert_state_is_sound(some_terms, state)
        if state.next_due is None:
            continue
        state = replay(some_terms, events, state.next_due.date)
        assert state.days_past_due == 0
    assert state.payoff_amount == ZERO
    far = replay(some_terms, events, state.as_of + dt.timedelta(days=400))
    assert (far.payoff_amount, far.days_past_due) == (ZERO, 0)
