"""Which disputes stand, and which a plan has ended; what is suspended is no month to compare."""

from __future__ import annotations

from loans.engine.modification import defer, preview
from loans.engine.servicing import Disputed, DisputeResolved, Reversed
from tests.unit.loans.engine.loan_building import day, loan, money, paid, payout, state

TERMS = loan(principal="1000.00", installment_count=3)


def disputed(number: int = 3, on: str = "2024-01-20") -> Disputed:
    return Disputed(event_id=f"d{number}", effective_date=day(on), sequence=number, number=number)


def test_a_plan_ends_the_dispute_about_what_it_takes_over_and_taken_back_it_stands() -> None:
    early = paid("p", "2024-02-01", "340.02", 5)
    events = [disputed(2), disputed(), early]
    plan = defer(TERMS, [payout(TERMS), *events], day("2024-02-10"))
    before = state(TERMS, events, "2024-02-10")
    assert before.disputes == {"d2": 2, "d3": 3}
    after = state(TERMS, [*events, plan], "2024-02-10")
    assert after.disputes == {}
    assert after.disputes_ended == {plan.event_id: {"d2": 2, "d3": 3}}
    undone = Reversed(event_id="x", effective_date=day("2024-02-11"), sequence=99, of=plan.event_id)
    again = state(TERMS, [*events, plan, undone], "2024-02-11")
    assert (again.disputes, again.disputes_ended) == ({"d2": 2, "d3": 3}, {})


def test_the_dispute_about_what_is_paid_and_an_answered_one_end_with_no_plan() -> None:
    answer = DisputeResolved(event_id="a", effective_date=day("2024-01-25"), sequence=9, of="d3")
    late = disputed(1, "2024-02-05")
    events = [disputed(), answer, late, paid("p", "2024-02-06", "340.02", 10)]
    plan = defer(TERMS, [payout(TERMS), *events], day("2024-02-10"))
    found = state(TERMS, [*events, plan], "2024-02-10")
    assert found.disputes_ended == {}
    assert found.disputes == {late.event_id: 1}


def test_what_is_suspended_is_no_month_that_is_asked_for() -> None:
    events = [payout(TERMS), disputed()]
    plan = defer(TERMS, events, day("2024-01-21"))
    # The third of 340.03 is in dispute; the largest that is asked for is 340.02.
    assert preview(TERMS, events, plan, day("2024-01-21")).old_installment == money("340.02")
