"""What borrowers are told when money has moved or a decision is made."""

from __future__ import annotations

import datetime

from accounts.engine.contact_rules import ContactPurpose
from accounts.services.messages import queue_message
from loans.engine.lifecycle import TransferState
from loans.models import BankTransfer
from loans.models.transfer import CASHIER_CHANNELS, TransferPurpose
from loans.selectors.business_day import business_date
from loans.services.autopay import tell_of_failed_debit

_KINDS = {
    (TransferPurpose.DISBURSEMENT, TransferState.SUCCEEDED): "loan_paid_out",
    (TransferPurpose.DISBURSEMENT, TransferState.FAILED): "payout_failed",
    (TransferPurpose.DISBURSEMENT, TransferState.REVERSED): "payout_returned",
    (TransferPurpose.REPAYMENT, TransferState.SUCCEEDED): "repayment_received",
    (TransferPurpose.REPAYMENT, TransferState.FAILED): "repayment_failed",
    (TransferPurpose.REFUND, TransferState.SUCCEEDED): "refund_paid",
}


def tell_borrower_of_transfer(*, transfer_id: int, at: datetime.datetime) -> None:
    """Queue the message about a settled transfer; once, however often it is called."""
    transfer = BankTransfer.objects.select_related("loan__borrower", "loan__agreement").get(
        pk=transfer_id
    )
    kind = _KINDS.get((TransferPurpose(transfer.purpose), TransferState(transfer.state)))
    # Who left the bank's page without paying knows it.
    left = transfer.channel in CASHIER_CHANNELS and transfer.state == TransferState.FAILED
    if kind is None or left:
        return
    if tell_of_failed_debit(transfer_id=transfer_id, business_date=business_date(), at=at):
        return
    loan = transfer.loan
    queue_message(
        recipient=loan.borrower,
        kind=kind,
        purpose=ContactPurpose.SERVICING,
        context={
            "amount": transfer.amount,
            "card": transfer.card_last_four,
            "number": loan.agreement.number,
            "path": f"/loans/{loan.public_id}/",
        },
        dedup_key=f"transfer:{transfer.public_id}:{transfer.state}",
        at=at,
    )
