"""Compare the bank's daily bills with our books: every day that was missed, or one day again."""

from __future__ import annotations

import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loans.adapters.bank import BankClient
from loans.adapters.bank_words import BillNotReadyError, UnableToFetchBillError
from loans.adapters.bills import compare_missing_days, compare_with_bank
from loans.engine.bank_bill import UnreadableBillError
from loans.models import BankBill
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM
from zhixin.shared.arguments import date_argument
from zhixin.shared.signing import BANK_TIME_ZONE


class Command(BaseCommand):
    """`manage.py reconcile_bank [--date D]`; safe to run at any time and again."""

    help = "Compares the bank's daily bills with our transfers and journal."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one day; without it, all days that are missing up to yesterday."""
        parser.add_argument("--date", type=date_argument, metavar="YYYY-MM-DD")

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Compare and print a line for each day."""
        client = BankClient.from_settings()
        day: datetime.date | None = options["date"]
        if day is None:
            self._compare_missing(client)
            return
        try:
            self._say(day, compare_with_bank(client, day, actor=SYSTEM, at=clock.now()))
        except (BillNotReadyError, UnableToFetchBillError, UnreadableBillError) as error:
            raise CommandError(_in_words(day, error)) from error

    def _compare_missing(self, client: BankClient) -> None:
        yesterday = clock.now().astimezone(BANK_TIME_ZONE).date() - datetime.timedelta(days=1)
        failed: list[str] = []

        def report(day: datetime.date, outcome: BankBill | Exception) -> None:
            if isinstance(outcome, BankBill):
                self._say(day, outcome)
            else:
                failed.append(_in_words(day, outcome))

        compared = compare_missing_days(
            client, through=yesterday, actor=SYSTEM, clock=clock.now, report=report
        )
        if failed:
            raise CommandError("\n".join(failed))
        if not compared:
            self.stdout.write("No day is missing.")

    def _say(self, day: datetime.date, bill: BankBill) -> None:
        count = bill.differences.count()
        self.stdout.write(
            f"{day}: {bill.matched_count} of {bill.line_count} lines agree; in {bill.bank_in} / "
            f"{bill.our_in}, out {bill.bank_out} / {bill.our_out} (bank / ours); "
            f"{count} new {'difference' if count == 1 else 'differences'}."
        )


def _in_words(day: datetime.date, error: Exception) -> str:
    if isinstance(error, BillNotReadyError):
        return f"{day}: the bank's bill is not ready. Try again later."
    if isinstance(error, UnreadableBillError):
        return f"{day}: the bill is refused. {error}"
    return f"{day}: the bill did not come. {error}"
