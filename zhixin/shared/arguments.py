"""What people type after a command, read so that a mistake is answered in plain words."""

from __future__ import annotations

import argparse
import datetime


def date_argument(text: str) -> datetime.date:
    """Return the calendar date that was typed; for the `type` of an argument of a command.

    Raises argparse.ArgumentTypeError, which the command shows, when it is not written YYYY-MM-DD.
    """
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date only.
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date. Write it as year-month-day, like 2026-01-31."
        ) from None
