"""A borrower cannot repay: the budget, the offers that fit it, and the plan that was chosen."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from collections_app.engine.hardship import OfferKind
from collections_app.engine.states import PlanEnd, PlanState
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.money import Money

OFFER_KIND_LABELS = {
    OfferKind.DEFERRAL: _("Pay a month later"),
    OfferKind.LONGER_TERM: _("More time at a lower rate"),
    OfferKind.INTEREST_FREEZE: _("Some months without interest"),
}
PLAN_STATE_LABELS = {
    PlanState.KEPT: _("Being kept"),
    PlanState.COMPLETED: _("Completed"),
    PlanState.BROKEN: _("Broken"),
    PlanState.REPLACED: _("Replaced by another plan"),
    PlanState.WITHDRAWN: _("No longer in force"),
}
PLAN_END_LABELS = {
    PlanEnd.PAID_OFF: _("The loan was paid off"),
    PlanEnd.MISSED: _("A payment stayed out"),
    PlanEnd.REPLACED: _("Another plan was agreed"),
    PlanEnd.WRITTEN_OFF: _("The loan was written off"),
    PlanEnd.TAKEN_BACK: _("The change of the plan was taken back"),
}
BUDGET_FIELDS = (
    "income",
    "home",
    "food",
    "transport",
    "family",
    "priority_debts",
    "other_debts",
)


class HardshipReason(models.TextChoices):
    """Why somebody cannot repay as agreed; asked to help, never to judge."""

    LESS_INCOME = "LESS_INCOME", _("Less income, or it comes later")
    LOST_WORK = "LOST_WORK", _("Lost work")
    ILLNESS = "ILLNESS", _("Illness or an accident")
    FAMILY = "FAMILY", _("Something in the family")
    LARGE_COST = "LARGE_COST", _("A large cost that could not wait")
    TOO_MUCH_DEBT = "TOO_MUCH_DEBT", _("Too many debts at once")
    OTHER = "OTHER", _("Something else")


class RequestOutcome(models.TextChoices):
    """What came of a request."""

    OFFERS = "OFFERS", _("Plans to choose from")
    PERSON_NO_FIT = "PERSON_NO_FIT", _("A person: no plan fits the budget")
    PERSON_TOO_MANY = "PERSON_TOO_MANY", _("A person: two plans in twelve months")


class HardshipRequest(AppendOnly):
    """A budget, told once, and what it bears for one loan. The borrower makes a new one any time.

    `event_count` is the number of the loan's events that the offers are computed from.
    """

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    loan = models.ForeignKey(
        "loans.Loan",
        on_delete=models.PROTECT,
        related_name="hardship_requests",
        verbose_name=_("loan"),
    )
    key = models.UUIDField(_("key of the form"))
    reason = models.CharField(_("reason"), max_length=16, choices=HardshipReason)
    income = MoneyField(_("income a month"))
    home = MoneyField(_("home a month"))
    food = MoneyField(_("food and daily needs a month"))
    transport = MoneyField(_("transport and work a month"))
    family = MoneyField(_("family and health a month"))
    priority_debts = MoneyField(_("must be paid first, a month"))
    other_debts = MoneyField(_("owed to others in all"))
    later_income = MoneyField(_("income a month later"), null=True, blank=True)
    later_from = models.DateField(_("later income from"), null=True, blank=True)
    left_over = MoneyField(_("left over a month"))
    bearable = MoneyField(_("bearable for this loan a month"))
    bearable_later = MoneyField(_("bearable later"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=RequestOutcome)
    not_offered = models.JSONField(_("left out, and why"), default=list)
    policy_version = models.CharField(_("policy"), max_length=20)
    event_count = models.PositiveIntegerField(_("events of the loan"))
    business_date = models.DateField(_("business date"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=254, verbose_name=_("recorded by"))
    created_at = models.DateTimeField(_("told at"))

    class Meta(AppendOnly.Meta):
        """A form sent twice is one request; amounts are not negative."""

        verbose_name = _("request for help")
        verbose_name_plural = _("requests for help")
        constraints = [
            models.UniqueConstraint(fields=["loan", "key"], name="hardship_request_once_a_key"),
            models.CheckConstraint(
                condition=Q(**{f"{name}__gte": 0 for name in BUDGET_FIELDS}),
                name="hardship_budget_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(bearable__gte=0) & Q(bearable__lte=F("left_over")),
                name="hardship_bearable_within_left_over",
            ),
            models.CheckConstraint(
                condition=Q(
                    later_income__isnull=True,
                    later_from__isnull=True,
                    bearable_later__isnull=True,
                )
                | Q(
                    later_income__isnull=False,
                    later_from__isnull=False,
                    bearable_later__isnull=False,
                ),
                name="hardship_later_income_has_date",
            ),
        ]

    def __str__(self) -> str:
        """Return the reason and the date."""
        return f"{self.get_reason_display()} · {self.business_date}"


class HardshipOffer(AppendOnly):
    """One plan that the budget bears, with all its figures, good on one business date."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    request = models.ForeignKey(
        HardshipRequest,
        on_delete=models.PROTECT,
        related_name="offers",
        verbose_name=_("request for help"),
    )
    kind = models.CharField(_("kind"), max_length=16, choices=OFFER_KIND_LABELS)
    months = models.PositiveSmallIntegerField(_("months"))
    bearable = MoneyField(_("bearable then"))
    old_installment = MoneyField(_("installment so far"))
    new_installment = MoneyField(_("new installment"))
    old_end = models.DateField(_("end so far"))
    new_end = models.DateField(_("new end"))
    first_due_date = models.DateField(_("first payment on"))
    old_total = MoneyField(_("still to pay so far"))
    new_total = MoneyField(_("still to pay with the plan"))
    old_count = models.PositiveSmallIntegerField(_("payments so far"))
    new_count = models.PositiveSmallIntegerField(_("payments of the plan"))
    annual_rate_old = models.DecimalField(_("rate so far"), max_digits=9, decimal_places=8)
    annual_rate_new = models.DecimalField(_("new rate"), max_digits=9, decimal_places=8)
    interest_free_until = models.DateField(_("no interest through"), null=True, blank=True)
    waived_penalty = MoneyField(_("late charges given up"))
    credit_file_effect = models.CharField(_("effect on the credit file"), max_length=24)
    plan = models.JSONField(_("event of the loan"))
    schedule = models.JSONField(_("payments"))
    valid_on = models.DateField(_("good on"))
    created_at = models.DateTimeField(_("made at"))

    class Meta(AppendOnly.Meta):
        """What no offer may be: above the budget, dearer by the year (conduct HS-15, HS-17)."""

        verbose_name = _("offer of a plan")
        verbose_name_plural = _("offers of plans")
        constraints = [
            models.UniqueConstraint(fields=["request", "kind"], name="hardship_offer_once_a_kind"),
            models.CheckConstraint(
                condition=Q(new_installment__lte=F("bearable")) & Q(new_installment__gt=0),
                name="hardship_offer_within_budget",
            ),
            models.CheckConstraint(
                condition=Q(annual_rate_new__lte=F("annual_rate_old")),
                name="hardship_offer_rate_never_higher",
            ),
            models.CheckConstraint(
                condition=Q(first_due_date__gt=F("valid_on")) & Q(new_end__gte=F("first_due_date")),
                name="hardship_offer_dates_ordered",
            ),
        ]

    def __str__(self) -> str:
        """Return the kind."""
        return str(self.get_kind_display())

    @property
    def difference(self) -> Money:
        """Return what the plan costs more than going on as before; negative when less."""
        difference: Money = self.new_total - self.old_total
        return difference


