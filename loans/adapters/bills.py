"""Fetch the bank's bills of a day, open them, and have them compared with our books."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable
from decimal import Decimal

from django.conf import settings

from loans.adapters import payouts
from loans.adapters.bank import BankClient
from loans.adapters.bank_words import BillNotReadyError, UnableToFetchBillError
from loans.engine.bank_bill import (
    BillLineKind,
    UnreadableBillError,
    read_account_bill,
    read_trade_bill,
)
from loans.models import BankBill
from loans.selectors.bank_days import days_to_compare
from loans.services.bank_reconciliation import DayOfBills, compare_day
from zhixin.shared.actor import Actor

_MOST_FILES = 20
_MOST_BYTES = 256 * 1024 * 1024


def compare_with_bank(
    client: BankClient, day: datetime.date, *, actor: Actor, at: datetime.datetime
) -> BankBill:
    """Fetch, read and compare one day of the bank (UTC+8).

    A payout that came back by the bill is asked about first, and undone when the bank says so too.

    Raises BillNotReadyError, UnableToFetchBillError and UnreadableBillError; nothing is written
    then and the day is tried again.
    """
    files = client.fetch_bills(day)
    trades = read_trade_bill(texts_of(files.trade), day=day)
    movements = read_account_bill(texts_of(files.account), day=day)
    returned = [line.reference for line in movements if line.kind is BillLineKind.RETURN]
    payouts.ask_about_references(client, returned, clock=lambda: at)
    bills = DayOfBills(
        day=day,
        trade_file=files.trade,
        account_file=files.account,
        lines=(*trades, *movements),
    )
    return compare_day(bills=bills, fee_rate=Decimal(settings.BANK_FEE_RATE), actor=actor, at=at)


def compare_missing_days(
    client: BankClient,
    *,
    through: datetime.date,
    actor: Actor,
    clock: Callable[[], datetime.datetime],
    report: Callable[[datetime.date, BankBill | Exception], None],
) -> int:
    """Compare every day that was missed, oldest first; return how many were compared.

    A day that is not ready or cannot be read is reported and left for the next time; the days
    after it are compared all the same.
    """
    compared = 0
    for day in days_to_compare(through=through):
        try:
            bill = compare_with_bank(client, day, actor=actor, at=clock())
        except (BillNotReadyError, UnableToFetchBillError, UnreadableBillError) as error:
            report(day, error)
            continue
        compared += 1
        report(day, bill)
    return compared


def texts_of(archive: bytes) -> list[str]:
    """Return the texts of a bill's files, which are written in GBK.

    Raises UnreadableBillError for anything that is not a small zip file of GBK texts.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = opened.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > _MOST_FILES or size > _MOST_BYTES:
                raise UnreadableBillError("The bill is too large to be one.")
            return [opened.read(member).decode("gbk") for member in members]
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, OSError) as error:
        raise UnreadableBillError("The bill is not a zip file of GBK texts.") from error
