"""Due dates on rest days: paid on the next business day, without interest and without lateness."""

from __future__ import annotations

import pytest

from loans.engine.codec import InvalidInputError
from loans.engine.lifecycle import LoanStatus
from loans.engine.modification import defer, extend
from loans.engine.schedule import build_schedule
from loans.engine.servicing import DueDateMoved, replay
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_building import (
    PENALTY,
    amounts,
    day,
    loan,
    money,
    paid,
    payout,
    state,
)


def monthly(first_due: str, **changes: object) -> LoanTerms:
    """Return a loan with penalty under the calendar, whose first installment is on that date."""
    data = {
        "disbursement_date": "2025-09-01",
        "first_due_date": first_due,
        "penalty": PENALTY,
        "calendar": "CN",
        **changes,
    }
    return loan(**data)


@pytest.mark.parametrize(
    ("disbursed", "due", "payable"),
    [
        ("2025-09-01", "2025-10-01", "2025-10-09"),  # National Day with Mid-Autumn, eight days off
        ("2026-09-01", "2026-10-01", "2026-10-08"),  # National Day, seven days off
        ("2025-09-01", "2025-09-28", "2025-09-28"),  # a Sunday that is worked in exchange
        ("2026-09-01", "2026-10-10", "2026-10-10"),  # a Saturday that is worked in exchange
        ("2026-01-05", "2026-02-15", "2026-02-24"),  # Spring Festival, nine days off
        ("2026-10-21", "2026-11-21", "2026-11-23"),  # a plain Saturday
        ("2026-10-23", "2026-11-23", "2026-11-23"),  # a Monday
        ("2026-12-01", "2027-01-01", "2027-01-04"),  # a year not announced: holiday and weekend
    ],
)
def test_the_last_day_in_time_is_the_next_business_day(
    disbursed: str, due: str, payable: str
) -> None:
    terms = monthly(due, disbursement_date=disbursed, installment_count=1)
    first = build_schedule(terms).rows[0]
    assert (str(first.due_date), str(first.payable_through)) == (due, payable)
    on_time = state(terms, [], payable)
    assert on_time.installments[0].payable_through == day(payable)
    assert (on_time.days_past_due, on_time.status) == (0, LoanStatus.ACTIVE)
    assert (on_time.overdue_since, on_time.penalty_accrued) == (None, money("0"))


def test_the_shift_costs_no_interest_no_penalty_and_no_day() -> None:
    plain = monthly("2025-10-01", calendar=None)
    shifted = monthly("2025-10-01")
    assert amounts(state(shifted, [], "2025-09-01"), "interest") == amounts(
        state(plain, [], "2025-09-01"), "interest"
    )
    on_time = state(shifted, [paid("a", "2025-10-09", "888.49")], "2025-10-09")
    assert (on_time.due_now.total, on_time.most_days_past_due) == (money("0"), 0)
    assert on_time.installments[0].days_late == 0
    assert on_time.installments[1].interest == money("92.12")  # as when paid on 1 October
    late = state(shifted, [], "2025-10-10")
    assert (late.days_past_due, late.status) == (1, LoanStatus.OVERDUE)
    assert late.overdue_since == day("2025-10-09")
    # 788.49 of principal for one day at 18 %: counted from 9 October, not from the 1st.
    assert str(late.penalty_accrued) == "0.39"
    assert state(plain, [], "2025-10-10").days_past_due == 9
    assert str(state(plain, [], "2025-10-10").penalty_accrued) == "3.55"


def test_days_of_grace_begin_after_the_last_day_in_time() -> None:
    terms = monthly("2025-10-01", penalty=PENALTY | {"grace_days": 3})
    assert state(terms, [], "2025-10-12").penalty_accrued == money("0")
    assert str(state(terms, [], "2025-10-13").penalty_accrued) == "0.39"


def test_the_next_due_date_is_the_last_day_in_time() -> None:
    terms = monthly("2025-10-01")
    for on in ("2025-09-15", "2025-10-01", "2025-10-03", "2025-10-09"):
        next_due = state(terms, [], on).next_due
        assert next_due is not None
        assert (next_due.number, next_due.date, next_due.due_date) == (
            1,
            day("2025-10-09"),
            day("2025-10-01"),
        )
    next_due = state(terms, [], "2025-10-10").next_due
    assert next_due is not None
    assert (next_due.number, next_due.date) == (2, day("2025-11-03"))  # 1 November is a Saturday


def test_money_held_pays_on_the_due_date_and_interest_ends_there() -> None:
    """Interest counts to the due date; what was paid ahead is used on it, shift or not."""
    ahead = [paid("a", "2025-09-16", "900.00")]
    found = state(monthly("2025-10-01"), ahead, "2025-10-03")
    same = state(monthly("2025-10-01", calendar=None), ahead, "2025-10-03")
    assert found.installments[0].paid_on == day("2025-09-16")
    assert (found.payoff_amount, found.prepaid) == (same.payoff_amount, same.prepaid)


def test_a_moved_due_date_is_never_earlier() -> None:
    def move(through: str) -> DueDateMoved:
        return DueDateMoved(
            event_id="m",
            effective_date=day("2025-09-20"),
            sequence=1,
            number=1,
            payable_through=day(through),
        )

    terms = monthly("2025-10-01")
    earlier = state(terms, [move("2025-10-03")], "2025-10-09")
    assert earlier.installments[0].payable_through == day("2025-10-09")
    later = state(terms, [move("2025-10-20")], "2025-10-21")
    assert later.installments[0].payable_through == day("2025-10-20")
    assert later.days_past_due == 1


def test_a_plan_keeps_the_calendar() -> None:
    terms = monthly("2025-10-01")
    change = extend(
        terms,
        [payout(terms)],
        day("2025-10-20"),
        installment_count=14,
        annual_rate=terms.annual_rate,
    )
    found = replay(terms, [payout(terms), change], day("2025-10-20"))
    first = next(row for row in found.installments if row.plan == 1)
    assert (first.due_date, first.payable_through) == (day("2025-11-01"), day("2025-11-03"))


def test_within_the_shift_nobody_is_late_for_a_deferral() -> None:
    terms = monthly("2025-10-01")
    assert defer(terms, [payout(terms)], day("2025-10-03")).first_due_date == day("2025-11-01")
    assert defer(terms, [payout(terms)], day("2025-10-10")).first_due_date == day("2025-12-01")


def test_without_a_calendar_or_without_a_shift_the_due_date_is_the_last_day() -> None:
    for changes in ({"calendar": None}, {"due_date_shift": "NONE"}):
        terms = monthly("2025-10-01", **changes)
        schedule = build_schedule(terms)
        assert schedule.payable_through == schedule.due_dates
        assert LoanTerms.from_json(terms.to_json()) == terms
    assert LoanTerms.from_json(monthly("2025-10-01").to_json()) == monthly("2025-10-01")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("due_date_shift", "PRECEDING"),
        ("due_date_shift", "MODIFIED_FOLLOWING"),
        ("calendar", "US"),
    ],
)
def test_a_shift_that_takes_days_from_the_borrower_is_refused(key: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^terms.{key}: '{value}' is unknown. Write one"):
        monthly("2025-10-01", **{key: value})
