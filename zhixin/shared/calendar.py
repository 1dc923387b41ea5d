"""Calendar arithmetic for due dates. Dates are lender-local calendar dates."""

from __future__ import annotations

import calendar
import datetime as dt
from enum import StrEnum

_MONTHS_A_YEAR = 12
_DAYS_A_WEEK = 7
_SHORTEST_MONTH = 28


class PeriodUnit(StrEnum):
    """What a repayment period is counted in."""

    MONTH = "MONTH"
    WEEK = "WEEK"
    DAY = "DAY"


def add_months(anchor: dt.date, months: int, *, day: int | None = None) -> dt.date:
    """Return the date `months` months after `anchor`, on its day or the month's last day.

    Always count from the anchor and never from the previous result, so that a loan of 31 January
    falls due on 28 February and then on 31 March. `day` stands in for the anchor's own day.

    >>> add_months(dt.date(2025, 1, 31), 1), add_months(dt.date(2025, 1, 31), 2)
    (datetime.date(2025, 2, 28), datetime.date(2025, 3, 31))
    """
    index = anchor.year * _MONTHS_A_YEAR + anchor.month - 1 + months
    year, month = index // _MONTHS_A_YEAR, index % _MONTHS_A_YEAR + 1
    day = day or anchor.day
    if day > _SHORTEST_MONTH:
        day = min(day, calendar.monthrange(year, month)[1])
    return dt.date(year, month, day)


def falls_on(date: dt.date, day: int) -> bool:
    """Return whether `date` is that day of its month, or the last day of a shorter month."""
    return add_months(date, 0, day=day) == date


def add_periods(anchor: dt.date, count: int, *, every: int, unit: PeriodUnit) -> dt.date:
    """Return the date `count` periods of `every` units after `anchor` (month ends anchored)."""
    if unit is PeriodUnit.MONTH:
        return add_months(anchor, count * every)
    days = every * (_DAYS_A_WEEK if unit is PeriodUnit.WEEK else 1)
    return anchor + dt.timedelta(days=count * days)


def due_dates(
    *,
    start: dt.date,
    first_due_date: dt.date | None,
    count: int,
    every: int,
    unit: PeriodUnit,
    due_day: int | None = None,
) -> tuple[dt.date, ...]:
    """Return `count` due dates.

    Without `first_due_date` the anchor is `start` and the first date is one period after it. With
    it, that date is the anchor, unless it is the date that `start` gives anyway: then the anchor
    stays `start`, so that stating the natural date changes nothing. A `due_day` that the first date
    falls on is the day of all dates of months; one that it does not fall on has no effect.
    """
    natural = add_periods(start, 1, every=every, unit=unit)
    first = first_due_date or natural
    if due_day is not None and unit is PeriodUnit.MONTH and falls_on(first, due_day):
        return tuple([add_months(first, number * every, day=due_day) for number in range(count)])
    if first_due_date is None or first_due_date == natural:
        return (natural, *_grid(start, range(2, count + 1), every=every, unit=unit))
    return _grid(first_due_date, range(count), every=every, unit=unit)


def _grid(anchor: dt.date, numbers: range, *, every: int, unit: PeriodUnit) -> tuple[dt.date, ...]:
    """Return the dates that are so many periods after `anchor`, as `add_periods` gives them."""
    if unit is PeriodUnit.MONTH and anchor.day <= _SHORTEST_MONTH:
        first = anchor.year * _MONTHS_A_YEAR + anchor.month - 1
        months = [first + number * every for number in numbers]
        return tuple(
            [
                dt.date(month // _MONTHS_A_YEAR, month % _MONTHS_A_YEAR + 1, anchor.day)
                for month in months
            ]
        )
    return tuple([add_periods(anchor, number, every=every, unit=unit) for number in numbers])


def whole_months_between(start: dt.date, end: dt.date) -> int | None:
    """Return the months from `start` to `end` when they are whole (month ends anchored), else None.

    >>> whole_months_between(dt.date(2025, 1, 31), dt.date(2025, 2, 28))
    1
    >>> whole_months_between(dt.date(2025, 1, 31), dt.date(2025, 2, 27)) is None
    True
    """
    months = (end.year - start.year) * _MONTHS_A_YEAR + end.month - start.month
    return months if months >= 0 and add_months(start, months) == end else None
