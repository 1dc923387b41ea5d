"""Which day it is for the lender."""

from __future__ import annotations

import datetime

from django.db import connection


class NoBusinessDateError(RuntimeError):
    """The row of the business date is missing: the migrations have not run."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("There is no business date; run manage.py migrate.")


def business_date() -> datetime.date:
    """Return the business date; money of customers is dated by it, never by the clock."""
    # Asked for with every movement of money: as plain SQL it costs a third.
    with connection.cursor() as cursor:
        cursor.execute('SELECT "current_date" FROM loans_businessday')
        row = cursor.fetchone()
    if row is None:
        raise NoBusinessDateError
    date: datetime.date = row[0]
    return date
