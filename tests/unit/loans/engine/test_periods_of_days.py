"""Under 30/360 a week is 7/360 and a day 1/360, also where they happen to make a whole month."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from loans.engine.events import Disbursed, Refunded, Repaid
from loans.engine.schedule import build_schedule
from loans.engine.servicing import replay
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money

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


@pytest.mark.parametrize(
    ("every", "unit", "interest"),
    [(28, "DAY", "280.00"), (4, "WEEK", "280.00"), (1, "MONTH", "300.00")],
)
def test_a_debt_that_a_refund_revives_counts_its_period_like_any_other(
    every: int, unit: str, interest: str
) -> None:
    """36,000.00 owed again from 1 February to 1 March: 28 days, or the month of the terms."""
    start, day, end = dt.date(2026, 1, 4), dt.date(2026, 2, 1), dt.date(2026, 3, 1)
    period = {"every": every, "unit": unit}
    terms = LoanTerms.from_json(
        TERMS
        | {"installment_count": 1, "period": period, "disbursement_date": start.isoformat()}
        | {"first_due_date": day.isoformat()}
    )
    whole = Money.parse("36000.00")
    paid_off = (
        Disbursed(event_id="out", effective_date=start, sequence=0, amount=whole),
        Repaid(event_id="all", effective_date=day, sequence=1, amount=Money.parse("36280.00")),
    )
    assert replay(terms, paid_off, day).outstanding.total == Money.zero()
    refund = Refunded(event_id="back", effective_date=day, sequence=2, amount=whole)
    state = replay(terms, (*paid_off, refund), end)
    assert state.installments[-1].due_date == end
    assert str(state.outstanding.interest) == interest
