"""What a person asks for and what was decided."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loans.engine.lifecycle import ApplicationState
from loans.models.product import Merchant, ProductVersion
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly

APPLICATION_STATE_LABELS = {
    ApplicationState.DRAFT: _("Started"),
    ApplicationState.SUBMITTED: _("Being decided"),
    ApplicationState.REFERRED: _("With a person"),
    ApplicationState.APPROVED: _("Approved"),
    ApplicationState.DECLINED: _("Declined"),
    ApplicationState.SIGNED: _("Signed"),
    ApplicationState.WITHDRAWN: _("Withdrawn"),
    ApplicationState.EXPIRED: _("Expired"),
}

METHOD_LABELS = {
    "EQUAL_INSTALLMENT": _("Equal installments"),
    "EQUAL_PRINCIPAL": _("Equal principal"),
    "INTEREST_ONLY": _("Interest first, principal at the end"),
    "BULLET": _("Everything at the end"),
    "FLAT": _("Flat interest"),
}


class LoanApplication(models.Model):
    """One request for one loan."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Made with the form, so that a form sent twice is one application.
    request_key = models.CharField(_("key of the form"), max_length=80)
    borrower = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="applications"
    )
    product_version = models.ForeignKey(ProductVersion, on_delete=models.PROTECT)
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, null=True, blank=True)
    amount = MoneyField(_("amount"))
    installment_count = models.PositiveSmallIntegerField(_("installments"))
    method = models.CharField(_("method"), max_length=24, choices=METHOD_LABELS)
    purpose_code = models.CharField(_("purpose"), max_length=32)
    purpose_text = models.CharField(_("purpose in words"), max_length=200, blank=True)
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=APPLICATION_STATE_LABELS,
        default=ApplicationState.DRAFT,
    )
    assessment = models.ForeignKey(
        "risk.Assessment", on_delete=models.PROTECT, null=True, blank=True
    )
    approved_amount = MoneyField(_("approved amount"), null=True, blank=True)
    approved_rate = models.DecimalField(
        _("approved rate a year"), max_digits=9, decimal_places=8, null=True, blank=True
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decided_applications",
    )
    decision_note = models.CharField(_("note of the decision"), max_length=300, blank=True)
    business_date = models.DateField(_("business date"))
    created_at = models.DateTimeField(_("started at"))
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    class Meta:
        """Ties the states to the facts that they need."""

        verbose_name = _("application")
        verbose_name_plural = _("applications")
        permissions = [("decide_referral", _("Can decide applications referred to a person"))]
        indexes = [models.Index(fields=["state", "submitted_at"], name="application_queue")]
        constraints = [
            models.UniqueConstraint(
                fields=["borrower", "request_key"], name="application_form_sent_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="application_amount_positive"),
            models.CheckConstraint(
                condition=~Q(state__in=[ApplicationState.APPROVED, ApplicationState.SIGNED])
                | Q(
                    approved_amount__isnull=False,
                    approved_rate__isnull=False,
                    assessment__isnull=False,
                ),
                name="application_approved_has_offer",
            ),
            models.CheckConstraint(
                condition=Q(approved_amount__isnull=True)
                | Q(approved_amount__gt=0, approved_amount__lte=models.F("amount")),
                name="application_offer_within_request",
            ),
            # Nobody decides on their own application.
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=models.F("borrower")),
                name="application_not_decided_by_borrower",
            ),
        ]

    def __str__(self) -> str:
        """Return a short name for lists."""
        return f"{self.product_version.product} ¥{self.amount}"


class ApplicationStatusChange(AppendOnly):
    """Who moved an application from which state to which, when and why."""

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="status_changes"
    )
    from_state = models.CharField(max_length=16, choices=APPLICATION_STATE_LABELS)
    to_state = models.CharField(max_length=16, choices=APPLICATION_STATE_LABELS)
    reason = models.CharField(max_length=300, blank=True)
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True
    )
    actor_label = models.CharField(max_length=80)
    recorded_at = models.DateTimeField()

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("change of an application")
        verbose_name_plural = _("changes of applications")

    def __str__(self) -> str:
        """Return the transition."""
        return f"{self.from_state} → {self.to_state}"