class HardshipPlanQuerySet(models.QuerySet["HardshipPlan"]):
    """Filters on plans."""

    def kept(self) -> HardshipPlanQuerySet:
        """Return the plans that are in force."""
        return self.filter(state=PlanState.KEPT)


HardshipPlanManager = models.Manager.from_queryset(HardshipPlanQuerySet)


class HardshipPlan(models.Model):
    """An offer that the borrower accepted: an event on the loan, and a promise on our side."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    offer = models.OneToOneField(
        HardshipOffer,
        on_delete=models.PROTECT,
        related_name="acceptance",
        verbose_name=_("offer of a plan"),
    )
    loan = models.ForeignKey(
        "loans.Loan",
        on_delete=models.PROTECT,
        related_name="hardship_plans",
        verbose_name=_("loan"),
    )
    loan_event = models.OneToOneField(
        "loans.LoanEvent",
        on_delete=models.PROTECT,
        related_name="hardship_plan",
        verbose_name=_("event of a loan"),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=PLAN_STATE_LABELS, default=PlanState.KEPT
    )
    accepted_on = models.DateField(_("accepted on"))
    accepted_at = models.DateTimeField(_("accepted at"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=254, verbose_name=_("recorded by"))
    ended_on = models.DateField(_("ended on"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ended_by_label = models.CharField(max_length=254, blank=True, verbose_name=_("ended by, name"))
    end_reason = models.CharField(
        _("why it ended"), max_length=11, blank=True, choices=PLAN_END_LABELS
    )
    missed_on = models.DateField(_("due date of the missed payment"), null=True, blank=True)
    cure_through = models.DateField(
        _("kept if paid by"),
        null=True,
        blank=True,
        help_text=_("Counted from the day on which the borrower was told."),
    )

    objects: ClassVar[HardshipPlanManager[HardshipPlan]] = HardshipPlanManager()

    class Meta:
        """One plan of a loan is in force at a time."""

        verbose_name = _("accepted plan")
        verbose_name_plural = _("accepted plans")
        constraints = [
            models.UniqueConstraint(
                fields=["loan"], condition=Q(state=PlanState.KEPT), name="hardship_plan_kept_once"
            ),
            models.CheckConstraint(
                condition=Q(state=PlanState.KEPT)
                ^ (Q(ended_on__isnull=False) & Q(ended_at__isnull=False) & ~Q(ended_by_label="")),
                name="hardship_plan_ended_says_when_and_by_whom",
            ),
        ]

    def __str__(self) -> str:
        """Return kind and state."""
        return f"{self.offer} · {self.get_state_display()}"
