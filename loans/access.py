"""The only way for a view to get somebody's loan, application or transfer.

A foreign object and a missing one raise the same error, so that nobody learns which it is.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.utils.module_loading import import_string

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


def may_open_loan(user: User, loan: Loan) -> bool:
    """Return whether staff may open the desk and the documents of the loan.

    Who collects may do so while there is an open case about it; anybody else by a permission.
    """
    if not user.is_staff:
        return False
    if user.has_perm("loans.open_any_loan"):
        return True
    if not user.has_perm("collections_app.work_case"):
        return False
    # The cases stand above the loans, which do not import them.
    return bool(import_string(settings.OPEN_CASE_CHECK)(loan_id=loan.pk))


def access_loan_as_staff(user: User, public_id: UUID) -> Loan:
    """Return a loan to staff who may open it; the view records what they read."""
    loan = (
        Loan.objects.filter(public_id=public_id)
        .select_related(
            "borrower",
            "agreement__application__product_version__product",
            "agreement__confirmation__cost_sheet",
        )
        .first()
    )
    if loan is None or not may_open_loan(user, loan):
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
