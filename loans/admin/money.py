"""The journal, the bank's transfers and notices, and orders of money: shown, never changed."""

from __future__ import annotations

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from unfold.decorators import display

from accounts.access import AboutPeople
from accounts.admin import RecordsReads
from loans.access import AboutLoans
from loans.admin import payouts
from loans.admin.records import LoanRecord
from loans.engine.lifecycle import TransferState
from loans.models import BankNotice, BankTransfer, JournalEntry, MoneyCommand, Posting
from zhixin.shared.admin import (
    ReadOnlyModelAdmin,
    ReadOnlyTabularInline,
    actor_column,
    money_column,
)
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import money


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
