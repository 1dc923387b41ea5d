"""Loans, money and the night in the admin: everything is shown, nothing is changed."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from unfold.decorators import display

from accounts.access import AboutPeople, signed_in
from accounts.admin import RecordsReads
from loans.access import AboutLoans, may_open_loan
from loans.admin import loan_desk, payouts
from loans.admin.documents import documents
from loans.admin.records import LoanRecord
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
    MoneyCommand,
    NightStepRun,
    Posting,
)
from loans.selectors.reversals import with_reversals
from zhixin.shared.admin import (
    ReadOnlyModelAdmin,
    ReadOnlyTabularInline,
    actor_column,
    money_column,
    rate_column,
)
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import NO_VALUE, money, plain_date

NIGHT_STEP_LABELS = {
    "loans.services.night.bill_due_installments": _("Bill the installments that are due"),
    "loans.services.night.age_overdue_loans": _("Count a day on late loans"),
    "loans.services.autopay.collect_due": _("Collect what autopay may collect"),
    "loans.services.autopay.give_notices": _("Announce what autopay will collect"),
    "collections_app.services.cases.open_and_close_cases": _("Open and close cases"),
    "loans.services.refunds.refund_closed_loans": _("Refund the credit of loans that are paid off"),
    "loans.services.reminders.queue_reminders": _("Queue reminders"),
    "loans.services.reconciliation.check_books": _("Check the books"),
}


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


class PostingInline(ReadOnlyTabularInline):
    """The two or more sides of an entry."""

    model = Posting
    fields = ("account", "shown_debit", "shown_credit")
    readonly_fields = fields
    ordering = ("id",)
    shown_debit = money_column("debit", _("debit"))
    shown_credit = money_column("credit", _("credit"))


@admin.register(JournalEntry)
class JournalEntryAdmin(LoanRecord):
    """The journal."""

    list_display = ("id", "business_date", "loan", "reason", "amount", "shown_actor", "recorded_at")
    exclude = ("actor_user", "actor_label")
    readonly_fields = ("shown_actor",)
    shown_actor = actor_column("actor_label", _("recorded by"))
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
    fields = ("received_at", "verdict", "words_of_the_bank")
    readonly_fields = ("words_of_the_bank",)
    ordering = ("id",)

    @display(description=_("as the bank sent it, unchanged"))
    def words_of_the_bank(self, notice: BankNotice) -> str:
        """Return the fields and values as they arrived."""
        return json.dumps(notice.body, ensure_ascii=False)


@admin.register(BankTransfer)
class BankTransferAdmin(LoanRecord):
    """Money over the bank; the account is shown by its last four digits."""

    list_display = (
        "public_id",
        "purpose",
        "shown_amount",
        "shown_state",
        "loan",
        "card_last_four",
        "attempts",
        "created_at",
        "settled_at",
    )
    list_filter = (payouts.NotArrivedFilter, "state", "purpose")
    search_fields = ("public_id", "bank_reference", "loan__agreement__number")
    list_select_related = ("loan__agreement",)
    ordering = ("-id",)
    exclude = ("card_number", "amount", "command")
    readonly_fields = ("shown_amount",)
    inlines = (BankNoticeInline,)
    shown_amount = money_column("amount", _("amount"))

    def get_urls(self) -> list[URLPattern]:
        """Add the queue of payouts that did not arrive."""
        return [*payouts.urls(self.admin_site.admin_view), *super().get_urls()]

    @display(
        description=_("state"),
        label={
            **dict.fromkeys(TransferState, ""),
            TransferState.SUCCEEDED: "success",
            TransferState.FAILED: "danger",
            TransferState.SENT: "warning",
            TransferState.PENDING: "warning",
        },
    )
    def shown_state(self, transfer: BankTransfer) -> tuple[str, str]:
        """Return the state and its label."""
        return transfer.state, transfer.get_state_display()


@admin.register(BankNotice)
class BankNoticeAdmin(LoanRecord):
    """Every word of the bank, as it arrived."""

    reach = AboutLoans("transfer__loan")
    subject_path = "transfer__loan__borrower"
    list_display = ("received_at", "verdict", "transfer")
    list_filter = ("verdict",)
    list_select_related = ("transfer",)
    search_fields = ("transfer__public_id", "transfer__bank_reference")
    ordering = ("-id",)
    fields = ("transfer", "verdict", "received_at", "words_of_the_bank")
    readonly_fields = ("words_of_the_bank",)

    @display(description=_("as the bank sent it, unchanged"))
    def words_of_the_bank(self, notice: BankNotice) -> str:
        """Return the fields and values as they arrived."""
        return json.dumps(notice.body, ensure_ascii=False)


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


@admin.register(MoneyCommand)
class MoneyCommandAdmin(RecordsReads, ReadOnlyModelAdmin):
    """Which orders of money came with which key."""

    reach = AboutPeople("owner")
    subject_path = "owner"
    read_purpose = gettext_noop("Looking at an order of money")
    read_fields = ("full_name",)
    list_display = ("recorded_at", "kind", "owner_name", "key")
    list_filter = ("kind",)
    list_select_related = ("owner__profile",)
    ordering = ("-id",)
    fields = ("kind", "owner_name", "key", "fingerprint", "recorded_at")
    readonly_fields = ("owner_name",)

    @display(description=_("owner"))
    def owner_name(self, command: MoneyCommand) -> str:
        """Return the name."""
        return str(command.owner.display_name)


@admin.register(NightStepRun)
class NightStepRunAdmin(ReadOnlyModelAdmin):
    """What each night did."""

    list_display = ("business_date", "step_name", "item_count", "started_at", "finished_at")
    list_filter = ("business_date",)
    ordering = ("-business_date", "id")
    fields = list_display
    readonly_fields = ("step_name",)

    @display(description=_("step"), ordering="step")
    def step_name(self, run: NightStepRun) -> str:
        """Return what the step does."""
        return str(NIGHT_STEP_LABELS.get(run.step, run.step))


@admin.register(BusinessDay)
class BusinessDayAdmin(ReadOnlyModelAdmin):
    """Which day it is for the lender."""

    list_display = ("current_date", "advanced_at")
