from __future__ import annotations

import datetime as dt

import pytest

from zhixin.shared.calendar import (
    PeriodUnit,
    add_months,
    add_periods,
    due_dates,
    whole_months_between,
)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        ("2025-01-31", 1, "2025-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2025-01-31", 2, "2025-03-31"),
        ("2025-01-31", 3, "2025-04-30"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2024-11-30", 3, "2025-02-28"),
        ("2024-03-15", -3, "2023-12-15"),
    ],
)
def test_months_are_added_from_the_anchor(anchor: str, months: int, expected: str) -> None:
    assert add_months(day(anchor), months) == day(expected)


def test_weeks_and_days_are_plain() -> None:
    start = day("2024-02-26")
    assert add_periods(start, 2, every=2, unit=PeriodUnit.WEEK) == day("2024-03-25")
    assert add_periods(start, 3, every=15, unit=PeriodUnit.DAY) == day("2024-04-11")


def test_a_stated_first_due_date_is_the_anchor() -> None:
    found = due_dates(
        start=day("2024-01-31"),
        first_due_date=day("2024-02-15"),
        count=3,
        every=1,
        unit=PeriodUnit.MONTH,
    )
    assert found == (day("2024-02-15"), day("2024-03-15"), day("2024-04-15"))


def test_stating_the_natural_first_due_date_changes_nothing() -> None:
    common = {"start": day("2024-01-31"), "count": 3, "every": 1, "unit": PeriodUnit.MONTH}
    natural = (day("2024-02-29"), day("2024-03-31"), day("2024-04-30"))
    assert due_dates(first_due_date=None, **common) == natural
    assert due_dates(first_due_date=day("2024-02-29"), **common) == natural


def test_whole_months_end_on_the_anchored_day() -> None:
    assert whole_months_between(day("2025-01-31"), day("2025-02-28")) == 1
    assert whole_months_between(day("2025-01-31"), day("2025-03-31")) == 2
    assert whole_months_between(day("2025-01-31"), day("2025-03-30")) is None
    assert whole_months_between(day("2025-02-01"), day("2025-01-01")) is None
