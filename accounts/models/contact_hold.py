"""Why, and until when, a person may not be contacted."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.engine.contact_rules import HoldReason

HOLD_LABELS = {
    HoldReason.PLAN_KEPT: _("An agreed plan is being kept"),
    HoldReason.BREATHING_SPACE: _("Breathing space"),
    HoldReason.DISPUTE: _("A dispute is open"),
    HoldReason.DECEASED: _("The person has died"),
    HoldReason.FRAUD: _("Identity fraud is reported"),
}


class ContactHoldQuerySet(models.QuerySet["ContactHold"]):
    """Finds holds."""

    def active(self, at: datetime) -> ContactHoldQuerySet:
        """Return the holds that stand at the instant `at`."""
        return self.filter(released_at__isnull=True).filter(
            models.Q(until__isnull=True) | models.Q(until__gt=at)
        )


ContactHoldManager = models.Manager.from_queryset(ContactHoldQuerySet)


class ContactHold(models.Model):
    """One reason not to contact a person, from `placed_at` until `until` or its release."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="contact_holds",
        verbose_name=_("person"),
    )
    reason = models.CharField(_("reason"), max_length=20, choices=list(HOLD_LABELS.items()))
    reference = models.CharField(
        _("about"), max_length=60, blank=True, help_text=_("The loan, plan or dispute.")
    )
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("Empty: until it is released.")
    )
    placed_at = models.DateTimeField(_("placed at"))
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("placed by"),
    )
    placed_by_label = models.CharField(max_length=254, verbose_name=_("placed by, name"))
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("released by"),
    )
    released_by_label = models.CharField(
        max_length=254, blank=True, verbose_name=_("released by, name")
    )

    objects: ClassVar[ContactHoldManager[ContactHold]] = ContactHoldManager()

    class Meta:
        """At most one open hold for each reason and reference of a person."""

        verbose_name = _("contact hold")
        verbose_name_plural = _("contact holds")
        ordering: ClassVar[list[str]] = ["-placed_at", "-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["person", "reason", "reference"],
                condition=models.Q(released_at__isnull=True),
                name="contact_hold_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gt=models.F("placed_at")),
                name="contact_hold_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=models.Q(released_at__isnull=True, released_by_label="")
                | (models.Q(released_at__isnull=False) & ~models.Q(released_by_label="")),
                name="contact_hold_release_says_who",
            ),
        ]

    def __str__(self) -> str:
        """Return reason and person."""
        return f"{self.get_reason_display()} · {self.person}"
