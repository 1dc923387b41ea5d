"""Applications to be read, and the underwriter's queue: decide, and on to the next one."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.decorators import display

from accounts.access import signed_in
from accounts.models import User
from accounts.services.consents import record_access
from loans.access import (
    DECIDE_PERMISSION,
    AboutApplications,
    NotYoursError,
    access_application_as_staff,
)
from loans.admin.records import ApplicationRecord
from loans.engine.lifecycle import ApplicationState
from loans.forms.referral import RulingForm
from loans.models import Agreement, ApplicationStatusChange, CostSheet, LoanApplication
from loans.selectors.applications import referral_queue
from loans.selectors.business_day import business_date
from loans.selectors.referrals import ReferralCase, referral_case
from loans.services.underwriting import (
    AlreadyDecidedError,
    UnableToDecideError,
    claim_next_referral,
    claim_referral,
    decide_referral,
)
from zhixin.shared import clock
from zhixin.shared.admin import ReadOnlyTabularInline, actor_column
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required

READ_PERMISSION = "loans.view_loanapplication"
# What a look at a case shows of a person; they see this list in their own pages.
FIELDS_READ = ("full_name", "employment", "income", "living_costs", "debts", "income_proof")


class StatusChangeInline(ReadOnlyTabularInline):
    """Who moved it, when and why."""

    model = ApplicationStatusChange
    fields = ("recorded_at", "from_state", "to_state", "reason", "shown_actor")
    readonly_fields = ("shown_actor",)
    shown_actor = actor_column("actor_label", gettext_lazy("recorded by"))
    ordering = ("recorded_at",)


@admin.register(LoanApplication)
class LoanApplicationAdmin(ApplicationRecord):
    """Applications, read-only; the queue hangs beside the list."""

    reach = AboutApplications()
    subject_path = "borrower"
    list_display = ("borrower", "product_version", "amount", "state_badge", "submitted_at")
    list_filter = ("state", "product_version__product")
    list_select_related = ("borrower", "product_version__product")
    ordering = ("-submitted_at",)
    exclude = ("request_key", "claimed_by", "claimed_at", "purpose_code")
    readonly_fields = ("purpose",)
    inlines = (StatusChangeInline,)

    @display(description=gettext_lazy("purpose"))
    def purpose(self, application: LoanApplication) -> str:
        """Return what the loan is for, in words."""
        return application.purpose_label

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        label={
            **dict.fromkeys((state.value for state in ApplicationState), ""),
            ApplicationState.APPROVED.value: "success",
            ApplicationState.SIGNED.value: "success",
            ApplicationState.REFERRED.value: "warning",
            ApplicationState.DECLINED.value: "danger",
        },
    )
    def state_badge(self, application: LoanApplication) -> tuple[str, str]:
        """Return the state and its words."""
        return application.state, application.get_state_display()

    def get_urls(self) -> list[URLPattern]:
        """Add the queue's pages to those of the list."""
        wrap = self.admin_site.admin_view
        return [
            path("referrals/", wrap(queue), name="loans_referrals"),
            path("referrals/next/", wrap(next_case), name="loans_referral_next"),
            path("referrals/<uuid:public_id>/", wrap(case), name="loans_referral"),
            *super().get_urls(),
        ]


@admin.register(Agreement)
class AgreementAdmin(ApplicationRecord):
    """Signed agreements with their hashes; the bytes stay with the borrower."""

    list_display = ("number", "signed_by", "signed_at", "language")
    list_select_related = ("signed_by",)
    ordering = ("-signed_at",)
    exclude = ("content",)


@admin.register(CostSheet)
class CostSheetAdmin(ApplicationRecord):
    """What was shown before signing: terms and figures with their fingerprint."""

    list_display = ("shown_at", "application", "language", "sha256")
    list_select_related = ("application__product_version__product",)
    ordering = ("-shown_at",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Why a case cannot be decided here and now."""

    text: str | Promise


READ_ONLY = Notice(text=gettext_lazy("You may read this case; underwriters decide it."))


@staff_required(READ_PERMISSION)
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """List what waits for a person, oldest first; who may only read it takes up nothing."""
    user = signed_in(request)
    context = {
        **admin.site.each_context(request),
        "title": _("Waiting for a person"),
        "applications": AboutApplications()(user, referral_queue()).exclude(borrower=user),
        "person": user,
        "may_decide": user.has_perm(DECIDE_PERMISSION),
    }
    return render(request, "admin/loans/queue.html", context)


@staff_required(DECIDE_PERMISSION)
@require_POST
def next_case(request: HttpRequest) -> HttpResponse:
    """Take up the oldest case that nobody works on."""
    return _go_to_next(request)


@staff_required(READ_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def case(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one case on one screen; take the decision and go on to the next case."""
    user = signed_in(request)
    if request.method == "POST" and not user.has_perm(DECIDE_PERMISSION):
        raise PermissionDenied
    try:
        application = access_application_as_staff(user, public_id)
    except NotYoursError:
        return _nothing_waits(request)
    form = RulingForm(request.POST or None, requested=application.amount)
    if form.is_valid():
        try:
            _decide(request, application, form)
        except AlreadyDecidedError as refusal:
            messages.warning(request, str(refusal))
            return _go_to_next(request)
        except UnableToDecideError as refusal:
            form.add_error(None, str(refusal))
        else:
            return _go_to_next(request)
    return _case_page(request, application, form)


def _decide(request: HttpRequest, application: LoanApplication, form: RulingForm) -> None:
    decided = decide_referral(
        application_id=application.pk,
        underwriter=signed_in(request),
        ruling=form.ruling(),
        business_date=business_date(),
        at=clock.now(),
    )
    messages.success(request, _("Decided: %(state)s.") % {"state": decided.get_state_display()})


def _nothing_waits(request: HttpRequest) -> HttpResponse:
    """Lead who decides back to work: decided meanwhile, foreign and missing answer alike."""
    if not signed_in(request).has_perm(DECIDE_PERMISSION):
        raise NotYoursError
    messages.warning(request, _("This application does not wait for you any more."))
    return redirect("admin:loans_referrals")


def _go_to_next(request: HttpRequest) -> HttpResponse:
    application = claim_next_referral(underwriter=signed_in(request), at=clock.now())
    if application is None:
        messages.info(request, _("Nothing waits any more."))
        return redirect("admin:loans_referrals")
    return redirect("admin:loans_referral", public_id=application.public_id)


def _take_up(application: LoanApplication, user: User, at: datetime.datetime) -> Notice | None:
    """Claim the case; return why not when it is a colleague's, one's own, or decided."""
    try:
        claim_referral(application_id=application.pk, underwriter=user, at=at)
    except DomainError as refusal:
        return Notice(text=str(refusal))
    return None


def _case_page(
    request: HttpRequest, application: LoanApplication, form: RulingForm
) -> HttpResponse:
    """Show the case, taken up by the underwriter who looks; to everybody else to read only."""
    user, now = signed_in(request), clock.now()
    may_decide = user.has_perm(DECIDE_PERMISSION)
    notice = _take_up(application, user, now) if may_decide else READ_ONLY
    shown: ReferralCase = referral_case(application.pk, on=business_date())
    record_access(
        actor=user.as_actor(),
        subject=shown.application.borrower,
        fields=FIELDS_READ,
        purpose=gettext_noop("Deciding on an application"),
        at=now,
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Decide on an application"),
        "case": shown,
        "form": form,
        "notice": notice,
        "may_decide": may_decide,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "admin/loans/referral.html", context, status=status)
