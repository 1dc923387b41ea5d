"""The nights in the admin: what each step did, and which day it is."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loans.models import BusinessDay, NightStepRun
from zhixin.shared.admin import ReadOnlyModelAdmin

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
