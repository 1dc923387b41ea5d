"""The only way for a view to get somebody's loan, application or transfer.

A foreign object and a missing one raise the same error, so that nobody learns which it is.
"""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from accounts.models import User
from loans.models import Agreement, BankTransfer, Loan, LoanApplication


class NotYoursError(Http404):
    """There is no such object, or it is somebody else's; Django answers 404 for both."""


def access_loan(user: User, public_id: UUID) -> Loan:
    """Return the borrower's own loan."""
    loan = (
        Loan.objects.filter(borrower=user, public_id=public_id)
        .select_related(
            "agreement__application__product_version__product", "agreement__application__merchant"
        )
        .first()
    )
    if loan is None:
        raise NotYoursError
    return loan


def access_loan_as_staff(user: User, public_id: UUID) -> Loan:
    """Return anybody's loan to staff who may view loans; the view records what they read."""
    loan = (
        Loan.objects.filter(public_id=public_id)
        .select_related(
            "borrower",
            "agreement__application__product_version__product",
            "agreement__confirmation__cost_sheet",
        )
        .first()
    )
    if loan is None or not (user.is_staff and user.has_perm("loans.view_loan")):
        raise NotYoursError
    return loan


def access_application(user: User, public_id: UUID) -> LoanApplication:
    """Return the borrower's own application."""
    application = (
        LoanApplication.objects.filter(borrower=user, public_id=public_id)
        .select_related("product_version__product", "merchant", "assessment")
        .first()
    )
    if application is None:
        raise NotYoursError
    return application


def access_agreement(user: User, public_id: UUID) -> Agreement:
    """Return an agreement that the borrower has signed."""
    agreement = (
        Agreement.objects.filter(application__borrower=user, public_id=public_id)
        .select_related("application__product_version__product", "loan")
        .first()
    )
    if agreement is None:
        raise NotYoursError
    return agreement


def access_transfer(user: User, public_id: UUID) -> BankTransfer:
    """Return a transfer on the borrower's own loan."""
    transfer = (
        BankTransfer.objects.filter(loan__borrower=user, public_id=public_id)
        .select_related("loan__agreement")
        .first()
    )
    if transfer is None:
        raise NotYoursError
    return transfer
