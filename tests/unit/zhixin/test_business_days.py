"""The announced calendar of 2025 and 2026, day by day around each exchange, and what follows."""

from __future__ import annotations

import datetime as dt

import pytest

from zhixin.shared.business_days import (
    BusinessCalendar,
    following_days,
    is_announced,
    is_business_day,
    missing_year,
)

CN = BusinessCalendar.CN

# 国办发明电〔2024〕12号 and 〔2025〕7号: every working weekend, and every rest day on a weekday.
WORKING_WEEKENDS = """
2025-01-26 2025-02-08 2025-04-27 2025-09-28 2025-10-11
2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10
"""
RESTING_WEEKDAYS = """
2025-01-01 2025-01-28 2025-01-29 2025-01-30 2025-01-31 2025-02-03 2025-02-04 2025-04-04 2025-05-01
2025-05-02 2025-05-05 2025-06-02 2025-10-01 2025-10-02 2025-10-03 2025-10-06 2025-10-07 2025-10-08
2026-01-01 2026-01-02 2026-02-16 2026-02-17 2026-02-18 2026-02-19 2026-02-20 2026-02-23 2026-04-06
2026-05-01 2026-05-04 2026-05-05 2026-06-19 2026-09-25 2026-10-01 2026-10-02 2026-10-05 2026-10-06
2026-10-07
"""


def days_of(year: int) -> list[dt.date]:
    first = dt.date(year, 1, 1)
    return [first + dt.timedelta(days=n) for n in range((dt.date(year + 1, 1, 1) - first).days)]


@pytest.mark.parametrize("year", [2025, 2026])
def test_the_announced_calendar_is_the_librarys(year: int) -> None:
    days = days_of(year)
    working = [str(d) for d in days if d.weekday() >= 5 and is_business_day(d, calendar=CN)]
    resting = [str(d) for d in days if d.weekday() < 5 and not is_business_day(d, calendar=CN)]
    assert working == [day for day in WORKING_WEEKENDS.split() if day.startswith(str(year))]
    assert resting == [day for day in RESTING_WEEKDAYS.split() if day.startswith(str(year))]


@pytest.mark.parametrize(
    ("day", "payable"),
    [
        ("2025-10-01", "2025-10-09"),  # National Day and Mid-Autumn: eight days
        ("2026-10-01", "2026-10-08"),
        ("2026-10-10", "2026-10-10"),  # a Saturday that is worked
        ("2025-09-28", "2025-09-28"),  # a Sunday that is worked
        ("2026-02-15", "2026-02-24"),  # Spring Festival of nine days
        ("2026-11-21", "2026-11-23"),  # a plain Saturday
        ("2026-11-23", "2026-11-23"),
        ("2025-12-31", "2025-12-31"),
        ("2022-12-31", "2023-01-03"),  # over the turn of the year
        ("2027-10-01", "2027-10-06"),  # not announced: statutory days, moved off the weekend
    ],
)
def test_the_first_business_day_that_is_not_before(day: str, payable: str) -> None:
    assert str(following_days(CN)[dt.date.fromisoformat(day)]) == payable


def test_a_year_is_announced_by_its_working_weekends() -> None:
    assert [year for year in range(2001, 2027) if not is_announced(year, calendar=CN)] == []
    assert not is_announced(2099, calendar=CN)


def test_the_operator_is_told_from_december_on() -> None:
    assert missing_year(dt.date(2025, 12, 31), calendar=CN) is None
    assert missing_year(dt.date(2026, 11, 30), calendar=CN) is None
    assert missing_year(dt.date(2098, 11, 30), calendar=CN) == 2098
    assert missing_year(dt.date(2098, 12, 1), calendar=CN) == 2098
