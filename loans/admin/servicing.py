"""Loans, money and the night in the admin: everything is shown, nothing is changed."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import (
    BankNotice,
    BankTransfer,
    BusinessDay,
    Installment,
    JournalEntry,
    Loan,
    LoanEvent,
    LoanStatusChange,
    NightStepRun,
    Posting,
)
from zhixin.shared.admin import ReadOnlyModelAdmin, ReadOnlyTabularInline
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import money


class InstallmentInline(ReadOnlyTabularInline):
    """The schedule."""

    model = Installment
    fields = (
        "number",
        "due_date",
        "principal",
        "interest",
        "penalty",
        "principal_paid",
        "interest_paid",
        "penalty_paid",
        "balance",
        "paid_on",
    )
    ordering = ("number",)
    tab = True


class LoanEventInline(ReadOnlyTabularInline):
    """What happened."""

    model = LoanEvent
    fields = ("sequence", "effective_date", "kind", "body", "reason", "actor_label", "recorded_at")
    ordering = ("sequence",)
    tab = True


class PostingOfLoanInline(ReadOnlyTabularInline):
    """What was booked."""

    model = Posting
    fields = ("entry", "account", "debit", "credit")
    ordering = ("entry_id", "id")
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        """Return the postings with their entries in one query."""
        return super().get_queryset(request).select_related("entry")


class LoanStatusChangeInline(ReadOnlyTabularInline):
    """How the status moved."""

    model = LoanStatusChange
    fields = ("business_date", "from_status", "to_status", "reason", "actor_label")
    ordering = ("id",)
    tab = True


@admin.register(Loan)
class LoanAdmin(ReadOnlyModelAdmin):
    """A loan with schedule, events and postings."""

    list_display = (
        "number",
        "borrower_name",
        "shown_status",
        "principal",
        "principal_outstanding",
        "overdue_amount",
        "days_past_due",
        "bucket",
        "next_due_date",
    )
    list_filter = ("status", "bucket", "classification")
    search_fields = ("agreement__number", "public_id")
    ordering = ("-days_past_due", "next_due_date", "pk")
    list_select_related = ("agreement", "borrower")
    exclude = ("agreement",)
    readonly_fields = ("number", "public_id")
    inlines = (InstallmentInline, LoanEventInline, PostingOfLoanInline, LoanStatusChangeInline)

    @display(description=_("contract"))
    def number(self, loan: Loan) -> str:
        """Return the contract number."""
        return loan.agreement.number

    @display(description=_("borrower"))
    def borrower_name(self, loan: Loan) -> str:
        """Return the borrower, masked."""
        return str(loan.borrower)

    @display(
        description=_("status"),
        label={
            LoanStatus.ACTIVE: "success",
            LoanStatus.OVERDUE: "danger",
            LoanStatus.PENDING: "warning",
        },
    )
    def shown_status(self, loan: Loan) -> tuple[str, str]:
        """Return the status and its label."""
        return loan.status, loan.get_status_display()


class PostingInline(ReadOnlyTabularInline):
    """The two or more sides of an entry."""

    model = Posting
    fields = ("account", "debit", "credit")
    ordering = ("id",)


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyModelAdmin):
    """The journal."""

    list_display = ("id", "business_date", "loan", "reason", "amount", "actor_label", "recorded_at")
    list_filter = ("reason", "business_date")
    search_fields = ("loan__agreement__number",)
    list_select_related = ("loan__agreement",)
    ordering = ("-id",)
    inlines = (PostingInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[JournalEntry]:
        """Return the entries with their postings in two queries."""
        return super().get_queryset(request).prefetch_related("postings")

    @display(description=_("amount"))
    def amount(self, entry: JournalEntry) -> str:
        """Return the sum of the debits."""
        return money(Money(sum(posting.debit.cents for posting in entry.postings.all())))


class BankNoticeInline(ReadOnlyTabularInline):
    """What the bank said."""

    model = BankNotice
    fields = ("received_at", "verdict", "body")
    ordering = ("id",)


@admin.register(BankTransfer)
class BankTransferAdmin(ReadOnlyModelAdmin):
    """Money over the bank; the account is shown by its last four digits."""

    list_display = (
        "public_id",
        "purpose",
        "amount",
        "shown_state",
        "loan",
        "card_last_four",
        "attempts",
        "created_at",
        "settled_at",
    )
    list_filter = ("state", "purpose")
    search_fields = ("public_id", "bank_reference", "loan__agreement__number")
    list_select_related = ("loan__agreement",)
    ordering = ("-id",)
    exclude = ("card_number",)
    inlines = (BankNoticeInline,)

    @display(
        description=_("state"),
        label={
            TransferState.SUCCEEDED: "success",
            TransferState.FAILED: "danger",
            TransferState.SENT: "warning",
            TransferState.PENDING: "warning",
        },
    )
    def shown_state(self, transfer: BankTransfer) -> tuple[str, str]:
        """Return the state and its label."""
        return transfer.state, transfer.get_state_display()


@admin.register(NightStepRun)
class NightStepRunAdmin(ReadOnlyModelAdmin):
    """What each night did."""

    list_display = ("business_date", "step", "item_count", "started_at", "finished_at")
    list_filter = ("business_date", "step")
    ordering = ("-business_date", "id")


@admin.register(BusinessDay)
class BusinessDayAdmin(ReadOnlyModelAdmin):
    """Which day it is for the lender."""

    list_display = ("current_date", "advanced_at")
