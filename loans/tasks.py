"""Celery's entries to lending. Each translates, makes one call of a kind, and ends."""

from __future__ import annotations

import datetime
import logging
from typing import Any

from celery import shared_task

from loans.adapters.bank import (
    BankAnswer,
    BankClient,
    BankState,
    DebitOrder,
    PayoutOrder,
    UnableToReuseReferenceError,
)
from loans.models import BankTransfer
from loans.models.transfer import TransferDirection
from loans.selectors.business_day import business_date
from loans.services import business_day, notices, refunds, transfers
from loans.services.transfers import BankWord, Outcome, TransferOrder
from zhixin.shared import clock
from zhixin.shared.actor import NIGHT

logger = logging.getLogger(__name__)

# How long the bank's call-back may take before we ask.
CALL_BACK_PATIENCE = datetime.timedelta(seconds=20)


@shared_task(name="loans.send_transfer")
def send_transfer(*, transfer_id: int, **_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Send an order to the bank; sending it again is safe, the bank knows its reference."""
    order = transfers.begin_sending(transfer_id=transfer_id)
    if order is None:
        return
    answer = _send(BankClient.from_settings(), order)
    _take_answer(transfer_id, order.reference, answer)


def _send(client: BankClient, order: TransferOrder) -> BankAnswer:
    if order.direction == TransferDirection.PAYOUT:
        return client.send_payout(
            PayoutOrder(
                client_reference=order.reference,
                amount=order.amount,
                card_number=order.card_number,
                account_name=order.account_name,
                title=order.purpose,
            )
        )
    return client.send_debit(
        DebitOrder(
            client_reference=order.reference,
            amount=order.amount,
            card_number=order.card_number,
            account_name=order.account_name,
            title=order.purpose,
        )
    )


def _take_answer(transfer_id: int, reference: str, answer: BankAnswer) -> None:
    # The published answer to a payout states no amount; its call-back or a query does.
    unstated = answer.state == BankState.SUCCEEDED and answer.amount is None
    if answer.state in (BankState.SUCCEEDED, BankState.FAILED) and not unstated:
        transfers.settle_transfer(reference=reference, word=_word(answer), at=clock.now())
    elif unstated or answer.state == BankState.ACCEPTED:
        transfers.note_accepted(
            transfer_id=transfer_id, bank_reference=answer.bank_reference, at=clock.now()
        )
    else:
        # Unknown stays as it is; the chase asks again.
        logger.warning("The bank's answer for transfer %s is not known yet.", transfer_id)


def _word(answer: BankAnswer) -> BankWord:
    return BankWord(
        outcome=Outcome(answer.state.value),
        amount=answer.amount,
        bank_reference=answer.bank_reference,
        failure_code=answer.reason_code,
        body={
            "source": "answer",
            "state": answer.state.value,
            "amount": str(answer.amount),
            "reason_code": answer.reason_code,
            "reason": answer.reason,
        },
    )


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


def _chase(transfer: BankTransfer) -> None:
    if transfer.attempts == 0:
        send_transfer.delay(transfer_id=transfer.pk)
        return
    answer = BankClient.from_settings().query(str(transfer.public_id), transfer.direction)
    if answer.state == BankState.NOT_FOUND:
        send_transfer.delay(transfer_id=transfer.pk)
        return
    _take_answer(transfer.pk, str(transfer.public_id), answer)


@shared_task(name="loans.tell_borrower_of_transfer")
def tell_borrower_of_transfer(*, transfer_id: int, **_later: Any) -> None:  # noqa: ANN401
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
