"""What is offered: products, their dated versions, and the merchants of scenario loans."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from zhixin.shared.business_days import BusinessCalendar
from zhixin.shared.fields import EncryptedTextField, MoneyField
from zhixin.shared.models import AppendOnly


class Scenario(models.TextChoices):
    """What a consumer loan pays for; PERSONAL is the personal credit loan without a merchant."""

    PERSONAL = "PERSONAL", _("Personal credit")
    SHOPPING = "SHOPPING", _("Shopping")
    TRAVEL = "TRAVEL", _("Travel")
    MEDICAL = "MEDICAL", _("Medical care")
    EDUCATION = "EDUCATION", _("Education")


CALENDAR_LABELS = {"": _("None: the due date is the last day"), BusinessCalendar.CN: _("China")}


class Product(models.Model):
    """A kind of loan that people may ask for."""

    code = models.SlugField(_("code"), unique=True)
    scenario = models.CharField(_("scenario"), max_length=16, choices=Scenario)
    name_en = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=80)
    summary_en = models.CharField(_("summary in English"), max_length=200)
    summary_zh = models.CharField(_("summary in Chinese"), max_length=200)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("offered"), default=True)

    class Meta:
        """Names the table's rows for people."""

        verbose_name = _("product")
        verbose_name_plural = _("products")

    def __str__(self) -> str:
        """Return the name in the reader's language."""
        return self.name

    @property
    def name(self) -> str:
        """Return the name in the language in force."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name_en

    @property
    def summary(self) -> str:
        """Return the summary in the language in force."""
        return self.summary_zh if (get_language() or "").startswith("zh") else self.summary_en

    @property
    def needs_merchant(self) -> bool:
        """Return whether the loan is paid to a merchant."""
        return self.scenario != Scenario.PERSONAL


class ProductVersion(AppendOnly):
    """The rules of a product from a date on. A loan keeps the version that it was signed on."""

    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="versions", verbose_name=_("product")
    )
    number = models.PositiveIntegerField(_("version"))
    effective_from = models.DateField(_("effective from"))
    minimum_amount = MoneyField(_("smallest amount"))
    maximum_amount = MoneyField(_("largest amount"))
    installment_counts = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=pgettext_lazy("numbers of installments", "terms"),
    )
    methods = ArrayField(models.CharField(max_length=24), verbose_name=_("methods"))
    day_count = models.CharField(_("day count"), max_length=16)
    rounding = models.CharField(_("rounding"), max_length=16)
    penalty_uplift = models.DecimalField(_("penalty uplift"), max_digits=9, decimal_places=8)
    penalty_grace_days = models.PositiveSmallIntegerField(_("days of grace before penalty"))
    all_in_cap = models.DecimalField(_("all-in cap a year"), max_digits=9, decimal_places=8)
    allocation = ArrayField(models.CharField(max_length=16), verbose_name=_("allocation order"))
    late_allocation = models.JSONField(
        _("allocation order of late loans"), default=list, blank=True
    )  # As `LateAllocation.to_json` writes them.
    calendar = models.CharField(
        _("business calendar"),
        max_length=8,
        choices=CALENDAR_LABELS,
        default="",
        blank=True,
        help_text=_("Whose weekends and holidays move the last day to pay to the next working day"),
    )

    class Meta(AppendOnly.Meta):
        """Keeps the ranges sound."""

        verbose_name = _("product version")
        verbose_name_plural = _("product versions")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "number"], name="product_version_number_unique"
            ),
            models.CheckConstraint(
                condition=Q(minimum_amount__gt=0)
                & Q(maximum_amount__gte=models.F("minimum_amount")),
                name="product_version_amounts_ordered",
            ),
            # PR-05 (conduct): no new loan above 24 % all-in.
            models.CheckConstraint(
                condition=Q(all_in_cap__lte="0.24"), name="product_version_within_legal_cap"
            ),
            # PR-14: the uplift of the overdue rate is at most half of the contract rate.
            models.CheckConstraint(
                condition=Q(penalty_uplift__gte=0) & Q(penalty_uplift__lte="0.5"),
                name="product_version_penalty_uplift_lawful",
            ),
            models.CheckConstraint(
                condition=Q(calendar__in=CALENDAR_LABELS), name="product_version_calendar_known"
            ),
        ]

    def __str__(self) -> str:
        """Return the product and the version's number."""
        return f"{self.product} v{self.number}"


class Merchant(models.Model):
    """Who sells what a consumer loan pays for; the loan is paid out to its account."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    scenario = models.CharField(_("scenario"), max_length=16, choices=Scenario)
    name_en = models.CharField(_("name in English"), max_length=120)
    name_zh = models.CharField(_("name in Chinese"), max_length=120)
    card_number = EncryptedTextField(_("bank account"))
    account_name = models.CharField(_("account holder"), max_length=120)
    active = models.BooleanField(_("accepted"), default=True)

    class Meta:
        """A merchant always belongs to a consumer scenario."""

        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")
        constraints = [
            models.CheckConstraint(
                condition=~Q(scenario=Scenario.PERSONAL), name="merchant_has_consumer_scenario"
            )
        ]

    def __str__(self) -> str:
        """Return the name in the reader's language."""
        return self.name

    @property
    def name(self) -> str:
        """Return the name in the language in force."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name_en
