"""The work on one loan that is late, or whose borrower asked for a person."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from collections_app.engine.states import CaseState
from loans.engine.lifecycle import LoanStatus
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.money import Money

CASE_STATE_LABELS = {
    CaseState.OPEN: pgettext_lazy("case", "Open"),
    CaseState.CURED: _("Cured"),
    CaseState.PLAN: _("New plan agreed"),
    CaseState.CLOSED: _("Closed"),
}


class CaseQuerySet(models.QuerySet["Case"]):
    """Filters on cases."""

    def open(self) -> CaseQuerySet:
        """Return the cases that are being worked on."""
        return self.filter(state=CaseState.OPEN)

    def of_the_team(self) -> CaseQuerySet:
        """Return the cases that are open, and the ended ones that somebody has worked on."""
        return self.filter(Q(state=CaseState.OPEN) | Q(assigned_to__isnull=False))

    def to_work(self) -> CaseQuerySet:
        """Return the open cases that still need somebody: late now, or waiting for a person.

        A payment of today ends a case only in the night; it leaves the queue at once.
        """
        late_now = Q(loan__status=LoanStatus.OVERDUE, loan__days_past_due__gt=0)
        return self.open().filter(late_now | Q(person_asked_at__isnull=False))

    def in_order_of_work(self) -> CaseQuerySet:
        """Return who asked for a person first, then the longest overdue."""
        return self.order_by(
            models.F("person_asked_at").asc(nulls_last=True), "-days_past_due", "opened_on", "pk"
        )

    def for_update(self) -> CaseQuerySet:
        """Return the cases locked against other writers, always in the order of their keys."""
        return self.order_by("pk").select_for_update(of=("self",))


CaseManager = models.Manager.from_queryset(CaseQuerySet)


class Case(models.Model):
    """One stretch of work on one loan. Amount and days are the night's snapshot of the loan."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    loan = models.ForeignKey(
        "loans.Loan", on_delete=models.PROTECT, related_name="cases", verbose_name=_("loan")
    )
    state = models.CharField(
        _("state"), max_length=8, choices=CASE_STATE_LABELS, default=CaseState.OPEN
    )
    opened_on = models.DateField(_("opened on"))
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    refreshed_on = models.DateField(_("figures of"))
    days_past_due = models.PositiveIntegerField(_("days past due"), default=0)
    overdue_amount = MoneyField(_("overdue amount"), default=Money.zero)
    person_asked_at = models.DateTimeField(
        _("asked for a person at"),
        null=True,
        blank=True,
        help_text=_("Empty once somebody has spoken with them."),
    )
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="assigned_cases",
        verbose_name=_("case worker"),
    )
    next_action_on = models.DateField(_("next action on"), null=True, blank=True)

    objects: ClassVar[CaseManager[Case]] = CaseManager()

    class Meta:
        """At most one open case a loan."""

        verbose_name = _("case")
        verbose_name_plural = _("cases")
        permissions = [("work_case", _("Can work on cases"))]
        indexes = [
            models.Index(
                fields=["-days_past_due", "opened_on"],
                condition=Q(state=CaseState.OPEN),
                name="case_open_oldest_first",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["loan"], condition=Q(state=CaseState.OPEN), name="case_open_once_a_loan"
            ),
            models.CheckConstraint(
                condition=Q(state=CaseState.OPEN) ^ Q(closed_on__isnull=False),
                name="case_closed_date_unless_open",
            ),
            models.CheckConstraint(
                condition=Q(overdue_amount__gte=0), name="case_overdue_amount_not_negative"
            ),
        ]

    def __str__(self) -> str:
        """Return what staff call the case by."""
        return f"{self.loan} · {self.get_state_display()}"


class CaseChange(AppendOnly):
    """When a case opened or ended, by whom and why."""

    case = models.ForeignKey(
        Case, on_delete=models.PROTECT, related_name="changes", verbose_name=_("case")
    )
    from_state = models.CharField(
        max_length=8, choices=CASE_STATE_LABELS, blank=True, verbose_name=_("from state")
    )
    to_state = models.CharField(max_length=8, choices=CASE_STATE_LABELS, verbose_name=_("to state"))
    business_date = models.DateField(_("business date"))
    reason = models.CharField(_("reason"), max_length=40)
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=254, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("change of a case")
        verbose_name_plural = _("changes of cases")

    def __str__(self) -> str:
        """Return the transition."""
        return f"{self.from_state or '–'} → {self.to_state}"


class ContactChannel(models.TextChoices):
    """How a person was spoken with."""

    PHONE = "PHONE", _("Telephone")
    SMS = "SMS", _("Text message")
    EMAIL = "EMAIL", _("E-mail")
    WEB = "WEB", _("Website")
    IN_PERSON = "IN_PERSON", _("In person")


class ContactDirection(models.TextChoices):
    """Who contacted whom."""

    OUTBOUND = "OUTBOUND", _("We contacted them")
    INBOUND = "INBOUND", _("They contacted us")


class ContactOutcome(models.TextChoices):
    """What came of a contact."""

    NO_ANSWER = "NO_ANSWER", _("No answer")
    WRONG_NUMBER = "WRONG_NUMBER", _("The number is wrong")
    CALL_LATER = "CALL_LATER", _("Asked us to call later")
    WILL_PAY = "WILL_PAY", _("Will pay")
    CANNOT_PAY = "CANNOT_PAY", _("Cannot pay; told about the choices")
    CONTESTS = "CONTESTS", _("Contests what is owed")
    ASKED_FOR_PERSON = "ASKED_FOR_PERSON", _("Asked for a person")
    OTHER = "OTHER", _("Something else")


# Outcomes of a talk with the borrower: they count as conversations of the day (conduct CC-04).
CONVERSATIONS = (
    ContactOutcome.CALL_LATER,
    ContactOutcome.WILL_PAY,
    ContactOutcome.CANNOT_PAY,
    ContactOutcome.CONTESTS,
)


class ContactNote(AppendOnly):
    """One contact with a borrower, as it was. `gate_rule` is what the contact gate said then."""

    case = models.ForeignKey(
        Case, on_delete=models.PROTECT, related_name="notes", verbose_name=_("case")
    )
    channel = models.CharField(_("channel"), max_length=10, choices=ContactChannel)
    direction = models.CharField(_("direction"), max_length=8, choices=ContactDirection)
    outcome = models.CharField(_("outcome"), max_length=16, choices=ContactOutcome)
    text = models.TextField(_("note"), max_length=2000, blank=True)
    gate_rule = models.CharField(_("rule of the contact gate"), max_length=10, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    by_label = models.CharField(max_length=254, verbose_name=_("by, name"))
    at = models.DateTimeField(_("at"))

    class Meta(AppendOnly.Meta):
        """We contact nobody without the gate's word."""

        verbose_name = _("contact note")
        verbose_name_plural = _("contact notes")
        indexes = [models.Index(fields=["case", "at"], name="contact_note_of_case")]
        constraints = [
            models.CheckConstraint(
                condition=Q(direction=ContactDirection.INBOUND) | ~Q(gate_rule=""),
                name="contact_note_outbound_names_rule",
            )
        ]

    def __str__(self) -> str:
        """Return channel and outcome."""
        return f"{self.get_channel_display()} · {self.get_outcome_display()}"
