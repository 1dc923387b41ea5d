"""Grace, multiples, broken first periods, units and fees, with figures computed by fractions apart.

A thousand at 12 %, half to even; see docs/formulas/schedule.md for the rules.
"""

from __future__ import annotations

from typing import Any

import pytest

from loans.engine.schedule import build_schedule
from tests.unit.loans.engine.loan_building import PENALTY, amounts, loan, money, state

THOUSAND = {"principal": "1000.00"}


def rows(**terms: Any) -> list[tuple[str, str]]:
    """Return principal and interest of each row."""
    schedule = build_schedule(loan(**{**THOUSAND, **terms}))
    return [(str(row.principal), str(row.interest)) for row in schedule.rows]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("EQUAL_INSTALLMENT", ["0.00 10.00", "330.02 10.00", "333.32 6.70", "336.66 3.37"]),
        ("EQUAL_PRINCIPAL", ["0.00 10.00", "333.33 10.00", "333.33 6.67", "333.34 3.33"]),
        ("FLAT", ["0.00 10.00", "333.33 10.00", "333.33 10.00", "333.34 10.00"]),
        ("INTEREST_ONLY", ["0.00 10.00", "0.00 10.00", "0.00 10.00", "1000.00 10.00"]),
        ("BULLET", ["1000.00 40.00"]),
    ],
)
def test_grace_on_principal_by_method(method: str, expected: list[str]) -> None:
    """One period of four bears interest only; for the last two methods all but the last do."""
    found = rows(method=method, installment_count=4, grace_principal_periods=1)
    assert [" ".join(row) for row in found] == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("EQUAL_INSTALLMENT", ["260.00", "260.00", "260.00", "244.90"]),
        ("FLAT", ["260.00", "260.00", "260.00", "260.00"]),
        # There is no level installment to round.
        ("EQUAL_PRINCIPAL", ["260.00", "257.50", "255.00", "252.50"]),
        ("INTEREST_ONLY", ["10.00", "10.00", "10.00", "1010.00"]),
        ("BULLET", ["1040.00"]),
    ],
)
def test_a_multiple_rounds_the_level_installment_and_nothing_else(
    method: str, expected: list[str]
) -> None:
    """The level installments are 256.28 and 260.00; to the next ten."""
    terms = loan(
        **THOUSAND,
        method=method,
        installment_count=4,
        installment_multiple="10.00",
        installment_rounding="UP",
    )
    assert [str(row.total) for row in build_schedule(terms).rows] == expected


@pytest.mark.parametrize(
    ("day_count", "expected"),
    [
        ("THIRTY_360", ["326.71 15.00", "334.98 6.73", "338.31 3.38"]),
        ("ACTUAL_365", ["326.87 14.79", "334.80 6.86", "338.33 3.34"]),
        ("ACTUAL_360", ["326.78 15.00", "334.82 6.96", "338.40 3.38"]),
        ("ACTUAL_364", ["326.85 14.84", "334.81 6.88", "338.34 3.35"]),
        ("ACTUAL_ACTUAL", ["326.89 14.75", "334.80 6.84", "338.31 3.33"]),
    ],
)
def test_a_broken_first_period_of_45_days(day_count: str, expected: list[str]) -> None:
    """From 20 January to 5 March 2024; from then on the due day is the 5th."""
    terms = {
        "disbursement_date": "2024-01-20",
        "first_due_date": "2024-03-05",
        "installment_count": 3,
        "day_count": day_count,
    }
    assert [" ".join(row) for row in rows(**terms)] == expected
    schedule = build_schedule(loan(**THOUSAND, **terms))
    assert [str(day) for day in schedule.due_dates] == ["2024-03-05", "2024-04-05", "2024-05-05"]
    assert schedule.days == (45, 31, 30)


@pytest.mark.parametrize(
    ("unit", "every", "day_count", "second_due", "interest"),
    [
        ("WEEK", 2, "THIRTY_360", "2024-02-28", "4.67"),
        ("WEEK", 2, "ACTUAL_365", "2024-02-28", "4.60"),
        ("DAY", 10, "THIRTY_360", "2024-02-20", "3.33"),
        ("DAY", 10, "ACTUAL_365", "2024-02-20", "3.29"),
        ("MONTH", 3, "THIRTY_360", "2024-07-31", "30.00"),
        ("MONTH", 3, "ACTUAL_365", "2024-07-31", "29.59"),
    ],
)
def test_every_unit_of_period(
    unit: str, every: int, day_count: str, second_due: str, interest: str
) -> None:
    """From 31 January 2024; a quarter later is 30 April, another one 31 July."""
    schedule = build_schedule(
        loan(
            **THOUSAND,
            period={"every": every, "unit": unit},
            day_count=day_count,
            disbursement_date="2024-01-31",
            installment_count=2,
        )
    )
    assert str(schedule.due_dates[1]) == second_due
    assert str(schedule.rows[0].interest) == interest


def test_fees_are_billed_and_never_held_back() -> None:
    """1 % + 8.88 with the first installment, 0.5 % + 2.00 with each of them."""
    fees = {
        "upfront_rate": "0.01",
        "upfront_amount": "8.88",
        "installment_rate": "0.005",
        "installment_amount": "2.00",
    }
    terms = loan(**THOUSAND, installment_count=3, fees=fees, penalty=PENALTY)
    assert [str(row.fees) for row in build_schedule(terms).rows] == ["25.88", "7.00", "7.00"]
    paid_out = state(terms, [], "2024-01-01")
    assert (paid_out.totals.disbursed, paid_out.payoff_amount) == (
        money("1000"),
        money("1018.88"),
    )
    assert amounts(paid_out, "fees") == ["25.88", "7.00", "7.00"]
    late = state(terms, [], "2024-02-11")
    # 330.02 of principal for ten days at 18 %; the fees and the interest bear nothing.
    assert str(late.penalty_accrued) == "1.65"
