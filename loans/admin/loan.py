"""A loan in the admin, with schedule, events and postings: shown, never changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.access import signed_in
from loans.access import AboutLoans, may_open_loan
from loans.admin import loan_desk
from loans.admin.documents import documents
from loans.admin.records import LoanRecord
from loans.engine.lifecycle import LoanStatus
from loans.models import Installment, Loan, LoanEvent, LoanStatusChange, Posting
from loans.selectors.reversals import with_reversals
from zhixin.shared.admin import ReadOnlyTabularInline, actor_column, money_column, rate_column
from zhixin.shared.templatetags.zhixin import NO_VALUE, plain_date

# What of a loan's page leads to the desk and to the documents.
_DOORS = (documents, "desk")


@display(description=_("reason"), ordering="reason")
def shown_reason(event: LoanEvent) -> str:
    """Return why the event was recorded, in words."""
    return event.reason_text


class InstallmentInline(ReadOnlyTabularInline):
    """The schedule."""

    model = Installment
    fields = (
        "number",
        "due_date",
        "shown_principal",
        "shown_interest",
        "shown_penalty",
        "shown_principal_paid",
        "shown_interest_paid",
        "shown_penalty_paid",
        "shown_balance",
        "paid_on",
    )
    readonly_fields = fields
    shown_principal = money_column("principal", _("principal"))
    shown_interest = money_column("interest", _("interest"))
    shown_penalty = money_column("penalty", _("penalty interest"))
    shown_principal_paid = money_column("principal_paid", _("principal paid"))
    shown_interest_paid = money_column("interest_paid", _("interest paid"))
    shown_penalty_paid = money_column("penalty_paid", _("penalty interest paid"))
    shown_balance = money_column("balance", _("principal left after it"))
    ordering = ("number",)
    tab = True


class LoanEventInline(ReadOnlyTabularInline):
    """What happened."""

    model = LoanEvent
    fields = (
        "sequence",
        "effective_date",
        "kind",
        "body",
        shown_reason,
        "shown_actor",
        "recorded_at",
        "reversed_by",
    )
    readonly_fields = (shown_reason, "shown_actor", "reversed_by")
    shown_actor = actor_column("actor_label", _("recorded by"))
    ordering = ("sequence",)
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[LoanEvent]:
        """Return the events with the numbers of their reversals in one query."""
        return with_reversals(super().get_queryset(request))

    @display(description=_("reversed by"))
    def reversed_by(self, event: LoanEvent) -> str:
        """Return the number of the reversal."""
        number = getattr(event, "reversed_by_sequence", None)
        return NO_VALUE if number is None else str(number)


class PostingOfLoanInline(ReadOnlyTabularInline):
    """What was booked."""

    model = Posting
    fields = ("entry", "account", "shown_debit", "shown_credit")
    readonly_fields = fields
    ordering = ("entry_id", "id")
    tab = True
    shown_debit = money_column("debit", _("debit"))
    shown_credit = money_column("credit", _("credit"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        """Return the postings with their entries in one query."""
        return super().get_queryset(request).select_related("entry")


class LoanStatusChangeInline(ReadOnlyTabularInline):
    """How the status moved."""

    model = LoanStatusChange
    fields = ("business_date", "from_status", "to_status", "reason", "shown_actor")
    readonly_fields = ("shown_actor",)
    shown_actor = actor_column("actor_label", _("recorded by"))
    ordering = ("id",)
    tab = True


@admin.register(Loan)
class LoanAdmin(LoanRecord):
    """A loan with schedule, events and postings."""

    reach = AboutLoans()
    subject_path = "borrower"
    list_display = (
        "number",
        "borrower_name",
        "shown_status",
        "shown_principal",
        "shown_outstanding",
        "shown_overdue",
        "days_past_due",
        "bucket",
        "next_due_date",
    )
    list_filter = ("status", "bucket", "classification")
    search_fields = ("agreement__number", "public_id")
    ordering = ("-days_past_due", "next_due_date", "pk")
    fieldsets = (
        (
            None,
            {"fields": ("number", "borrower_name", "status", "stands_as_of", documents, "desk")},
        ),
        (
            _("Contract"),
            {
                "fields": (
                    "shown_principal",
                    "shown_rate",
                    "created_at",
                    "disbursed_on",
                    "closed_on",
                )
            },
        ),
        (
            _("Owed"),
            {
                "fields": (
                    "shown_outstanding",
                    "next_due_date",
                    "shown_next_due",
                    "shown_overdue",
                    "overdue_since",
                    "days_past_due",
                    "bucket",
                    "classification",
                    "shown_overpaid",
                )
            },
        ),
    )
    shown_principal = money_column("principal", _("contract principal"))
    shown_rate = rate_column("annual_rate", _("contract rate a year"))
    shown_outstanding = money_column("principal_outstanding", _("principal outstanding"))
    shown_overdue = money_column("overdue_amount", _("overdue amount"))
    shown_next_due = money_column("next_due_amount", _("next amount due"))
    shown_overpaid = money_column("overpaid_amount", _("credit of the borrower"))
    readonly_fields = (
        "number",
        "borrower_name",
        "stands_as_of",
        documents,
        "shown_principal",
        "shown_rate",
        "shown_outstanding",
        "shown_overdue",
        "shown_next_due",
        "shown_overpaid",
        "desk",
    )
    inlines = (InstallmentInline, LoanEventInline, PostingOfLoanInline, LoanStatusChangeInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Loan]:
        """Return the loans with what list and page name."""
        loans: QuerySet[Loan] = super().get_queryset(request)
        return loans.select_related("agreement", "borrower__profile")

    def get_urls(self) -> list[URLPattern]:
        """Add the desk's pages to those of the list."""
        return [*loan_desk.urls(self.admin_site.admin_view), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401 - Django's signature.
        """Leave out what leads to the desk and the documents when they may not be opened."""
        groups = super().get_fieldsets(request, obj)
        if obj is None or may_open_loan(signed_in(request), obj):
            return groups
        return [
            (title, {**rest, "fields": [name for name in rest["fields"] if name not in _DOORS]})
            for title, rest in groups
        ]

    @display(description=_("desk"))
    def desk(self, loan: Loan) -> str:
        """Return the way to the desk, where what went wrong is put right."""
        url = reverse("admin:loans_desk", args=[loan.public_id])
        return format_html(
            '<a class="text-primary-600 font-medium" href="{}">{}</a>', url, _("Correct this loan")
        )

    @display(description=_("contract"))
    def number(self, loan: Loan) -> str:
        """Return the contract number."""
        return loan.agreement.number

    @display(description=_("borrower"))
    def borrower_name(self, loan: Loan) -> str:
        """Return the name, as in the queue of cases."""
        return str(loan.borrower.display_name)

    @display(description=_("figures as they stood on"))
    def stands_as_of(self, loan: Loan) -> str:
        """Return the day through which interest and lateness are counted here."""
        return plain_date(loan.projected_as_of)

    @display(
        description=_("status"),
        label={
            **dict.fromkeys(LoanStatus, ""),
            LoanStatus.ACTIVE: "success",
            LoanStatus.OVERDUE: "danger",
            LoanStatus.PENDING: "warning",
        },
    )
    def shown_status(self, loan: Loan) -> tuple[str, str]:
        """Return the status and its label."""
        return loan.status, loan.get_status_display()


@admin.register(LoanEvent)
class LoanEventAdmin(LoanRecord):
    """Every fact of every loan, newest first."""

    list_display = (
        "recorded_at",
        "loan",
        "sequence",
        "effective_date",
        "kind",
        shown_reason,
        "shown_actor",
    )
    readonly_fields = (shown_reason, "shown_actor")
    shown_actor = actor_column("actor_label", _("recorded by"))
    list_filter = ("kind",)
    list_select_related = ("loan__agreement",)
    search_fields = ("loan__agreement__number",)
    ordering = ("-id",)
    exclude = ("reason", "actor_user", "actor_label")
