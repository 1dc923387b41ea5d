"""Payments at the bank's own page, and payments that can be refunded the same way."""

from __future__ import annotations

import datetime

from accounts.models import User
from loans.engine.lifecycle import TransferState
from loans.models import BankTransfer, Loan
from loans.models.transfer import CASHIER_CHANNELS, TransferPurpose
from zhixin.shared.money import Money, total


def open_cashiers(loan: Loan, *, except_key: str = "") -> list[BankTransfer]:
    """Return the payments at the cashier that stand in the way of another, oldest first.

    The one that was ordered under `except_key` is the same form sent again and left out.
    """
    waiting = BankTransfer.objects.unsettled().filter(
        loan=loan, channel__in=CASHIER_CHANNELS, withdrawn_at=None
    )
    if except_key:
        waiting = waiting.exclude(command__key=except_key)
    return list(waiting.order_by("pk"))


def closed_cashier(borrower: User, *, since: datetime.datetime) -> BankTransfer | None:
    """Return the borrower's payment at the cashier that ended unpaid last, since then, or None."""
    closed = BankTransfer.objects.filter(
        loan__borrower=borrower,
        channel__in=CASHIER_CHANNELS,
        state=TransferState.FAILED,
        settled_at__gte=since,
    )
    return closed.order_by("-settled_at", "-pk").first()


def payment_to_refund(loan: Loan, amount: Money) -> BankTransfer | None:
    """Return the newest payment at the cashier of which `amount` can still go back, or None.

    One whose refund the bank has refused once is left out: the money goes to the card then.
    """
    payments = BankTransfer.objects.filter(
        loan=loan,
        channel__in=CASHIER_CHANNELS,
        purpose=TransferPurpose.REPAYMENT,
        state=TransferState.SUCCEEDED,
        amount__gte=amount,
    ).exclude(refunds__state=TransferState.FAILED)
    return next(
        (payment for payment in payments.order_by("-pk") if amount <= refundable(payment)), None
    )


def refundable(payment: BankTransfer) -> Money:
    """Return what of a payment has not gone back and is not on its way back."""
    refunds = payment.refunds.exclude(state=TransferState.FAILED)
    left: Money = payment.amount - total(refunds.values_list("amount", flat=True))
    return left
