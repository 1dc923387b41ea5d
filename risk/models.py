"""What decided, and what was decided: versions of policies and cards, and every assessment."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from risk.engine.decision import Outcome
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly

OUTCOME_LABELS = {
    Outcome.APPROVE: _("Approved"),
    Outcome.REFER: _("For a person to decide"),
    Outcome.DECLINE: _("Declined"),
}


class PolicyVersion(AppendOnly):
    """One dated version of the rules of lending, as a document with its hash."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=8)
    effective_from = models.DateField(_("effective from"))
    document = models.JSONField(_("document"))
    sha256 = models.CharField(max_length=64, unique=True, verbose_name=_("fingerprint (SHA-256)"))
    loaded_at = models.DateTimeField(_("loaded at"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("loaded by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    actor_label = models.CharField(_("loaded by"), max_length=80)

    class Meta(AppendOnly.Meta):
        """One version of a jurisdiction begins on a date."""

        verbose_name = _("policy version")
        verbose_name_plural = _("policy versions")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["jurisdiction", "effective_from"], name="policy_version_one_a_date"
            )
        ]

    def __str__(self) -> str:
        """Return the code."""
        return self.code


class ScorecardVersion(AppendOnly):
    """One version of a points card, as a document with its hash. A policy names its card."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    document = models.JSONField(_("document"))
    sha256 = models.CharField(max_length=64, unique=True, verbose_name=_("fingerprint (SHA-256)"))
    loaded_at = models.DateTimeField(_("loaded at"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("loaded by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    actor_label = models.CharField(_("loaded by"), max_length=80)

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("scorecard version")
        verbose_name_plural = _("scorecard versions")

    def __str__(self) -> str:
        """Return the code."""
        return self.code


class Assessment(AppendOnly):
    """One decision with everything that led to it; can be decided again with the same result."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    subject = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("applicant"),
        on_delete=models.PROTECT,
        related_name="assessments",
    )
    facts = models.JSONField(_("facts"))
    request = models.JSONField(_("request"))
    policy = models.ForeignKey(
        PolicyVersion, verbose_name=_("policy"), on_delete=models.PROTECT, related_name="+"
    )
    scorecard = models.ForeignKey(
        ScorecardVersion, verbose_name=_("scorecard"), on_delete=models.PROTECT, related_name="+"
    )
    decision = models.JSONField(_("decision"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=OUTCOME_LABELS)
    score = models.IntegerField(_("score"))
    grade = models.CharField(_("grade"), max_length=8, blank=True)
    limit = MoneyField(_("limit"))
    approved_amount = MoneyField(_("approved amount"), null=True, blank=True)
    annual_rate = models.DecimalField(
        _("rate a year"), max_digits=9, decimal_places=8, null=True, blank=True
    )
    decision_date = models.DateField(_("decided for"))
    decided_at = models.DateTimeField(_("decided at"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    actor_label = models.CharField(_("asked by"), max_length=80)

    class Meta(AppendOnly.Meta):
        """Ties the outcome to the figures that it needs."""

        verbose_name = _("assessment")
        verbose_name_plural = _("assessments")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject", "-decided_at"], name="assessment_newest")
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(outcome__in=list(Outcome)), name="assessment_outcome_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    outcome=Outcome.APPROVE,
                    approved_amount__isnull=False,
                    approved_amount__gt=0,
                    approved_amount__lte=models.F("limit"),
                    annual_rate__isnull=False,
                )
                | (~Q(outcome=Outcome.APPROVE) & Q(approved_amount__isnull=True)),
                name="assessment_approval_has_offer_within_limit",
            ),
            models.CheckConstraint(
                condition=Q(limit__gte=0) & (~Q(outcome=Outcome.DECLINE) | Q(limit=0)),
                name="assessment_decline_has_no_limit",
            ),
        ]

    def __str__(self) -> str:
        """Return the outcome and the day."""
        label = OUTCOME_LABELS[Outcome(self.outcome)]
        return f"{label}, {self.decision_date.isoformat()}"
