"""Day counts: a span of dates as an exact part of a year.

Every part of a year is a whole number of units over the day count's denominator, so that rates
times spans stay exact until they are rounded once. Source: docs/formulas/schedule.md.
"""

from __future__ import annotations

import calendar
import datetime as dt
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from loans.engine.terms import DayCount
from zhixin.shared.business_days import BusinessCalendar, following_days
from zhixin.shared.calendar import PeriodUnit, due_dates, whole_months_between

UNITS_A_YEAR: Final = {
    DayCount.THIRTY_360: 360,
    DayCount.ACTUAL_365: 365,
    DayCount.ACTUAL_360: 360,
    DayCount.ACTUAL_364: 364,
    DayCount.ACTUAL_ACTUAL: 365 * 366,
}
"""Units in a year: days, except for actual/actual, where both year lengths divide it."""

_DAYS_A_MONTH: Final = 30
# A member looked up on its class costs more than the difference of two dates.
_ACTUAL_ACTUAL: Final = DayCount.ACTUAL_ACTUAL


def span_units(day_count: DayCount, start: dt.date, end: dt.date) -> int:
    """Return the units of the days from `start` to `end` (30/360: the days themselves).

    ACTUAL_ACTUAL splits at 1 January: a day is 366 units in a year of 365 days and the reverse.
    """
    if day_count is not _ACTUAL_ACTUAL:
        return (end - start).days
    return _year_units(end) - _year_units(start)


def period_units(day_count: DayCount, start: dt.date, end: dt.date) -> int:
    """Return the units of a whole period, which under 30/360 counts whole months as 30 days."""
    if day_count is DayCount.THIRTY_360:
        months = whole_months_between(start, end)
        if months is not None:
            return months * _DAYS_A_MONTH
    return span_units(day_count, start, end)


def period_factor(*, day_count: DayCount, start: dt.date, end: dt.date) -> Fraction:
    """Return the part of a year of a period from `start` to `end`, exactly.

    THIRTY_360: whole months / 12, any other span days / 360. ACTUAL_n: days / n, leap year or not.
    ACTUAL_ACTUAL: the days of each calendar year over that year's length.

    >>> period_factor(
    ...     day_count=DayCount.ACTUAL_ACTUAL, start=dt.date(2023, 12, 1), end=dt.date(2024, 3, 1)
    ... ) == Fraction(31, 365) + Fraction(60, 366)
    True
    """
    return Fraction(period_units(day_count, start, end), UNITS_A_YEAR[day_count])


Timetable = tuple[tuple[dt.date, ...], tuple[dt.date, ...], tuple[int, ...], tuple[int, ...]]


class Grid(NamedTuple):
    """What a timetable is made from; as a plain tuple it is found again at once."""

    day_count: DayCount
    start: dt.date
    first_due_date: dt.date | None
    installment_count: int
    every: int
    unit: PeriodUnit
    due_day: int | None
    calendar: BusinessCalendar | None


@lru_cache(maxsize=4096)
def timetable(grid: Grid) -> Timetable:
    """Return due dates, last days in time, calendar days and period units of each row.

    Regular months count as such under 30/360 whatever their ends are; only a first period of an
    odd length is counted in days. Weeks and days are counted in days, also those that happen to
    be a month. The last day in time is the due date, or the next business day of the calendar.
    """
    day_count, start, first_due_date, count, every, unit, due_day, rest_days = grid
    dates = due_dates(
        start=start,
        first_due_date=first_due_date,
        count=count,
        every=every,
        unit=unit,
        due_day=due_day,
    )
    payable = (
        dates if rest_days is None else tuple(map(following_days(rest_days).__getitem__, dates))
    )
    starts = (start, *dates[:-1])
    days = tuple([(end - begin).days for begin, end in zip(starts, dates, strict=True)])
    if day_count is DayCount.THIRTY_360 and unit is PeriodUnit.MONTH:
        regular = (every * _DAYS_A_MONTH,) * (count - 1)
        return dates, payable, days, (period_units(day_count, start, dates[0]), *regular)
    if day_count is not _ACTUAL_ACTUAL:
        return dates, payable, days, days
    marks = [_year_units(day) for day in (start, *dates)]
    units = tuple([end - begin for begin, end in pairwise(marks)])
    return dates, payable, days, units


@lru_cache(maxsize=4096)
def exact_ratio(rate: Decimal) -> tuple[int, int]:
    """Return the rate as numerator and denominator."""
    return rate.as_integer_ratio()


@lru_cache(maxsize=65536)
def _year_units(day: dt.date) -> int:
    """Return units from year 0 to `day`; every whole year is 365 × 366."""
    weight = 365 if calendar.isleap(day.year) else 366
    return day.year * 365 * 366 + (day.timetuple().tm_yday - 1) * weight
