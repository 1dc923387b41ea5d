"""Overdue work in the admin: the queue, one case on one screen, and what was agreed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_http_methods, require_safe
from unfold.decorators import display

from accounts.access import signed_in
from accounts.admin import RecordsReads
from accounts.services.consents import record_access
from collections_app.engine.states import CaseState
from collections_app.forms import ContactNoteForm
from collections_app.models import (
    Case,
    ContactNote,
    HardshipOffer,
    HardshipPlan,
    HardshipRequest,
)
from collections_app.models.case import CaseQuerySet
from collections_app.selectors.case_desk import case_desk, find_case, next_case
from collections_app.services.contacts import add_note, reveal_number
from loans.access import AboutLoans
from loans.selectors.business_day import business_date
from zhixin.shared import clock
from zhixin.shared.admin import ReadOnlyModelAdmin, ReadOnlyTabularInline, actor_column
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required
from zhixin.shared.templatetags.zhixin import money, plain_date

WORK_PERMISSION = "collections_app.work_case"
# What a look at a case shows of a person; they see this list in their own pages.
FIELDS_READ = ("full_name", "phone number (masked)", "loan", "messages", "contact notes", "budget")
BUDGET_READ = ("income", "living_costs", "debts")
PURPOSE = gettext_noop("Working on a late payment")


class ToWorkFilter(admin.SimpleListFilter):
    """The queue unless another choice is made."""

    title = gettext_lazy("which cases")
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature.
        """Return the other choices."""
        return [("all", gettext_lazy("All, ended ones too"))]

    def choices(self, changelist: Any) -> Any:  # noqa: ANN401 - Django's signature.
        """Name the default choice for what it is."""
        for number, choice in enumerate(super().choices(changelist)):
            yield {**choice, "display": _("To work on")} if number == 0 else choice

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the queue, or everything."""
        return queryset if self.value() == "all" else queryset.to_work()


