"""A funded loan: its events (truth) and the projection of their fold (to be queried)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext_lazy as _

from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    PlanChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import Classification
from loans.models.agreement import Agreement
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.money import Money

LOAN_STATUS_LABELS = {
    LoanStatus.PENDING: _("Being paid out"),
    LoanStatus.ACTIVE: _("On time"),
    LoanStatus.OVERDUE: _("Late"),
    LoanStatus.PAID_OFF: _("Paid off"),
    LoanStatus.OVERPAID: _("Paid off, with credit left"),
    LoanStatus.CHARGED_OFF: _("Written off"),
}
CLASSIFICATION_LABELS = {
    Classification.NORMAL: _("Normal"),
    Classification.SPECIAL_MENTION: _("Special mention"),
    Classification.SUBSTANDARD: _("Substandard"),
    Classification.DOUBTFUL: _("Doubtful"),
    Classification.LOSS: _("Loss"),
}
# Kinds of events, and the steps of the night, as the journal and the history name them.
EVENT_LABELS = {
    Disbursed.kind: _("Payout"),
    Repaid.kind: _("Repayment"),
    Reversed.kind: _("Reversal"),
    Refunded.kind: _("Refund"),
    Waived.kind: _("Waiver"),
    PlanChanged.kind: _("Changed plan"),
    DueDateMoved.kind: _("Moved due date"),
    ChargedOff.kind: _("Charge-off"),
    Recovered.kind: _("Recovery"),
    Disputed.kind: _("Dispute"),
    DisputeResolved.kind: _("Answer to a dispute"),
}
# The borrower's own answer to it, which is none of ours.
WITHDRAWAL_LABEL = _("Dispute withdrawn")
# What a plan change did, by the first word of its reason: the second one is a number.
PLAN_CHANGE_LABELS = {
    "defer": _("The next due date moved by a month, and what remained with it."),
    "extend": _("A longer term at a lower rate."),
    "freeze": _("No interest for some months."),
}
REASON_LABELS = {
    **EVENT_LABELS,
    "BILLED": _("Installment due"),
    "AGED": _("A further day late"),
    "REBUILT": _("Corrected after a check of the books"),
}
OPEN_STATUSES = (LoanStatus.ACTIVE, LoanStatus.OVERDUE)
OWED_STATUSES = (*OPEN_STATUSES, LoanStatus.CHARGED_OFF)


class LoanQuerySet(models.QuerySet["Loan"]):
    """Filters on loans."""

    def for_update(self) -> LoanQuerySet:
        """Return the loans locked against other writers, always in the order of their keys."""
        return self.order_by("pk").select_for_update(of=("self",))

    def open(self) -> LoanQuerySet:
        """Return the loans that run: interest accrues, and the night looks after them."""
        return self.filter(status__in=OPEN_STATUSES)

    def owed(self) -> LoanQuerySet:
        """Return the loans on which something is owed, also those that were written off."""
        return self.filter(status__in=OWED_STATUSES)


LoanManager = models.Manager.from_queryset(LoanQuerySet)


class Loan(models.Model):
    """A signed loan. All but the first block of columns is the projection of the fold."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    borrower = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="loans",
        verbose_name=_("borrower"),
    )
    agreement = models.OneToOneField(
        Agreement, on_delete=models.PROTECT, related_name="loan", verbose_name=_("agreement")
    )
    principal = MoneyField(_("contract principal"))
    annual_rate = models.DecimalField(_("contract rate a year"), max_digits=9, decimal_places=8)
    created_at = models.DateTimeField(_("signed at"))

    status = models.CharField(
        _("status"), max_length=16, choices=LOAN_STATUS_LABELS, default=LoanStatus.PENDING
    )
    projected_as_of = models.DateField(_("projected as of"), null=True, blank=True)
    disbursed_on = models.DateField(_("paid out on"), null=True, blank=True)
    closed_on = models.DateField(_("paid off on"), null=True, blank=True)
    principal_outstanding = MoneyField(_("principal outstanding"), default=Money.zero)
    overdue_amount = MoneyField(_("overdue amount"), default=Money.zero)
    overpaid_amount = MoneyField(_("credit of the borrower"), default=Money.zero)
    next_due_date = models.DateField(_("next due date"), null=True, blank=True)
    next_due_amount = MoneyField(_("next amount due"), default=Money.zero)
    overdue_since = models.DateField(_("overdue since"), null=True, blank=True)
    days_past_due = models.PositiveIntegerField(_("days past due"), default=0)
    bucket = models.CharField(_("bucket"), max_length=4, default="M0")
    classification = models.CharField(
        _("classification"),
        max_length=24,
        choices=CLASSIFICATION_LABELS,
        default=Classification.NORMAL,
    )

    objects: ClassVar[LoanManager[Loan]] = LoanManager()

    class Meta:
        """Ties the status to the facts that it needs."""

        verbose_name = _("loan")
        verbose_name_plural = _("loans")
        permissions = [
            ("record_money", _("Can book money received outside the rail, and refund credit")),
            ("reverse_event", _("Can reverse an event of a loan")),
            ("waive_amounts", _("Can waive what is billed on a loan")),
            ("move_due_date", _("Can move a due date")),
            ("handle_dispute", _("Can open and answer a dispute")),
            ("charge_off_loan", _("Can write a loan off")),
            ("open_any_loan", _("Can open the desk and the documents of any loan")),
        ]
        indexes = [
            models.Index(fields=["borrower", "status"], name="loan_of_borrower"),
            models.Index(
                fields=["next_due_date"],
                condition=Q(status__in=[LoanStatus.ACTIVE, LoanStatus.OVERDUE]),
                name="loan_next_due",
            ),
            models.Index(
                fields=["overdue_since"],
                condition=Q(status=LoanStatus.OVERDUE),
                name="loan_overdue_since",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(principal__gt=0), name="loan_principal_positive"),
            models.CheckConstraint(
                condition=Q(status=LoanStatus.PENDING) | Q(disbursed_on__isnull=False),
                name="loan_funded_has_payout_date",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[LoanStatus.PAID_OFF, LoanStatus.OVERPAID])
                ^ Q(closed_on__isnull=True),
                name="loan_closed_date_when_paid_off",
            ),
            models.CheckConstraint(
                condition=Q(principal_outstanding__gte=0)
                & Q(overdue_amount__gte=0)
                & Q(overpaid_amount__gte=0),
                name="loan_balances_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[LoanStatus.OVERDUE, LoanStatus.CHARGED_OFF])
                | Q(days_past_due=0),
                name="loan_on_time_has_no_days_past_due",
            ),
        ]

    def __str__(self) -> str:
        """Return the contract number."""
        return self.agreement.number


