"""Records around the books, to be read: differences, money outside the rail, what two decided."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from loans.models import (
    BooksDifference,
    CorrectionDecision,
    ProposedCorrection,
    ReceivedMoney,
)
from zhixin.shared.admin import ReadOnlyModelAdmin, actor_column


@admin.register(BooksDifference)
class BooksDifferenceAdmin(ReadOnlyModelAdmin):
    """Every difference that was found, the newest first."""

    list_display = ("business_date", "loan", "check_name", "item", "held", "expected", "found_at")
    list_filter = ("check_name", "business_date")
    list_select_related = ("loan__agreement",)
    search_fields = ("loan__agreement__number",)
    ordering = ("-id",)
    exclude = ("found_by",)
    readonly_fields = ("shown_finder",)
    shown_finder = actor_column("found_by", _("found by"))


@admin.register(ReceivedMoney)
class ReceivedMoneyAdmin(ReadOnlyModelAdmin):
    """Which payments outside the rail are booked, by their references."""

    list_display = ("reference", "channel", "event", "use")
    list_filter = ("channel",)
    list_select_related = ("event",)
    search_fields = ("reference", "event__loan__agreement__number")
    ordering = ("-id",)


@admin.register(ProposedCorrection)
class ProposedCorrectionAdmin(ReadOnlyModelAdmin):
    """What one person proposed, the newest first."""

    list_display = ("proposed_at", "loan", "kind", "reason", "proposed_by")
    list_filter = ("kind",)
    list_select_related = ("loan__agreement", "proposed_by")
    search_fields = ("loan__agreement__number",)
    ordering = ("-id",)


@admin.register(CorrectionDecision)
class CorrectionDecisionAdmin(ReadOnlyModelAdmin):
    """What a second person said."""

    list_display = ("decided_at", "proposal", "is_approved", "proposed_by", "decided_by")
    list_filter = ("is_approved",)
    list_select_related = ("proposal", "proposed_by", "decided_by")
    ordering = ("-id",)
