"""Compare the bank's daily bills with our books: every day that was missed, or one day again."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from loans.adapters.bank import BankClient
from loans.adapters.bank_words import BillNotReadyError, UnableToFetchBillError
from loans.adapters.bills import compare_missing_days, compare_with_bank
from loans.engine.bank_bill import UnreadableBillError
from loans.models import BankBill
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM
from zhixin.shared.arguments import date_argument
from zhixin.shared.signing import BANK_TIME_ZONE, InvalidKeyError

_ONE_DAY = datetime.timedelta(days=1)


class Command(BaseCommand):
    """`manage.py reconcile_bank [--date D]`; safe to run at any time and again."""

    help = "Compares the bank's daily bills with our transfers and journal."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one day; without it, all days that are missing up to yesterday."""
        parser.add_argument("--date", type=date_argument, metavar="YYYY-MM-DD")

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Compare and print a line for each day."""
        day: datetime.date | None = options["date"]
        today = clock.now().astimezone(BANK_TIME_ZONE).date()
        if day is not None and day >= today:
            # What moves after a bill was made would never be compared.
            raise CommandError(
                f"{day}: this day of the bank (UTC+8) is not over. Compare it from "
                f"{day + _ONE_DAY} on; nothing was compared."
            )
        client = _client()
        if day is None:
            self._compare_missing(client, through=today - _ONE_DAY)
            return
        try:
            self._say(day, compare_with_bank(client, day, actor=SYSTEM, at=clock.now()))
        except (BillNotReadyError, UnableToFetchBillError, UnreadableBillError) as error:
            raise CommandError(_in_words(day, error)) from error

    def _compare_missing(self, client: BankClient, *, through: datetime.date) -> None:
        failed: list[str] = []
        unreached: list[datetime.date] = []

        def report(day: datetime.date, outcome: BankBill | Exception) -> None:
            if isinstance(outcome, BankBill):
                self._say(day, outcome)
            elif _is_unreached(outcome):
                unreached.append(day)
            else:
                failed.append(_in_words(day, outcome))

        compared = compare_missing_days(
            client, through=through, actor=SYSTEM, clock=clock.now, report=report
        )
        if unreached:
            days = unreached[0] if len(unreached) == 1 else f"{unreached[0]} to {unreached[-1]}"
            failed.append(f"{days}: {_nobody_answers()}")
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


def _client() -> BankClient:
    try:
        return BankClient.from_settings()
    except InvalidKeyError as error:
        words = f"The keys for the bank are missing or cannot be read ({error})"
        raise CommandError(f"{words}: {_what_to_do()}") from error


def _is_unreached(error: Exception) -> bool:
    """Tell whether nobody took the call: the bank is not there, or its address is wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.ConnectError):
            return True
        cause = cause.__cause__
    return False


def _nobody_answers() -> str:
    address = urlsplit(settings.BANK_GATEWAY_URL)
    return f"no bank answers at {address.scheme}://{address.netloc}: {_what_to_do()}"


def _what_to_do() -> str:
    if settings.DEVELOPER_PAGES:
        return "start `make run` in another terminal and do this again while it runs."
    return "look at the BANK_… and LENDER_… variables and at the way to the bank."


def _in_words(day: datetime.date, error: Exception) -> str:
    if _is_unreached(error):
        return f"{day}: {_nobody_answers()}"
    if isinstance(error, BillNotReadyError):
        return f"{day}: the bank's bill is not ready. Try again later."
    if isinstance(error, UnreadableBillError):
        return f"{day}: the bill is refused. {error}"
    return f"{day}: the bill did not come. {error}"
