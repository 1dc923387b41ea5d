"""Corrections that one person may not make alone: proposed by one, decided by another."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loans.models.loan import Loan, LoanEvent
from loans.models.transfer import CommandKind, MoneyCommand
from zhixin.shared.models import AppendOnly


class ProposedCorrection(AppendOnly):
    """What one person asks for; it changes nothing until another has confirmed it."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    loan = models.ForeignKey(
        Loan,
        on_delete=models.PROTECT,
        related_name="proposed_corrections",
        verbose_name=_("loan"),
    )
    command = models.OneToOneField(
        MoneyCommand,
        on_delete=models.PROTECT,
        related_name="proposal",
        verbose_name=_("money command"),
    )
    kind = models.CharField(_("kind"), max_length=24, choices=CommandKind)
    body = models.JSONField(_("body"))
    reason = models.CharField(_("reason"), max_length=300)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("proposed by"),
    )
    proposed_at = models.DateTimeField(_("proposed at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people, and who may decide."""

        verbose_name = _("proposed correction")
        verbose_name_plural = _("proposed corrections")
        permissions = [("approve_correction", _("Can confirm what another person proposed"))]

    def __str__(self) -> str:
        """Return the kind."""
        return str(self.get_kind_display())


class CorrectionDecision(AppendOnly):
    """What a second person said of a proposal; the event when they said yes."""

    proposal = models.OneToOneField(
        ProposedCorrection,
        on_delete=models.PROTECT,
        related_name="decision",
        verbose_name=_("proposed correction"),
    )
    event = models.OneToOneField(
        LoanEvent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decision",
        verbose_name=_("event of a loan"),
    )
    is_approved = models.BooleanField(_("confirmed"))
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("proposed by"),
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"))

    class Meta(AppendOnly.Meta):
        """Nobody decides on a proposal of their own; a yes has its event."""

        verbose_name = _("decision on a correction")
        verbose_name_plural = _("decisions on corrections")
        constraints = [
            models.CheckConstraint(
                condition=~Q(decided_by=F("proposed_by")), name="correction_decided_by_another"
            ),
            models.CheckConstraint(
                condition=Q(is_approved=True) ^ Q(event__isnull=True),
                name="correction_confirmed_has_event",
            ),
        ]

    def __str__(self) -> str:
        """Return the proposal."""
        return str(self.proposal)
