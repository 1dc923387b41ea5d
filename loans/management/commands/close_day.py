"""Close the business day by hand."""

from __future__ import annotations

import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from loans.selectors.business_day import business_date
from loans.services.business_day import NightAlreadyRunningError, StepProgress, close_days
from zhixin.shared import clock
from zhixin.shared.actor import NIGHT
from zhixin.shared.arguments import date_argument


class Command(BaseCommand):
    """Advances the business date by one day, or day by day through a date."""

    help = (
        "Close the business day: bill what falls due, count late days and penalty, open and cure "
        "cases, queue reminders, advance the date. Safe to stop and to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how far to go."""
        group = parser.add_mutually_exclusive_group()
        group.add_argument(
            "--through",
            type=date_argument,
            metavar="YYYY-MM-DD",
            help="close day by day until this is the business date",
        )
        group.add_argument("--days", type=int, metavar="N", help="close N days (default: 1)")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Close the days, with a bar for each step."""
        today = business_date()
        days = 1 if options["days"] is None else options["days"]
        if days < 1:
            raise CommandError("--days takes a number from 1 on.")
        through = options["through"] or today + datetime.timedelta(days=days)
        if through <= today:
            self.stdout.write(f"Nothing to close: the business date is {today}.")
            return
        bar = tqdm(unit="loan", leave=False, disable=None)
        try:
            begun = close_days(
                through=through,
                actor=NIGHT,
                clock=clock.now,
                progress=lambda step: self._show(bar, step),
            )
        except NightAlreadyRunningError as error:
            raise CommandError(str(error)) from error
        finally:
            bar.close()
        self.stdout.write(f"Closed {len(begun)} day(s). The business date is {business_date()}.")

    def _show(self, bar: tqdm[Any], step: StepProgress) -> None:
        bar.set_description(f"{step.business_date} {step.step.rpartition('.')[2]}")
        bar.total = step.total
        bar.n = step.done
        bar.refresh()
