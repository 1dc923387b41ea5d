"""Business days, and the last day on which a payment that falls on a rest day is in time.

The mainland calendar (weekends, statutory holidays, 调休: days off with working weekends in
exchange) comes from the library `holidays`, year by year as the State Council announces it in the
autumn before. A year that is not announced yet has its weekends and statutory holidays, without
exchange. Source: docs/formulas/schedule.md; why this library: docs/adr/0009.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

import holidays

_ONE_DAY: Final = dt.timedelta(days=1)
_ANNOUNCED_BY_MONTH: Final = 12


class BusinessCalendar(StrEnum):
    """Whose rest days count."""

    CN = "CN"  # Mainland China


class DueDateShift(StrEnum):
    """What becomes of a due date that is a rest day.

    A shift to the working day before (PRECEDING), or one that turns back at the end of a month
    (MODIFIED_FOLLOWING), would take days from the borrower, so there is none.
    """

    NONE = "NONE"
    FOLLOWING = "FOLLOWING"


@lru_cache(maxsize=512)
def _year(calendar: BusinessCalendar, year: int) -> holidays.HolidayBase:
    """Return what the library knows of the year; it is made once."""
    del calendar  # There is one so far; it is part of the cache's key.
    return holidays.country_holidays("CN", years=year, expand=False)


def is_business_day(day: dt.date, *, calendar: BusinessCalendar) -> bool:
    """Return whether banks of the calendar work on `day`.

    >>> is_business_day(dt.date(2026, 10, 10), calendar=BusinessCalendar.CN)  # a working Saturday
    True
    >>> is_business_day(dt.date(2026, 10, 7), calendar=BusinessCalendar.CN)
    False
    """
    return _year(calendar, day.year).is_working_day(day)


class FollowingDays(dict[dt.date, dt.date]):
    """For each day itself if it is a business day, else the next one; filled as it is asked."""

    def __init__(self, calendar: BusinessCalendar) -> None:
        """Start empty."""
        super().__init__()
        self._calendar = calendar

    def __missing__(self, day: dt.date) -> dt.date:
        """Find the day and keep the answer."""
        found = day
        while not is_business_day(found, calendar=self._calendar):
            found += _ONE_DAY
        self[day] = found
        return found


@cache
def following_days(calendar: BusinessCalendar) -> FollowingDays:
    """Return the calendar's table from a day to the first business day that is not before it.

    >>> following_days(BusinessCalendar.CN)[dt.date(2026, 10, 1)]
    datetime.date(2026, 10, 8)
    """
    return FollowingDays(calendar)


def is_announced(year: int, *, calendar: BusinessCalendar) -> bool:
    """Return whether the library holds the announcement of `year`: its working weekends."""
    return any(day.year == year for day in _year(calendar, year).weekend_workdays)


def missing_year(on: dt.date, *, calendar: BusinessCalendar) -> int | None:
    """Return the year whose announcement should be there on `on` and is not, or None.

    That is the running year and, from December on, the next one: then it is time to upgrade the
    library.
    """
    due = [on.year] + ([on.year + 1] if on.month >= _ANNOUNCED_BY_MONTH else [])
    return next((year for year in due if not is_announced(year, calendar=calendar)), None)