@admin.register(Case)
class CaseAdmin(ReadOnlyModelAdmin):
    """The queue: who asked for a person first, then the longest overdue."""

    reach = AboutLoans("loan")
    list_display = (
        "borrower_name",
        "contract",
        "days_late",
        "late_amount",
        "waits_for_person",
        "assigned_to",
        "next_step",
        "state_badge",
    )
    list_filter = (ToWorkFilter,)
    list_select_related = ("loan__agreement", "loan__borrower__profile", "assigned_to")
    list_per_page = 50
    search_fields = ("loan__agreement__number",)

    def get_queryset(self, request: HttpRequest) -> CaseQuerySet:
        """Return the cases in the order of work."""
        cases: Any = super().get_queryset(request)
        ordered: CaseQuerySet = cases.in_order_of_work()
        return ordered

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Leave the order of the queryset alone."""
        return ()

    def get_urls(self) -> list[URLPattern]:
        """Add the desk's pages to those of the list."""
        wrap = self.admin_site.admin_view
        return [
            path("next/", wrap(go_to_next), name="collections_next_case"),
            path("desk/<uuid:public_id>/", wrap(desk), name="collections_case"),
            path("desk/<uuid:public_id>/number/", wrap(show_number), name="collections_number"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        *_args: object,
        **_kwargs: object,
    ) -> HttpResponse:
        """Open the desk: a case is worked on and not edited as a row."""
        case = self.get_object(request, object_id)
        if not self.has_view_permission(request, case):
            raise PermissionDenied
        if case is None:
            raise Http404
        return redirect("admin:collections_case", public_id=case.public_id)

    @admin.display(description=gettext_lazy("borrower"))
    def borrower_name(self, case: Case) -> str:
        """Return the name."""
        return str(case.loan.borrower.display_name)

    @admin.display(description=gettext_lazy("contract"))
    def contract(self, case: Case) -> str:
        """Return the contract's number."""
        return str(case.loan.agreement.number)

    @admin.display(description=gettext_lazy("days late"))
    def days_late(self, case: Case) -> int:
        """Return the days as they stand now."""
        return int(case.loan.days_past_due)

    @admin.display(description=gettext_lazy("late"))
    def late_amount(self, case: Case) -> str:
        """Return the late amount as it stands now."""
        return money(case.loan.overdue_amount)

    @display(description=gettext_lazy("asked for a person"), label={"yes": "warning"})
    def waits_for_person(self, case: Case) -> tuple[str, str] | str:
        """Return a mark on people who wait."""
        return ("yes", _("Waits for a person")) if case.person_asked_at else ""

    @admin.display(description=gettext_lazy("next step"))
    def next_step(self, case: Case) -> str:
        """Return when the next step is due."""
        return plain_date(case.next_action_on)

    @display(
        description=gettext_lazy("state"),
        label={
            **dict.fromkeys((state.value for state in CaseState), ""),
            CaseState.OPEN.value: "warning",
            CaseState.CURED.value: "success",
            CaseState.PLAN.value: "info",
        },
    )
    def state_badge(self, case: Case) -> tuple[str, str]:
        """Return the state and its words."""
        return case.state, case.get_state_display()


@admin.register(ContactNote)
class ContactNoteAdmin(RecordsReads, ReadOnlyModelAdmin):
    """Every contact, as it was."""

    reach = AboutLoans("case__loan")
    subject_path = "case__loan__borrower"
    read_purpose = PURPOSE
    read_fields = ("contact notes",)
    list_display = ("at", "case", "channel", "direction", "outcome", "who", "gate_rule")
    list_filter = ("outcome", "direction", "gate_rule")
    list_select_related = ("case__loan__agreement",)
    ordering = ("-at",)
    who = actor_column("by_label", gettext_lazy("by, name"))


class OfferInline(ReadOnlyTabularInline):
    """The plans that fitted."""

    model = HardshipOffer
    fields = ("kind", "old_installment", "new_installment", "old_total", "new_total", "new_end")


@admin.register(HardshipRequest)
class HardshipRequestAdmin(RecordsReads, ReadOnlyModelAdmin):
    """Budgets and what they bear; each look is recorded for the borrower to see."""

    reach = AboutLoans("loan")
    subject_path = "loan__borrower"
    read_purpose = gettext_noop("Reading a request for help")
    read_fields = BUDGET_READ
    list_display = ("created_at", "loan", "reason", "outcome", "bearable")
    list_filter = ("outcome", "reason")
    list_select_related = ("loan__agreement",)
    ordering = ("-created_at",)
    exclude = ("key", "not_offered", "event_count", "actor_user")
    inlines = (OfferInline,)


@admin.register(HardshipPlan)
class HardshipPlanAdmin(RecordsReads, ReadOnlyModelAdmin):
    """Plans that borrowers chose."""

    reach = AboutLoans("loan")
    subject_path = "loan__borrower"
    read_purpose = PURPOSE
    read_fields = ("loan",)
    list_display = ("accepted_at", "loan", "offer", "state", "ended_on")
    list_filter = ("state",)
    list_select_related = ("loan__agreement", "offer")
    ordering = ("-accepted_at",)


def _check(request: HttpRequest, permission: str) -> None:
    if not signed_in(request).has_perm(permission):
        raise PermissionDenied


def _case_for(request: HttpRequest, public_id: UUID) -> Case:
    """Return the case; nobody works on, or reads, the case of a loan of their own."""
    user = signed_in(request)
    case = find_case(public_id, reader=user)
    if case is None:
        raise Http404
    if case.loan.borrower_id == user.pk:
        raise PermissionDenied
    return case


@staff_required(WORK_PERMISSION)
@require_safe
def go_to_next(request: HttpRequest) -> HttpResponse:
    """Open the next case that is due, or say that none is."""
    case = next_case(worker=signed_in(request), business_date=business_date())
    if case is None:
        messages.info(request, _("Nothing more is due today."))
        return redirect("admin:collections_app_case_changelist")
    return redirect("admin:collections_case", public_id=case.public_id)


@staff_required("collections_app.view_case")
@require_http_methods(["GET", "HEAD", "POST"])
def desk(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one case on one screen; take a contact note and stay, or go on to the next."""
    case = _case_for(request, public_id)
    form = ContactNoteForm()
    if request.method == "POST":
        _check(request, WORK_PERMISSION)
        form = ContactNoteForm(request.POST)
        if form.is_valid() and _add_note(request, case, form):
            if "and_next" in request.POST:
                return redirect("admin:collections_next_case")
            return redirect("admin:collections_case", public_id=public_id)
    return _show(request, case, form)


def _add_note(request: HttpRequest, case: Case, form: ContactNoteForm) -> bool:
    try:
        add_note(
            case_id=case.pk,
            **form.cleaned_data,
            actor=signed_in(request).as_actor(),
            business_date=business_date(),
            at=clock.now(),
        )
    except DomainError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, _("Noted."))
    return True


@staff_required(WORK_PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def show_number(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the telephone number for a call that the contact gate allows now.

    Who comes back to the address without asking is led to the case, and no look is recorded.
    """
    if request.method != "POST":
        return redirect("admin:collections_case", public_id=public_id)
    case = _case_for(request, public_id)
    number = ""
    try:
        number = reveal_number(case_id=case.pk, actor=signed_in(request).as_actor(), at=clock.now())
    except DomainError as error:
        messages.error(request, str(error))
    return _show(request, case, ContactNoteForm(), number=number)


def _show(
    request: HttpRequest, case: Case, form: ContactNoteForm, *, number: str = ""
) -> HttpResponse:
    worker, at = signed_in(request), clock.now()
    shown = case_desk(case, worker=worker, business_date=business_date(), at=at)
    record_access(
        actor=worker.as_actor(),
        subject=shown.person,
        fields=FIELDS_READ,
        purpose=PURPOSE,
        at=at,
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Case %(number)s") % {"number": case.loan.agreement.number},
        "desk": shown,
        "form": form,
        "number": number,
        "may_work": worker.has_perm(WORK_PERMISSION) and shown.is_open,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "admin/collections_app/case/desk.html", context, status=status)
