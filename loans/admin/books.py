"""What checks of the books found to differ, and money that came outside the rail: to be read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from loans.models import BooksDifference, ReceivedMoney
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
