"""A due day of choice names the day of the month where the first due date alone does not."""

from __future__ import annotations

from typing import Any

import pytest

from loans.engine.schedule import build_schedule
from loans.engine.terms import InvalidTermsError, LoanTerms
from tests.unit.loans.engine.loan_building import loan

WEEKS = {"every": 2, "unit": "WEEK"}


@pytest.mark.parametrize(
    ("start", "first", "day", "later"),
    [
        ("2024-01-31", "2024-02-29", None, ["2024-03-31", "2024-04-30"]),
        ("2024-01-31", "2024-02-29", 29, ["2024-03-29", "2024-04-29"]),
        ("2024-01-15", "2024-02-29", None, ["2024-03-29", "2024-04-29"]),
        ("2024-01-15", "2024-02-29", 31, ["2024-03-31", "2024-04-30"]),
        ("2024-01-15", "2024-02-29", 30, ["2024-03-30", "2024-04-30"]),
        ("2024-01-31", None, 30, ["2024-03-30", "2024-04-30"]),
        ("2024-01-15", None, 15, ["2024-03-15", "2024-04-15"]),
    ],
)
def test_due_dates(start: str, first: str | None, day: int | None, later: list[str]) -> None:
    terms = loan(disbursement_date=start, first_due_date=first, due_day=day, installment_count=3)
    assert [str(date) for date in build_schedule(terms).due_dates[1:]] == later
    assert LoanTerms.from_json(terms.to_json()) == terms
    assert ("due_day" in terms.to_json()) == (day is not None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"due_day": 15}, "terms.due_day: 15 is not the day of the first due date 2024-02-01"),
        ({"first_due_date": "2024-02-28", "due_day": 31}, "31 is not the day of the first due"),
        ({"due_day": 32}, "terms.due_day: 32 is not a whole number from 1 to 31"),
        ({"due_day": 1, "period": WEEKS}, "terms.due_day: is for periods of months only"),
    ],
)
def test_a_due_day_that_does_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTermsError, match=message):
        loan(**changes)
