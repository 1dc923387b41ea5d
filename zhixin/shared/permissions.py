"""Who may open a view: every view carries one of these marks, and a test walks the URLs.

Roles of staff are groups with permissions; `manage.py sync_roles` makes them so.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import TypeVar

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class Role(StrEnum):
    """The groups of staff."""

    UNDERWRITER = "Underwriter"
    COLLECTOR = "Collector"
    SERVICER = "Servicer"
    SERVICING_LEAD = "Servicing lead"
    CONTENT_EDITOR = "Content editor"
    AUDITOR = "Auditor"


# What corrects a loan day by day; writing it off is for the lead. Who collects opens a loan while
# there is an open case about it (`loans.access.may_open_loan`).
_CORRECTIONS = frozenset(
    {
        "loans.open_any_loan",
        "loans.record_money",
        "loans.reverse_event",
        "loans.waive_amounts",
        "loans.move_due_date",
        "loans.handle_dispute",
        "loans.resolve_difference",
        "loans.import_bank_file",
    }
)

# What an application leads to; of the books and the bank a decision needs nothing.
_APPLICATIONS_AND_LOANS = frozenset(
    f"loans.view_{model}"
    for model in (
        "product",
        "productversion",
        "merchant",
        "loanapplication",
        "applicationstatuschange",
        "costsheet",
        "costsheetconfirmation",
        "agreement",
        "loan",
        "installment",
        "loanevent",
        "loanstatuschange",
    )
)

# Permissions by role; "app.*:view" stands for the view permission of every model of the app.
ROLE_PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.UNDERWRITER: frozenset(
        {
            "loans.decide_referral",
            "risk.*:view",
            "accounts.view_borrowerprofile",
            "accounts.view_incomeproof",
            "accounts.verify_incomeproof",
        }
    )
    | _APPLICATIONS_AND_LOANS,
    Role.COLLECTOR: frozenset(
        {
            "collections_app.work_case",
            "collections_app.*:view",
            "loans.view_loan",
            "loans.view_installment",
            "loans.move_due_date",
            "loans.handle_dispute",
            "accounts.view_borrowerprofile",
        }
    ),
    Role.SERVICER: frozenset({"loans.*:view", "accounts.view_borrowerprofile"}) | _CORRECTIONS,
    Role.SERVICING_LEAD: frozenset(
        {
            "loans.*:view",
            "accounts.view_borrowerprofile",
            "loans.charge_off_loan",
            "loans.approve_correction",
        }
    )
    | _CORRECTIONS,
    Role.CONTENT_EDITOR: frozenset(
        {
            "education.*:view",
            "education.add_lesson",
            "education.change_lesson",
            "education.add_lessontext",
            "education.change_lessontext",
            "education.add_quizquestion",
            "education.change_quizquestion",
            "education.delete_quizquestion",
        }
    ),
    Role.AUDITOR: frozenset(
        {
            "accounts.*:view",
            "risk.*:view",
            "loans.*:view",
            "loans.open_any_loan",
            "collections_app.*:view",
            "education.*:view",
        }
    ),
}


def _mark(view: View, guard: str) -> View:
    view.guard = guard  # type: ignore[attr-defined]  # Read by the test that walks the URLs.
    return view


def public(reason: str) -> Callable[[View], View]:
    """Mark a view that anybody may open, with the reason why."""

    def decorate(view: View) -> View:
        return _mark(view, f"public: {reason}")

    return decorate


def borrower_required(view: View) -> View:
    """Let in signed-in people; send others to sign in and back."""
    return _mark(login_required(view), "borrower")


def staff_required(permission: str) -> Callable[[View], View]:
    """Let in staff who hold `permission` ("app.codename"); refuse others with 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            user = request.user
            if not (user.is_active and user.is_staff and user.has_perm(permission)):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return _mark(login_required(guarded), f"staff: {permission}")  # type: ignore[return-value]  # Takes and gives the same.

    return decorate
