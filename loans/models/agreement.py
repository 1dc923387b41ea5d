"""What the borrower saw, confirmed and signed, kept to the byte."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loans.models.application import LoanApplication
from zhixin.shared.models import AppendOnly


class CostSheet(AppendOnly):
    """Every charge of one offer, as shown to the borrower (conduct PR-09)."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    application = models.ForeignKey(
        LoanApplication,
        on_delete=models.PROTECT,
        related_name="cost_sheets",
        verbose_name=_("application"),
    )
    terms = models.JSONField(_("terms"))
    document = models.JSONField(_("figures"))
    sha256 = models.CharField(max_length=64, verbose_name=_("fingerprint (SHA-256)"))
    language = models.CharField(max_length=10, verbose_name=_("language"))
    shown_at = models.DateTimeField(_("shown at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("cost sheet")
        verbose_name_plural = _("cost sheets")
        indexes = [models.Index(fields=["application", "-shown_at"], name="cost_sheet_newest")]

    def __str__(self) -> str:
        """Return the beginning of the hash."""
        return self.sha256[:12]


class CostSheetConfirmation(AppendOnly):
    """The borrower's confirmation, no sooner than the reading time after the showing (PR-10)."""

    cost_sheet = models.OneToOneField(
        CostSheet,
        on_delete=models.PROTECT,
        related_name="confirmation",
        verbose_name=_("cost sheet"),
    )
    reading_seconds = models.PositiveIntegerField(_("seconds between showing and confirmation"))
    required_seconds = models.PositiveIntegerField(_("seconds required"))
    confirmed_at = models.DateTimeField(_("confirmed at"))

    class Meta(AppendOnly.Meta):
        """The reading time is a rule of the database too."""

        verbose_name = _("confirmation of a cost sheet")
        verbose_name_plural = _("confirmations of cost sheets")
        constraints = [
            models.CheckConstraint(
                condition=Q(reading_seconds__gte=models.F("required_seconds")),
                name="cost_sheet_read_long_enough",
            )
        ]

    def __str__(self) -> str:
        """Return the hash that was confirmed."""
        return str(self.cost_sheet)


class Agreement(AppendOnly):
    """The signed contract: frozen terms, the exact bytes that were shown, and their hash."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    number = models.CharField(_("contract number"), max_length=24, unique=True)
    application = models.OneToOneField(
        LoanApplication,
        on_delete=models.PROTECT,
        related_name="agreement",
        verbose_name=_("application"),
    )
    # No signature without a confirmed cost sheet: the key is not nullable.
    confirmation = models.OneToOneField(
        CostSheetConfirmation,
        on_delete=models.PROTECT,
        verbose_name=_("confirmation of a cost sheet"),
    )
    terms = models.JSONField(_("terms"))
    content = models.BinaryField(_("exact bytes"))
    content_type = models.CharField(
        max_length=60, default="text/html; charset=utf-8", verbose_name=_("content type")
    )
    sha256 = models.CharField(max_length=64, verbose_name=_("fingerprint (SHA-256)"))
    language = models.CharField(max_length=10, verbose_name=_("language"))
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, verbose_name=_("signed by")
    )
    signed_at = models.DateTimeField(_("signed at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("agreement")
        verbose_name_plural = _("agreements")

    def __str__(self) -> str:
        """Return the contract number."""
        return self.number
