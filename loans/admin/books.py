"""Records around the books, to be read: differences, money outside the rail, what two decided."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from loans.access import AboutLoans
from loans.admin.records import LoanRecord
from loans.models import BooksDifference, CorrectionDecision, ProposedCorrection, ReceivedMoney
from zhixin.shared.admin import actor_column


@admin.register(BooksDifference)
class BooksDifferenceAdmin(LoanRecord):
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
class ReceivedMoneyAdmin(LoanRecord):
    """Which payments outside the rail are booked, by their references."""

    reach = AboutLoans("event__loan")
    subject_path = "event__loan__borrower"
    list_display = ("reference", "channel", "event", "use")
    list_filter = ("channel",)
    list_select_related = ("event",)
    search_fields = ("reference", "event__loan__agreement__number")
    ordering = ("-id",)


@admin.register(ProposedCorrection)
class ProposedCorrectionAdmin(LoanRecord):
    """What one person proposed, the newest first."""

    list_display = ("proposed_at", "loan", "kind", "reason", "proposed_by")
    list_filter = ("kind",)
    list_select_related = ("loan__agreement", "proposed_by")
    search_fields = ("loan__agreement__number",)
    ordering = ("-id",)


@admin.register(CorrectionDecision)
class CorrectionDecisionAdmin(LoanRecord):
    """What a second person said."""

    reach = AboutLoans("proposal__loan")
    subject_path = "proposal__loan__borrower"
    list_display = ("decided_at", "proposal", "is_approved", "proposed_by", "decided_by")
    list_filter = ("is_approved",)
    list_select_related = ("proposal", "proposed_by", "decided_by")
    ordering = ("-id",)
