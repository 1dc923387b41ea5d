"""Whole periods are counted back from the later date, then the days before them."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest

from loans.engine.annualized_cost import years_between
from zhixin.shared.calendar import PeriodUnit


@pytest.mark.parametrize(
    ("start", "end", "months", "days"),
    [
        ("2023-02-18", "2023-04-08", 1, Fraction(18, 365)),
        ("2024-02-18", "2024-04-08", 1, Fraction(19, 366)),
        ("2023-01-01", "2023-01-20", 0, Fraction(19, 365)),
        ("2024-02-10", "2024-02-28", 0, Fraction(18, 365)),
        ("2024-02-10", "2024-02-29", 0, Fraction(19, 366)),
        ("2024-06-10", "2025-03-28", 9, Fraction(18, 366)),
        ("2025-01-15", "2025-04-15", 3, Fraction(0)),
        ("2025-01-31", "2025-02-28", 1, Fraction(0)),
        ("2025-02-28", "2025-03-31", 1, Fraction(0)),
        ("2025-01-31", "2025-03-30", 1, Fraction(28, 366)),
        ("2025-01-30", "2025-03-31", 2, Fraction(1, 366)),
        ("2024-02-29", "2026-02-28", 24, Fraction(0)),
    ],
)
def test_months(start: str, end: str, months: int, days: Fraction) -> None:
    found = years_between(
        dt.date.fromisoformat(start), dt.date.fromisoformat(end), unit=PeriodUnit.MONTH
    )
    assert found == Fraction(months, 12) + days


@pytest.mark.parametrize(
    ("start", "end", "unit", "years"),
    [
        ("2024-02-18", "2024-03-08", PeriodUnit.WEEK, Fraction(2, 52) + Fraction(5, 365)),
        ("2024-02-18", "2024-03-17", PeriodUnit.WEEK, Fraction(4, 52)),
        ("2024-02-28", "2024-03-15", PeriodUnit.WEEK, Fraction(2, 52) + Fraction(2, 366)),
        ("2024-02-18", "2024-04-08", PeriodUnit.DAY, Fraction(50, 365)),
    ],
)
def test_weeks_and_days(start: str, end: str, unit: PeriodUnit, years: Fraction) -> None:
    first, last = dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    assert years_between(first, last, unit=unit) == years


def test_months_back_are_counted_on_the_due_day() -> None:
    found = years_between(
        dt.date(2024, 1, 15), dt.date(2024, 2, 29), unit=PeriodUnit.MONTH, due_day=31
    )
    assert found == Fraction(1, 12) + Fraction(16, 365)
