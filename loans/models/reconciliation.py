"""The bank's daily bill beside our own books: the days compared, what differed, what was done."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from loans.models.transfer import BankTransfer
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.templatetags.zhixin import plain_date

DIFFERENCE_PERMISSION = "loans.resolve_difference"


class BankBill(AppendOnly):
    """One comparison of a day: the files as they came, and the sums of both sides.

    A day may be compared again; the comparison with the highest `run` counts. Sums of money that
    came in and went out are gross: fees stand apart.
    """

    bill_date = models.DateField(_("day"))
    run = models.PositiveSmallIntegerField(_("comparison"))
    trade_file = models.BinaryField(_("bill of trades, as it came"))
    account_file = models.BinaryField(_("bill of the account, as it came"))
    sha256 = models.CharField(_("digest of both files"), max_length=64)
    line_count = models.PositiveIntegerField(_("lines of the bank"))
    matched_count = models.PositiveIntegerField(_("lines that agree"))
    bank_in = MoneyField(_("came in, by the bank"))
    bank_out = MoneyField(_("went out, by the bank"))
    bank_fees = MoneyField(_("fees, by the bank"))
    our_in = MoneyField(_("came in, by our books"))
    our_out = MoneyField(_("went out, by our books"))
    actor_label = models.CharField(_("compared by"), max_length=80)
    recorded_at = models.DateTimeField(_("compared at"))

    class Meta(AppendOnly.Meta):
        """A comparison of a day has a number of its own."""

        verbose_name = _("day compared with the bank")
        verbose_name_plural = _("days compared with the bank")
        constraints = [
            models.UniqueConstraint(fields=["bill_date", "run"], name="bank_bill_run_once"),
            models.CheckConstraint(
                condition=Q(matched_count__lte=models.F("line_count")), name="bank_bill_matched"
            ),
        ]

    def __str__(self) -> str:
        """Return the day."""
        return plain_date(self.bill_date)


class DifferenceKind(models.TextChoices):
    """In what the bank and our books differ."""

    MISSING_WITH_US = "MISSING_WITH_US", _("The bank has it, we do not")
    MISSING_AT_BANK = "MISSING_AT_BANK", _("We have it, the bank does not")
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS", _("The amounts differ")
    STATE_DIFFERS = "STATE_DIFFERS", _("Done at the bank, not with us")
    DUPLICATE_AT_BANK = "DUPLICATE_AT_BANK", _("Twice in the bank's bill")
    FEE = "FEE", _("The bank took a fee")
    LATE_SUCCESS = "LATE_SUCCESS", _("Paid after we had closed it; booked")
    RETURNED = "RETURNED", _("The money came back after it was done")
    CONTRADICTION = "CONTRADICTION", _("The bank's word contradicts what is known")
    TAKEN_BACK = "TAKEN_BACK", _("Our journal took back what the bank did not")


class BankDifferenceQuerySet(models.QuerySet["BankDifference"]):
    """Filters on differences."""

    def waiting(self) -> BankDifferenceQuerySet:
        """Return the differences that nobody has settled, oldest first."""
        settled = DifferenceStep.objects.filter(difference=OuterRef("pk"), kind__in=SETTLING_STEPS)
        return self.filter(~Exists(settled)).order_by("pk")

    def for_update(self) -> BankDifferenceQuerySet:
        """Return the differences locked, in the order of their keys."""
        return self.order_by("pk").select_for_update(of=("self",))


BankDifferenceManager = models.Manager.from_queryset(BankDifferenceQuerySet)


class BankDifference(AppendOnly):
    """One difference with the evidence of both sides; `fingerprint` keeps it from coming twice."""

    kind = models.CharField(_("kind"), max_length=20, choices=DifferenceKind)
    bill = models.ForeignKey(
        BankBill,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="differences",
        verbose_name=_("day compared with the bank"),
    )
    transfer = models.ForeignKey(
        BankTransfer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="differences",
        verbose_name=_("bank transfer"),
    )
    on_date = models.DateField(_("day"))
    reference = models.CharField(_("our reference"), max_length=64, blank=True)
    bank_reference = models.CharField(_("bank's reference"), max_length=64, blank=True)
    bank_amount = MoneyField(_("amount by the bank"), null=True, blank=True)
    our_amount = MoneyField(_("amount with us"), null=True, blank=True)
    bank_side = models.JSONField(_("the bank's words"))
    our_side = models.JSONField(_("our words"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True)
    recorded_at = models.DateTimeField(_("found at"))

    objects: ClassVar[BankDifferenceManager[BankDifference]] = BankDifferenceManager()

    class Meta(AppendOnly.Meta):
        """Staff settle differences by a permission of their own."""

        verbose_name = _("difference with the bank")
        verbose_name_plural = _("differences with the bank")
        permissions = [("resolve_difference", _("Can settle differences with the bank"))]
        indexes = [models.Index(fields=["on_date"], name="bank_difference_by_date")]

    def __str__(self) -> str:
        """Return kind and day."""
        return f"{self.get_kind_display()}, {plain_date(self.on_date)}"


class DifferenceStepKind(models.TextChoices):
    """What somebody did about a difference."""

    CLAIMED = "CLAIMED", _("Taken on")
    RELEASED = "RELEASED", _("Given back")
    ASKED = "ASKED", _("The bank was asked again")
    BOOKED = "BOOKED", _("Booked to the loan")
    EXPLAINED = "EXPLAINED", _("Explained")
    REPEATED = "REPEATED", _("The bank said the same again")
    CAME_BACK = "CAME_BACK", _("The bank took it back too")


SETTLING_STEPS = (
    DifferenceStepKind.BOOKED,
    DifferenceStepKind.EXPLAINED,
    DifferenceStepKind.CAME_BACK,
)


class DifferenceStep(AppendOnly):
    """Who did what about a difference, when and why."""

    difference = models.ForeignKey(
        BankDifference,
        on_delete=models.PROTECT,
        related_name="steps",
        verbose_name=_("difference with the bank"),
    )
    kind = models.CharField(_("what was done"), max_length=12, choices=DifferenceStepKind)
    reason = models.TextField(_("why"), blank=True)
    body = models.JSONField(_("what the bank said"), default=dict)
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
        """A difference is settled once, and an explanation says something."""

        verbose_name = _("step on a difference")
        verbose_name_plural = _("steps on differences")
        constraints = [
            models.UniqueConstraint(
                fields=["difference"],
                condition=Q(kind__in=SETTLING_STEPS),
                name="difference_settled_once",
            ),
            models.CheckConstraint(
                condition=~Q(kind=DifferenceStepKind.EXPLAINED) | ~Q(reason=""),
                name="difference_explained_with_reason",
            ),
        ]

    def __str__(self) -> str:
        """Return what was done and when."""
        return f"{self.get_kind_display()} {plain_date(self.recorded_at)}"
