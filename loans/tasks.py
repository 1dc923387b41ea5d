"""Celery's entries to lending. Each translates, makes one call of a kind, and ends."""

from __future__ import annotations

import datetime
import logging
from typing import Any

from celery import shared_task
from django.conf import settings

from loans.adapters import bills, payouts, rail
from loans.adapters.bank import BankClient
from loans.adapters.bank_words import UnableToReuseReferenceError
from loans.models import BankTransfer
from loans.selectors.business_day import business_date
from loans.services import business_day, notices, refunds, transfers
from zhixin.shared import clock
from zhixin.shared.actor import NIGHT, SYSTEM
from zhixin.shared.signing import BANK_TIME_ZONE

logger = logging.getLogger(__name__)

# How long the bank's call-back may take before we ask.
CALL_BACK_PATIENCE = datetime.timedelta(seconds=20)


@shared_task(name="loans.send_transfer")
def send_transfer(*, transfer_id: int, **_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Send an order to the bank; sending it again is safe, the bank knows its reference."""
    order = transfers.begin_sending(transfer_id=transfer_id)
    if order is None:
        return
    answer = rail.send(BankClient.from_settings(), order)
    rail.take_answer(transfer_id, order.reference, answer, at=clock.now())


@shared_task(name="loans.chase_open_transfers")
def chase_open_transfers(**_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Ask the bank about transfers that are open for longer than a call-back takes."""
    before = clock.now() - CALL_BACK_PATIENCE
    for transfer in BankTransfer.objects.unsettled().filter(created_at__lt=before):
        try:
            _chase(transfer)
        except UnableToReuseReferenceError:
            # Our fault, never to be retried; the others must not wait for it.
            logger.exception("The bank knows transfer %s with another content.", transfer.pk)


@shared_task(name="loans.ask_about_transfer")
def ask_about_transfer(*, transfer_id: int, **_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Ask the bank about one transfer, because its payer is waiting for the answer."""
    transfer = BankTransfer.objects.unsettled().filter(pk=transfer_id).first()
    if transfer is not None:
        _chase(transfer)


def _chase(transfer: BankTransfer) -> None:
    if rail.chase(BankClient.from_settings(), transfer, at=clock.now()):
        send_transfer.delay(transfer_id=transfer.pk)


@shared_task(name="loans.reconcile_bank")
def reconcile_bank(**_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Compare the days of the bank that are missing; what is not ready waits for the next hour."""

    def report(day: datetime.date, outcome: object) -> None:
        if isinstance(outcome, Exception):
            logger.warning("The bank's bill of %s: %s %s", day, type(outcome).__name__, outcome)

    yesterday = clock.now().astimezone(BANK_TIME_ZONE).date() - datetime.timedelta(days=1)
    bills.compare_missing_days(
        BankClient.from_settings(),
        through=yesterday,
        actor=SYSTEM,
        clock=clock.now,
        report=report,
    )


@shared_task(name="loans.ask_about_payouts")
def ask_about_payouts(**_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Ask the bank whether payouts of the last days have come back; their notices can be lost."""
    returned = payouts.ask_about_payouts(
        BankClient.from_settings(), days=settings.PAYOUT_WATCH_DAYS, clock=clock.now
    )
    if returned:
        logger.warning("%s payouts have come back.", returned)


@shared_task(name="loans.tell_borrower_of_transfer")
def tell_borrower_of_transfer(*, transfer_id: int, **_later: Any) -> None:  # noqa: ANN401 - A later release may send more.
    """Tell the borrower what became of a payout or a repayment."""
    notices.tell_borrower_of_transfer(transfer_id=transfer_id, at=clock.now())


@shared_task(name="loans.refund_closed_loan")
def refund_closed_loan(*, loan_id: int, **_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Order the credit of a loan that was paid too much back to its borrower."""
    refunds.refund_closed_loan(loan_id=loan_id, business_date=business_date(), at=clock.now())


@shared_task(name="loans.close_due_days")
def close_due_days(**_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Close every day that has ended where the lender is; nothing when none has."""
    try:
        business_day.close_days(
            through=clock.local_today(), actor=NIGHT, clock=clock.now, progress=lambda _: None
        )
    except business_day.NightAlreadyRunningError:
        logger.info("The night is run by another process.")
