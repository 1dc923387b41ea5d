"""Payments at the bank's own page: turned away from, or ended because nobody paid in time."""

from __future__ import annotations

import datetime

from django.db import transaction

from loans.models import BankTransfer
from loans.models.transfer import CASHIER_CHANNELS, SETTLED_STATES, NoticeVerdict
from loans.services.transfers import BankWord, Outcome, settle_transfer

# Our own reason: the bank never heard of the order before its time ran out.
NEVER_OPENED = "CASHIER_NEVER_OPENED"
# How long after its end an order can still be on its way to the bank's books.
EXPIRY_MARGIN = datetime.timedelta(minutes=2)


@transaction.atomic
def withdraw_from_cashier(*, transfer_id: int, at: datetime.datetime) -> BankTransfer:
    """Note that the payer turned to another payment; the bank has not heard of this one.

    The transfer stays open, because its address could still be opened: it is asked about until
    its time has run out. It no longer counts as on its way.
    """
    transfer = BankTransfer.objects.for_update().get(pk=transfer_id)
    is_open = transfer.channel in CASHIER_CHANNELS and transfer.state not in SETTLED_STATES
    if is_open and transfer.withdrawn_at is None:
        transfer.withdrawn_at = at
        transfer.save(update_fields=["withdrawn_at"])
    return transfer


def has_run_out(transfer: BankTransfer, *, at: datetime.datetime) -> bool:
    """Return whether the bank refuses the order by now, because its time to be paid is over."""
    return transfer.expires_at is not None and transfer.expires_at + EXPIRY_MARGIN <= at


def fail_never_opened(*, transfer: BankTransfer, at: datetime.datetime) -> NoticeVerdict:
    """Settle an order that has run out and that the bank, when asked, has never seen."""
    if not has_run_out(transfer, at=at):
        raise ValueError("Its payer can still open it.")
    word = BankWord(
        outcome=Outcome.FAILED,
        amount=None,
        bank_reference="",
        failure_code=NEVER_OPENED,
        body={"source": "query", "state": "NOT_FOUND", "reason_code": NEVER_OPENED},
    )
    return settle_transfer(reference=str(transfer.public_id), word=word, at=at)
