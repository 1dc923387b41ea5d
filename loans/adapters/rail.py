"""Orders and questions to the bank, and what its answers come to: for tasks and for pages.

Nothing is guessed: what is not definite changes nothing and is asked again.
"""

from __future__ import annotations

import datetime
import logging

from django.conf import settings
from django.urls import reverse

from loans.adapters.bank import BankClient
from loans.adapters.bank_words import (
    BankAnswer,
    BankNoticeData,
    BankState,
    CashierOrder,
    DebitOrder,
    PayoutOrder,
    RefundOrder,
)
from loans.models import BankTransfer, Loan
from loans.models.transfer import (
    CASHIER_CHANNELS,
    SETTLED_STATES,
    NoticeVerdict,
    TransferChannel,
    TransferDirection,
)
from loans.selectors.cashier import open_cashiers
from loans.services import cashier, transfers
from loans.services.transfers import BankWord, Outcome, TransferOrder

logger = logging.getLogger(__name__)

_FINAL = frozenset({BankState.SUCCEEDED, BankState.FAILED, BankState.RETURNED})


def cashier_address(client: BankClient, transfer: BankTransfer, *, title: str) -> str:
    """Return the address at which the payer pays `transfer`."""
    if transfer.expires_at is None:
        raise ValueError("This transfer is not paid at the cashier.")
    return client.cashier_address(
        CashierOrder(
            client_reference=str(transfer.public_id),
            amount=transfer.amount,
            title=title,
            expires_at=transfer.expires_at,
            on_a_phone=transfer.channel == TransferChannel.ALIPAY_WAP,
            return_url=settings.SITE_URL + reverse("loans:cashier_return"),
            notify_url=settings.SITE_URL + reverse("loans:bank_notices"),
        )
    )


def send(client: BankClient, order: TransferOrder) -> BankAnswer:
    """Send an order to the bank; sending it again is safe, the bank knows its reference."""
    if order.payment_reference:
        return _send_refund(client, order)
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


def _send_refund(client: BankClient, order: TransferOrder) -> BankAnswer:
    """Order a refund and ask at once what became of it: the answer to the order does not say."""
    answer = client.send_refund(
        RefundOrder(
            client_reference=order.reference,
            payment_reference=order.payment_reference,
            amount=order.amount,
            title=order.purpose,
        )
    )
    if answer.state != BankState.ACCEPTED:
        return answer
    return client.query_refund(order.reference, payment_reference=order.payment_reference)


def ask(client: BankClient, transfer: BankTransfer) -> BankAnswer:
    """Ask the bank what has become of `transfer`."""
    if transfer.refund_of is not None:
        return client.query_refund(
            str(transfer.public_id), payment_reference=str(transfer.refund_of.public_id)
        )
    return client.query(str(transfer.public_id), transfer.direction)


def take_answer(
    transfer_id: int, reference: str, answer: BankAnswer, *, at: datetime.datetime
) -> NoticeVerdict | None:
    """Apply an answer of the bank; return the verdict when it was final, None otherwise."""
    # The published answer to a payout states no amount; its call-back or a query does.
    unstated = answer.state == BankState.SUCCEEDED and answer.amount is None
    if answer.state in _FINAL and not unstated:
        return transfers.settle_transfer(reference=reference, word=word_of(answer), at=at)
    if unstated or answer.state == BankState.ACCEPTED:
        transfers.note_accepted(
            transfer_id=transfer_id, bank_reference=answer.bank_reference, at=at
        )
    else:
        # Unknown stays as it is; the chase asks again.
        logger.warning("The bank's answer for transfer %s is not known yet.", transfer_id)
    return None


def word_of(answer: BankAnswer) -> BankWord:
    """Return a final answer as the word to settle by."""
    return BankWord(
        outcome=Outcome(answer.state.value),
        amount=answer.amount,
        bank_reference=answer.bank_reference,
        failure_code=answer.reason_code,
        value_date=answer.value_date,
        body=body_of(answer),
    )


def body_of(answer: BankAnswer) -> dict[str, str]:
    """Return an answer as it is kept and shown to people."""
    return {
        "source": "answer",
        "state": answer.state.value,
        "amount": str(answer.amount),
        "bank_reference": answer.bank_reference,
        "value_date": str(answer.value_date or ""),
        "reason_code": answer.reason_code,
        "reason": answer.reason,
    }


def word_of_notice(data: BankNoticeData) -> BankWord:
    """Return a final notice as the word to settle by."""
    return BankWord(
        outcome=Outcome(data.outcome.value),
        amount=data.amount,
        bank_reference=data.bank_reference,
        failure_code=data.reason_code,
        value_date=data.value_date,
        body={"source": "notice", **data.raw},
    )


def chase(client: BankClient, transfer: BankTransfer, *, at: datetime.datetime) -> bool:
    """Ask about an open transfer and apply the answer; return whether it is to be sent (again)."""
    if transfer.channel in CASHIER_CHANNELS:
        chase_cashier(client, transfer, at=at)
        return False
    if transfer.attempts == 0:
        return True
    answer = ask(client, transfer)
    if answer.state == BankState.NOT_FOUND:
        return True
    take_answer(transfer.pk, str(transfer.public_id), answer, at=at)
    return False


def chase_cashier(client: BankClient, transfer: BankTransfer, *, at: datetime.datetime) -> None:
    """Ask about a payment at the cashier; end it when its time to be paid has run out."""
    answer = ask(client, transfer)
    if answer.state == BankState.NOT_FOUND:
        if cashier.has_run_out(transfer, at=at):
            cashier.fail_never_opened(transfer=transfer, at=at)
    elif answer.state == BankState.ACCEPTED and cashier.has_run_out(transfer, at=at):
        _close(client, transfer, at=at)
    elif answer.state == BankState.UNKNOWN:
        logger.warning("The bank's answer for transfer %s is not known yet.", transfer.pk)
    else:
        take_answer(transfer.pk, str(transfer.public_id), answer, at=at)


def release_cashiers(
    client: BankClient, loan: Loan, *, at: datetime.datetime, except_key: str = ""
) -> bool:
    """End the payments that wait at the cashier, so that the borrower can pay otherwise.

    Each is asked about first: a paid one is booked, an unpaid one closed at the bank, one that the
    bank has never seen withdrawn. Returns False when the bank's answers leave one of them unknown;
    that one stays on its way.
    """
    ended = [
        _end(client, transfer, at=at) for transfer in open_cashiers(loan, except_key=except_key)
    ]
    return all(ended)


def _end(client: BankClient, transfer: BankTransfer, *, at: datetime.datetime) -> bool:
    answer = ask(client, transfer)
    if answer.state == BankState.NOT_FOUND:
        cashier.withdraw_from_cashier(transfer_id=transfer.pk, at=at)
        return True
    if answer.state == BankState.ACCEPTED:
        return _close(client, transfer, at=at)
    take_answer(transfer.pk, str(transfer.public_id), answer, at=at)
    return _is_settled(transfer)


def _close(client: BankClient, transfer: BankTransfer, *, at: datetime.datetime) -> bool:
    """Close an unpaid payment at the bank and settle by what it says; return whether it is over."""
    reference = str(transfer.public_id)
    answer = client.close_trade(reference)
    if answer.state != BankState.FAILED:
        # Paid or closed in between, or no answer: the question says.
        answer = ask(client, transfer)
    take_answer(transfer.pk, reference, answer, at=at)
    return _is_settled(transfer)


def _is_settled(transfer: BankTransfer) -> bool:
    transfer.refresh_from_db(fields=["state"])
    return transfer.state in SETTLED_STATES