class Installment(models.Model):
    """A scheduled payment: what is due and what of it is paid. A projection of the fold."""

    loan = models.ForeignKey(
        Loan, on_delete=models.CASCADE, related_name="installments", verbose_name=_("loan")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    due_date = models.DateField(_("due date"))
    payable_through = models.DateField(_("last day in time"))
    principal = MoneyField(_("principal"))
    interest = MoneyField(_("interest"))
    fees = MoneyField(_("fees"))
    penalty = MoneyField(_("penalty interest"))
    principal_paid = MoneyField(_("principal paid"))
    interest_paid = MoneyField(_("interest paid"))
    fees_paid = MoneyField(_("fees paid"))
    penalty_paid = MoneyField(_("penalty interest paid"))
    balance = MoneyField(_("principal left after it"))
    paid_on = models.DateField(_("paid on"), null=True, blank=True)

    class Meta:
        """One row a number."""

        verbose_name = _("installment")
        verbose_name_plural = _("installments")
        indexes = [
            models.Index(
                fields=["due_date"],
                condition=Q(paid_on__isnull=True),
                name="installment_open_by_due_date",
            ),
            models.Index(
                fields=["payable_through"],
                condition=Q(paid_on__isnull=True),
                name="installment_open_by_last_day",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["loan", "number"], name="installment_number_unique"),
            models.CheckConstraint(
                condition=Q(payable_through__gte=models.F("due_date")),
                name="installment_payable_through_its_due_date",
            ),
        ]

    def __str__(self) -> str:
        """Return the number and the due date."""
        return f"{self.number}: {self.due_date}"


class LoanEvent(AppendOnly):
    """A fact about a loan. The body is the engine's event; the rest says who recorded it, why."""

    event_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("event id")
    )
    loan = models.ForeignKey(
        Loan, on_delete=models.PROTECT, related_name="events", verbose_name=_("loan")
    )
    sequence = models.PositiveIntegerField(_("order of recording"))
    kind = models.CharField(_("kind"), max_length=24, choices=EVENT_LABELS)
    effective_date = models.DateField(_("effective date"))
    body = models.JSONField(_("body"))
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    transfer = models.ForeignKey(
        "loans.BankTransfer",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("bank transfer"),
    )
    command = models.OneToOneField(
        "loans.MoneyCommand",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="event",
        verbose_name=_("money command"),
    )
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta(AppendOnly.Meta):
        """Events are numbered, reversed once; a transfer makes one at most of each kind."""

        verbose_name = _("event of a loan")
        verbose_name_plural = _("events of loans")
        constraints = [
            models.UniqueConstraint(fields=["loan", "sequence"], name="loan_event_numbered"),
            models.UniqueConstraint(
                fields=["transfer", "kind"],
                condition=Q(transfer__isnull=False),
                name="loan_event_once_per_transfer",
            ),
            models.UniqueConstraint(
                KeyTextTransform("of", "body"),
                condition=Q(kind=Reversed.kind),
                name="loan_event_reversed_once",
            ),
        ]

    def __str__(self) -> str:
        """Return kind and date."""
        return f"{self.get_kind_display()} {self.effective_date}"

    @property
    def is_withdrawal(self) -> bool:
        """Return whether the borrower withdrew a dispute, which nobody else answered."""
        return self.kind == DisputeResolved.kind and self.actor_user_id == self.loan.borrower_id

    @property
    def label(self) -> str:
        """Return what the borrower reads as the event's name."""
        return str(WITHDRAWAL_LABEL if self.is_withdrawal else EVENT_LABELS[self.kind])

    @property
    def reason_text(self) -> str:
        """Return the reason in words: what a plan change did, or what was written down."""
        if self.kind != PlanChanged.kind:
            return self.reason
        return str(PLAN_CHANGE_LABELS.get(self.reason.partition(" ")[0], self.reason))


class LoanStatusChange(AppendOnly):
    """When a loan's status changed and by which event or night."""

    loan = models.ForeignKey(
        Loan, on_delete=models.PROTECT, related_name="status_changes", verbose_name=_("loan")
    )
    from_status = models.CharField(
        max_length=16, choices=LOAN_STATUS_LABELS, verbose_name=_("from status")
    )
    to_status = models.CharField(
        max_length=16, choices=LOAN_STATUS_LABELS, verbose_name=_("to status")
    )
    business_date = models.DateField(verbose_name=_("business date"))
    reason = models.CharField(_("reason"), max_length=120, choices=REASON_LABELS)
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(verbose_name=_("recorded at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("change of a loan's status")
        verbose_name_plural = _("changes of loans' status")

    def __str__(self) -> str:
        """Return the transition."""
        return f"{self.get_from_status_display()} → {self.get_to_status_display()}"
