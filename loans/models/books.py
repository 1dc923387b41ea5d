"""What a check of the books found to differ. A difference is told, and stops nothing."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from loans.models.loan import Loan
from zhixin.shared.models import AppendOnly


class BooksCheck(models.TextChoices):
    """Which two things were compared."""

    FOLD = "FOLD", _("The events can be folded")
    PROJECTION = "PROJECTION", _("Projection and fold")
    JOURNAL = "JOURNAL", _("Journal and fold")
    TRIAL_BALANCE = "TRIAL_BALANCE", _("Trial balance")


class BooksDifference(AppendOnly):
    """One difference as it was found: what is held, and what the events say."""

    business_date = models.DateField(_("business date"))
    loan = models.ForeignKey(
        Loan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="books_differences",
        verbose_name=_("loan"),
    )
    check_name = models.CharField(_("check"), max_length=16, choices=BooksCheck)
    item = models.CharField(_("item"), max_length=80)
    held = models.CharField(_("held"), max_length=200)
    expected = models.CharField(_("expected"), max_length=200)
    found_by = models.CharField(_("found by"), max_length=80)
    found_at = models.DateTimeField(_("found at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("difference in the books")
        verbose_name_plural = _("differences in the books")
        indexes = [models.Index(fields=["business_date"], name="books_difference_by_date")]

    def __str__(self) -> str:
        """Return what differs."""
        return f"{self.get_check_name_display()}: {self.item}"
