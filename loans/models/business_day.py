"""The business date, and the proof of what each night did."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from zhixin.shared.models import AppendOnly


class BusinessDay(models.Model):
    """The one row that says which day it is for the lender."""

    SINGLE_ROW = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLE_ROW)
    current_date = models.DateField(_("business date"))
    advanced_at = models.DateTimeField(_("since"))

    class Meta:
        """There is one business date."""

        verbose_name = _("business date")
        verbose_name_plural = _("business date")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="business_day_single_row")]

    def __str__(self) -> str:
        """Return the date."""
        return self.current_date.isoformat()


class NightStepRun(AppendOnly):
    """A step of the night that is done for a date; committed with the step's last work."""

    business_date = models.DateField(_("day that began"))
    step = models.CharField(_("step"), max_length=80)
    item_count = models.PositiveIntegerField(_("items"))
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"))

    class Meta(AppendOnly.Meta):
        """A step is done once a date."""

        verbose_name = _("step of a night")
        verbose_name_plural = _("steps of nights")
        constraints = [
            models.UniqueConstraint(fields=["business_date", "step"], name="night_step_once")
        ]

    def __str__(self) -> str:
        """Return date and step."""
        return f"{self.business_date} {self.step}"
