"""What borrowers have paid, what is on its way, and what is due."""

from __future__ import annotations

import datetime

from django.db import connection
from django.db.models import QuerySet

from loans.engine.lifecycle import LoanStatus, TransferState
from loans.engine.state import LoanState
from loans.models import BankTransfer, Loan
from loans.models.transfer import TransferPurpose
from loans.selectors.servicing import state_from
from zhixin.shared.money import Money, total

# One statement for all that a repayment is judged by, since every repayment asks for it
# (docs/performance.md). The amounts are those of `_in_flight`; a test compares them.
_STANDING = """
    SELECT terms::text,
        ARRAY(SELECT body::text FROM loans_loanevent WHERE loan_id = %s ORDER BY sequence),
        ARRAY(SELECT amount_cents FROM loans_banktransfer WHERE loan_id = %s AND state IN %s
            AND purpose = %s AND withdrawn_at IS NULL ORDER BY id)
    FROM loans_agreement WHERE id = %s
"""
_UNSETTLED = (TransferState.PENDING, TransferState.SENT)


def standing_of(loan: Loan, *, as_of: datetime.date) -> tuple[LoanState, list[Money]]:
    """Return the state of the loan, and the amounts of the repayments that are on their way.

    The amounts are those whose outcome is not known yet, oldest first.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING,
            [loan.pk, loan.pk, _UNSETTLED, TransferPurpose.REPAYMENT, loan.agreement_id],
        )
        terms, bodies, cents = cursor.fetchone()
    return state_from(terms, bodies, as_of=as_of), [Money(each) for each in cents]


def in_flight_repayments(loan: Loan) -> Money:
    """Return the sum of the repayments whose outcome is not known yet."""
    return total(_in_flight(loan).values_list("amount", flat=True))


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


def asked_today(loan: Loan) -> Money:
    """Return what the loan's summary asks for today: what is late, with what is due today.

    Zero when nothing is late. Paying it, the borrower is late no more.
    """
    late: Money = loan.overdue_amount
    if late and loan.next_due_date == loan.projected_as_of:
        late += loan.next_due_amount
    return late


def what_is_due(state: LoanState) -> Money:
    """Return what is to be paid now; when nothing is, the next installment.

    What is billed but may be paid on a later day is not to be paid now. Of a loan that was written
    off everything is due, also money that was returned and is owed again, but what is suspended.
    """
    if state.status == LoanStatus.CHARGED_OFF:
        return state.payoff_amount - state.suspended
    if state.payable_now:
        return state.payable_now
    return state.next_due.amount if state.next_due is not None else Money.zero()
