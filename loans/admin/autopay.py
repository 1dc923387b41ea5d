"""Autopay in the admin: what was authorized, announced, debited and ended; nothing is changed."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loans.admin.records import LoanRecord
from loans.models import AutopayDebit, AutopayEnd, AutopayMandate, AutopayNotice
from zhixin.shared.admin import (
    ReadOnlyTabularInline,
    actor_column,
    money_column,
)
from zhixin.shared.templatetags.zhixin import money


class AutopayEndInline(ReadOnlyTabularInline):
    """Why and when it ended."""

    model = AutopayEnd
    fields = ("reason", "ended_on", "shown_actor", "ended_at")
    readonly_fields = ("shown_actor",)
    shown_actor = actor_column("actor_label", _("recorded by"))


class AutopayNoticeInline(ReadOnlyTabularInline):
    """What was announced."""

    model = AutopayNotice
    fields = ("installment_number", "attempt", "debit_on", "shown_amount", "message", "created_at")
    readonly_fields = ("shown_amount",)
    ordering = ("id",)
    shown_amount = money_column("amount", _("announced amount"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[AutopayNotice]:
        """Return the notices with their messages in one query."""
        return super().get_queryset(request).select_related("message")


class AutopayDebitInline(ReadOnlyTabularInline):
    """What was debited."""

    model = AutopayDebit
    fields = ("business_date", "installment_number", "attempt", "shown_amount", "shown_state")
    readonly_fields = ("shown_amount", "shown_state")
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AutopayDebit]:
        """Return the debits with their transfers in one query."""
        return super().get_queryset(request).select_related("transfer")

    @display(description=_("amount"))
    def shown_amount(self, debit: AutopayDebit) -> str:
        """Return the amount of the transfer."""
        return money(debit.transfer.amount)

    @display(description=_("state"))
    def shown_state(self, debit: AutopayDebit) -> str:
        """Return what became of the transfer."""
        return str(debit.transfer.get_state_display())


@admin.register(AutopayMandate)
class AutopayMandateAdmin(LoanRecord):
    """Who has turned autopay on, and how it went."""

    list_display = ("loan", "borrower_name", "card_last_four", "granted_on", "shown_state")
    list_filter = ("end__reason",)
    list_select_related = ("loan__agreement", "loan__borrower__profile", "end")
    search_fields = ("loan__agreement__number",)
    ordering = ("-id",)
    fields = (
        "loan",
        "borrower_name",
        "card_last_four",
        "text_version",
        "language",
        "granted_on",
        "granted_at",
        "shown_actor",
        "shown_state",
    )
    readonly_fields = ("borrower_name", "shown_actor", "shown_state")
    inlines = (AutopayNoticeInline, AutopayDebitInline, AutopayEndInline)
    shown_actor = actor_column("actor_label", _("recorded by"))

    @display(description=_("borrower"))
    def borrower_name(self, mandate: AutopayMandate) -> str:
        """Return the name, as in the list of loans."""
        return str(mandate.loan.borrower.display_name)

    @display(description=_("state"), label={"in force": "success", "ended": ""})
    def shown_state(self, mandate: AutopayMandate) -> tuple[str, str]:
        """Return whether it is in force, or why it ended."""
        if not hasattr(mandate, "end"):
            return "in force", str(_("in force"))
        return "ended", str(mandate.end.get_reason_display())
