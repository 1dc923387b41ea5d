"""What borrowers have paid and what is on its way."""

from __future__ import annotations

from django.db.models import Sum

from loans.models import BankTransfer, Loan
from loans.models.transfer import TransferPurpose
from zhixin.shared.money import Money


def in_flight_repayments(loan: Loan) -> Money:
    """Return the sum of the repayments whose outcome is not known yet."""
    result = (
        BankTransfer.objects.unsettled()
        .filter(loan=loan, purpose=TransferPurpose.REPAYMENT)
        .aggregate(amount=Sum("amount"))
    )
    return result["amount"] or Money.zero()
