"""The only way for a view to get somebody's loan, application or transfer.

A foreign object and a missing one raise the same error, so that nobody learns which it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.http import Http404
from django.utils.module_loading import import_string

from accounts.access import sees_anybody
from accounts.models import User
from loans.models import Agreement, BankTransfer, Loan, LoanApplication

DECIDE_PERMISSION = "loans.decide_referral"
COLLECT_PERMISSION = "collections_app.work_case"
Row = TypeVar("Row", bound=Model)


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
    if sees_anybody(user):
        return True
    if not user.is_staff or not user.has_perm(COLLECT_PERMISSION):
        return False
    # The cases stand above the loans, which do not import them.
    return bool(import_string(settings.OPEN_CASE_CHECK)(loan_id=loan.pk))


def people_of_referrals() -> QuerySet[Any, Any]:
    """Return the keys of the people whose application waits for a person's decision."""
    return LoanApplication.objects.referred().values("borrower_id")


def _of_work(user: User, *, borrower: str, loan: str) -> Q:
    """Return what a row must fulfil; `borrower` and `loan` lead from it to these.

    Who decides referrals sees these applicants with all their history; who collects, the loans
    of cases and nothing else of their borrowers.
    """
    reached = Q(pk__in=())
    if user.is_staff and user.has_perm(DECIDE_PERMISSION):
        reached |= Q(**{f"{borrower}__in": people_of_referrals()})
    if user.is_staff and user.has_perm(COLLECT_PERMISSION):
        # The cases stand above the loans, which do not import them.
        reached |= Q(**{f"{loan}__in": import_string(settings.LOANS_OF_CASES)()})
    return reached & ~Q(**{borrower: user})


@dataclass(frozen=True, slots=True)
class AboutLoans:
    """Narrows rows to those about loans in reach; `path` leads from a row to its loan."""

    path: str = ""

    def __call__(self, user: User, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return the rows that `user` may see; `rows` itself when that is all of them."""
        if sees_anybody(user):
            return rows
        start = f"{self.path}__" if self.path else ""
        return rows.filter(_of_work(user, borrower=f"{start}borrower", loan=self.path or "pk"))


@dataclass(frozen=True, slots=True)
class AboutApplications:
    """Narrows rows to those about applications in reach; `path` leads to the application."""

    path: str = ""

    def __call__(self, user: User, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return the rows that `user` may see; `rows` itself when that is all of them."""
        if sees_anybody(user):
            return rows
        start = f"{self.path}__" if self.path else ""
        work = _of_work(user, borrower=f"{start}borrower", loan=f"{start}agreement__loan")
        return rows.filter(work)


def access_application_as_staff(user: User, public_id: UUID) -> LoanApplication:
    """Return an application to staff whose work it is; the view records what they read."""
    found = LoanApplication.objects.filter(public_id=public_id)
    application = AboutApplications()(user, found).first()
    if application is None:
        raise NotYoursError
    return application


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
