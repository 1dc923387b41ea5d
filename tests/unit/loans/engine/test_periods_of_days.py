"""Under 30/360 a week is 7/360 and a day 1/360, also where they happen to make a whole month."""

from __future__ import annotations

from typing import Any

import pytest

from loans.engine.schedule import build_schedule
from loans.engine.terms import LoanTerms

TERMS: dict[str, Any] = {
    "principal": "36000.00",
    "annual_rate": "0.10",
    "method": "INTEREST_ONLY",
    "installment_count": 2,
    "day_count": "THIRTY_360",
    "disbursement_date": "2026-02-01",
    "rounding": "HALF_EVEN",
}


@pytest.mark.parametrize(
    ("every", "unit", "interest"),
    [
        (4, "WEEK", ["280.00", "280.00"]),
        (28, "DAY", ["280.00", "280.00"]),
        (1, "MONTH", ["300.00", "300.00"]),
        (30, "DAY", ["300.00", "300.00"]),
    ],
)
@pytest.mark.parametrize("first_due_date", [None, "natural"])
def test_interest_of_periods_that_end_with_a_month(
    every: int, unit: str, interest: list[str], first_due_date: str | None
) -> None:
    data = TERMS | {"period": {"every": every, "unit": unit}}
    terms = LoanTerms.from_json(data)
    if first_due_date is not None:
        natural = terms.natural_first_due_date.isoformat()
        terms = LoanTerms.from_json(data | {"first_due_date": natural})
    assert [str(row.interest) for row in build_schedule(terms).rows] == interest


@pytest.mark.parametrize(
    ("rule", "multiple", "total"),
    [
        (None, None, "340.02"),
        ("UP", None, "340.03"),
        ("UP", "1.00", "341.00"),
        (None, "1.00", "340.00"),
    ],
)
def test_the_rule_of_the_level_installment(
    rule: str | None, multiple: str | None, total: str
) -> None:
    terms = LoanTerms.from_json(
        TERMS
        | {
            "principal": "1000.00",
            "annual_rate": "0.12",
            "method": "EQUAL_INSTALLMENT",
            "installment_count": 3,
            "period": {"every": 1, "unit": "MONTH"},
            "installment_rounding": rule,
            "installment_multiple": multiple,
        }
    )
    assert str(build_schedule(terms).rows[0].total) == total
