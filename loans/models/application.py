"""What a person asks for and what was decided."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loans.engine.lifecycle import ApplicationState
from loans.models.product import Merchant, ProductVersion
from loans.models.purpose import PURPOSE_LABELS
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.money import Money

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


OPEN_APPLICATION_STATES = (
    ApplicationState.SUBMITTED,
    ApplicationState.REFERRED,
    ApplicationState.APPROVED,
)


class DecisionReason(models.TextChoices):
    """Why an underwriter decided as they did; the borrower reads these sentences (DP-08)."""

    EVIDENCE_SUFFICIENT = (
        "EVIDENCE_SUFFICIENT",
        _("What you told us fits the documents that you sent."),
    )
    FITS_BUDGET = "FITS_BUDGET", _("The installment leaves you enough for the month.")
    SMALLER_FITS_BUDGET = (
        "SMALLER_FITS_BUDGET",
        _("A smaller amount leaves you enough for the month; the one you asked for would not."),
    )
    INCOME_NOT_SHOWN = (
        "INCOME_NOT_SHOWN",
        _("We could not see your income in the documents that you sent."),
    )
    INSTALLMENT_TOO_HIGH = (
        "INSTALLMENT_TOO_HIGH",
        _("The installment would take too much of what you earn in a month."),
    )
    DEBTS_TOO_HIGH = (
        "DEBTS_TOO_HIGH",
        _("Your other debts already take a large part of what you earn in a month."),
    )
    RECENT_ARREARS = "RECENT_ARREARS", _("A payment on another loan with us is or was late.")
    PURPOSE_NOT_ALLOWED = (
        "PURPOSE_NOT_ALLOWED",
        _("The money would be used for something that a consumer loan may not pay for."),
    )
    IDENTITY_UNCLEAR = (
        "IDENTITY_UNCLEAR",
        _("We could not match your details with your documents."),
    )


APPROVAL_REASONS = (
    DecisionReason.EVIDENCE_SUFFICIENT,
    DecisionReason.FITS_BUDGET,
    DecisionReason.SMALLER_FITS_BUDGET,
)
DECLINE_REASONS = (
    DecisionReason.INCOME_NOT_SHOWN,
    DecisionReason.INSTALLMENT_TOO_HIGH,
    DecisionReason.DEBTS_TOO_HIGH,
    DecisionReason.RECENT_ARREARS,
    DecisionReason.PURPOSE_NOT_ALLOWED,
    DecisionReason.IDENTITY_UNCLEAR,
)


class LoanApplicationQuerySet(models.QuerySet["LoanApplication"]):
    """Filters on applications."""

    def for_update(self, *, skip_locked: bool = False) -> LoanApplicationQuerySet:
        """Return the applications locked against other writers, without what they point to."""
        return self.select_for_update(of=("self",), skip_locked=skip_locked)

    def open(self) -> LoanApplicationQuerySet:
        """Return the applications that are being decided or wait for a signature."""
        return self.filter(state__in=OPEN_APPLICATION_STATES)

    def referred(self) -> LoanApplicationQuerySet:
        """Return the applications that wait for a person, oldest first."""
        return self.filter(state=ApplicationState.REFERRED).order_by("submitted_at", "pk")


LoanApplicationManager = models.Manager.from_queryset(LoanApplicationQuerySet)


class LoanApplication(models.Model):
    """One request for one loan."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    # Made with the form, so that a form sent twice is one application.
    request_key = models.CharField(_("key of the form"), max_length=80)
    borrower = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="applications",
        verbose_name=_("borrower"),
    )
    product_version = models.ForeignKey(
        ProductVersion, on_delete=models.PROTECT, verbose_name=_("product version")
    )
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("merchant")
    )
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
        "risk.Assessment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("assessment"),
    )
    approved_amount = MoneyField(_("approved amount"), null=True, blank=True)
    approved_rate = models.DecimalField(
        _("approved rate a year"), max_digits=9, decimal_places=8, null=True, blank=True
    )
    # What the borrower takes of the offer; unset until they choose less or accept less.
    chosen_amount = MoneyField(_("chosen amount"), null=True, blank=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="claimed_applications",
        verbose_name=_("taken up by"),
    )
    claimed_at = models.DateTimeField(_("taken up at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decided_applications",
        verbose_name=_("decided by"),
    )
    decision_reason = models.CharField(
        _("reason of the decision"), max_length=24, choices=DecisionReason, blank=True
    )
    decision_note = models.CharField(_("note of the decision"), max_length=300, blank=True)
    business_date = models.DateField(_("business date"))
    decision_date = models.DateField(_("business date of the decision"), null=True, blank=True)
    created_at = models.DateTimeField(_("started at"))
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    objects: ClassVar[LoanApplicationManager[LoanApplication]] = LoanApplicationManager()

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
            models.CheckConstraint(
                condition=Q(chosen_amount__isnull=True)
                | Q(chosen_amount__gt=0, chosen_amount__lte=models.F("approved_amount")),
                name="application_choice_within_offer",
            ),
            models.UniqueConstraint(
                fields=["borrower"],
                condition=Q(state__in=OPEN_APPLICATION_STATES),
                name="application_open_once",
            ),
            # A decision by a person says why in a code that the borrower can read.
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decision_reason=""),
                name="application_person_gives_reason",
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

    @property
    def purpose_label(self) -> str:
        """Return the purpose in words."""
        return str(PURPOSE_LABELS.get(self.purpose_code, self.purpose_code))

    @property
    def is_open(self) -> bool:
        """Return whether the application is being decided or waits for a signature."""
        return self.state in OPEN_APPLICATION_STATES

    @property
    def smaller_offer_waits(self) -> bool:
        """Return whether less was approved than asked for, and the borrower has not agreed yet."""
        return (
            self.approved_amount is not None
            and self.chosen_amount is None
            and self.approved_amount < self.amount
        )

    @property
    def contract_amount(self) -> Money | None:
        """Return the principal that a contract would have: the choice, else the offer."""
        amount: Money | None = self.chosen_amount or self.approved_amount
        return amount


class ApplicationStatusChange(AppendOnly):
    """Who moved an application from which state to which, when and why."""

    application = models.ForeignKey(
        LoanApplication,
        on_delete=models.PROTECT,
        related_name="status_changes",
        verbose_name=_("application"),
    )
    from_state = models.CharField(
        max_length=16, choices=APPLICATION_STATE_LABELS, verbose_name=_("from state")
    )
    to_state = models.CharField(
        max_length=16, choices=APPLICATION_STATE_LABELS, verbose_name=_("to state")
    )
    reason = models.CharField(max_length=300, blank=True, verbose_name=_("reason"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(verbose_name=_("recorded at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("change of an application")
        verbose_name_plural = _("changes of applications")
        constraints = [
            # A person looks again once; DP-05 asks for a human, not for a lottery.
            models.UniqueConstraint(
                fields=["application"],
                condition=Q(from_state=ApplicationState.DECLINED),
                name="application_reviewed_once",
            )
        ]

    def __str__(self) -> str:
        """Return the transition."""
        return f"{self.get_from_state_display()} → {self.get_to_state_display()}"
