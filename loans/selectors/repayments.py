"""What borrowers have paid, what is on its way, and what is due."""

from __future__ import annotations

import datetime

from django.db import connection
from django.db.models import QuerySet

from loans.engine.lifecycle import TransferState
from loans.engine.state import LoanState
from loans.models import BankTransfer, Loan
from loans.models.transfer import TransferPurpose
from zhixin.shared.money import Money, total


def in_flight_amounts(loan: Loan) -> list[Money]:
    """Return the amounts of the repayments whose outcome is not known yet, oldest first."""
    # `_in_flight` as plain SQL, a test compares them: it is asked for with every repayment.
    states = (TransferState.PENDING, TransferState.SENT)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT amount_cents FROM loans_banktransfer WHERE loan_id = %s AND state IN %s"
            " AND purpose = %s AND withdrawn_at IS NULL ORDER BY id",
            [loan.pk, states, TransferPurpose.REPAYMENT],
        )
        return [Money(cents) for (cents,) in cursor.fetchall()]


def in_flight_repayments(loan: Loan) -> Money:
    """Return the sum of the repayments whose outcome is not known yet."""
    return total(in_flight_amounts(loan))


def in_flight_transfers(loan: Loan) -> list[BankTransfer]:
    """Return the repayments whose outcome is not known yet, oldest first."""
    return list(_in_flight(loan))


def _in_flight(loan: Loan) -> QuerySet[BankTransfer]:
    # One that the payer has turned away from is asked about still, and stands in no one's way.
    return (
        BankTransfer.objects.unsettled()
        .filter(loan=loan, withdrawn_at=None, purpose=TransferPurpose.REPAYMENT)
        .order_by("pk")
    )


def was_received(loan: Loan, amount: Money, *, on: datetime.date) -> bool:
    """Return whether exactly `amount` was received for the business date `on`."""
    received = BankTransfer.objects.filter(
        loan=loan,
        purpose=TransferPurpose.REPAYMENT,
        state=TransferState.SUCCEEDED,
        effective_date=on,
    )
    return amount in received.values_list("amount", flat=True)


def what_is_due(state: LoanState) -> Money:
    """Return what is to be paid now; when nothing is, the next installment.

    What is billed but may be paid on a later day is not to be paid now.
    """
    if state.payable_now:
        return state.payable_now
    return state.next_due.amount if state.next_due is not None else Money.zero()
