"""The locks that every repayment takes: the loan, then its transfer.

Plain SQL for the rows of one key: the ORM spends more on writing such a statement than the database
on answering it (docs/performance.md).
"""

from __future__ import annotations

from uuid import UUID

from loans.models import BankTransfer, Loan

_LOAN = "SELECT * FROM loans_loan WHERE id = %s FOR UPDATE"
# The loan of a transfer never changes.
_LOAN_OF_TRANSFER = """
    SELECT * FROM loans_loan
    WHERE id = (SELECT loan_id FROM loans_banktransfer WHERE public_id = %s) FOR UPDATE
"""
_TRANSFER = "SELECT * FROM loans_banktransfer WHERE public_id = %s FOR UPDATE"


def lock_loan(loan_id: int) -> Loan:
    """Return the loan, locked until the transaction ends. Raises Loan.DoesNotExist."""
    for loan in Loan.objects.raw(_LOAN, [loan_id]):
        return loan
    raise Loan.DoesNotExist


def lock_transfer(public_id: UUID) -> BankTransfer | None:
    """Return the transfer with its loan, the loan locked before it; None when there is none."""
    for loan in Loan.objects.raw(_LOAN_OF_TRANSFER, [public_id]):
        (transfer,) = BankTransfer.objects.raw(_TRANSFER, [public_id])
        transfer.loan = loan
        return transfer
    return None
