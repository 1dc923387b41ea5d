"""Which day it is for the lender."""

from __future__ import annotations

import datetime

from loans.models import BusinessDay


class NoBusinessDateError(RuntimeError):
    """The row of the business date is missing: the migrations have not run."""


def business_date() -> datetime.date:
    """Return the business date; money of customers is dated by it, never by the clock."""
    date = BusinessDay.objects.values_list("current_date", flat=True).first()
    if date is None:
        raise NoBusinessDateError("There is no business date; run manage.py migrate.")
    return date
