"""The only reader of the clock. Interfaces import it and pass what they read down."""

from __future__ import annotations

import datetime

from django.utils import timezone


def now() -> datetime.datetime:
    """Return the present instant, aware, in UTC."""
    return timezone.now()  # noqa: TID251 - this is the one place that may.


def local_today() -> datetime.date:
    """Return today's calendar date where the lender is."""
    return timezone.localdate()  # noqa: TID251 - this is the one place that may.
