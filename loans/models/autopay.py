"""Autopay: what a borrower authorized, what was announced, what was debited, and why it ended.

Every row is a fact; whether autopay is on is derived from them (`loans.engine.autopay`). Rules:
docs/autopay.md.
"""

from __future__ import annotations

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loans.models.loan import Loan
from loans.models.transfer import BankTransfer
from zhixin.shared.fields import EncryptedTextField, MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.templatetags.zhixin import money, plain_date

# A loan has one mandate in force: a new one needs the end of the one before.
_ONE_IN_FORCE = """
IF EXISTS (
    SELECT 1 FROM loans_autopaymandate m
    LEFT JOIN loans_autopayend e ON e.mandate_id = m.id
    WHERE m.loan_id = NEW.loan_id AND e.id IS NULL
) THEN
    RAISE EXCEPTION 'autopay_one_in_force: loan % has a mandate', NEW.loan_id
        USING ERRCODE = '23505';
END IF;
RETURN NEW;
"""
# No debit without a mandate in force, after two failures in a row (conduct CT-05), or of anything
# but a repayment of the mandate's own loan.
_DEBIT_ALLOWED = """
IF EXISTS (SELECT 1 FROM loans_autopayend WHERE mandate_id = NEW.mandate_id)
    OR (SELECT COUNT(*) FROM (
            SELECT t.state FROM loans_autopaydebit d
            JOIN loans_banktransfer t ON t.id = d.transfer_id
            WHERE d.mandate_id = NEW.mandate_id ORDER BY d.id DESC LIMIT 2
        ) latest WHERE latest.state = 'FAILED') = 2
    OR NOT EXISTS (
        SELECT 1 FROM loans_banktransfer t
        JOIN loans_autopaymandate m ON m.loan_id = t.loan_id
        WHERE t.id = NEW.transfer_id AND m.id = NEW.mandate_id AND t.purpose = 'REPAYMENT'
    )
THEN
    RAISE EXCEPTION 'autopay_debit_allowed: mandate % allows no debit', NEW.mandate_id
        USING ERRCODE = '23514';
END IF;
RETURN NEW;
"""


class AutopayEndReason(models.TextChoices):
    """Why a mandate ended."""

    TURNED_OFF = "TURNED_OFF", _("Turned off by the borrower")
    TWO_FAILURES = "TWO_FAILURES", _("Two debits in a row failed")
    CARD_CHANGED = "CARD_CHANGED", _("The account in the profile changed")
    LOAN_ENDED = "LOAN_ENDED", _("The loan ended")


class AutopayMandate(AppendOnly):
    """The borrower's authorization to collect what is due on one loan from one account."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    loan = models.ForeignKey(
        Loan, on_delete=models.PROTECT, related_name="autopay_mandates", verbose_name=_("loan")
    )
    text_version = models.PositiveSmallIntegerField(_("version of the text"))
    language = models.CharField(_("language of the text"), max_length=10)
    account_name = models.CharField(_("account holder"), max_length=120)
    card_number = EncryptedTextField(_("account"))
    card_last_four = models.CharField(_("account's last four digits"), max_length=4)
    granted_on = models.DateField(_("business date of the authorization"))
    granted_at = models.DateTimeField(_("authorized at"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))

    class Meta(AppendOnly.Meta):
        """A loan has one mandate in force."""

        verbose_name = _("autopay mandate")
        verbose_name_plural = _("autopay mandates")
        triggers = [
            *AppendOnly.Meta.triggers,
            pgtrigger.Trigger(
                name="one_in_force",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=_ONE_IN_FORCE,
            ),
        ]

    def __str__(self) -> str:
        """Return the contract number and the day of the authorization."""
        return f"{self.loan} {plain_date(self.granted_on)}"


class AutopayEnd(AppendOnly):
    """The end of a mandate: the borrower's word, or a rule's."""

    mandate = models.OneToOneField(
        AutopayMandate,
        on_delete=models.PROTECT,
        related_name="end",
        verbose_name=_("autopay mandate"),
    )
    reason = models.CharField(_("reason"), max_length=16, choices=AutopayEndReason)
    ended_on = models.DateField(_("business date of the end"))
    ended_at = models.DateTimeField(_("ended at"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("end of an autopay mandate")
        verbose_name_plural = _("ends of autopay mandates")

    def __str__(self) -> str:
        """Return the reason and the day."""
        return f"{self.get_reason_display()} {plain_date(self.ended_on)}"


class AutopayNotice(AppendOnly):
    """What a borrower was told in writing before a debit: the most it takes, and the day."""

    mandate = models.ForeignKey(
        AutopayMandate,
        on_delete=models.PROTECT,
        related_name="notices",
        verbose_name=_("autopay mandate"),
    )
    installment_number = models.PositiveSmallIntegerField(_("installment"))
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    debit_on = models.DateField(_("announced day"))
    amount = MoneyField(_("announced amount"))
    message = models.OneToOneField(
        "accounts.Message",
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("message"),
    )
    business_date = models.DateField(_("business date"))
    created_at = models.DateTimeField(_("written at"))

    class Meta(AppendOnly.Meta):
        """The same announcement is made once."""

        verbose_name = _("notice of a debit")
        verbose_name_plural = _("notices of debits")
        constraints = [
            models.UniqueConstraint(
                fields=["mandate", "installment_number", "attempt", "debit_on", "amount"],
                name="autopay_notice_once",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & Q(attempt__gte=1), name="autopay_notice_positive"
            ),
        ]

    def __str__(self) -> str:
        """Return the amount and the day."""
        return f"{money(self.amount)} {plain_date(self.debit_on)}"


class AutopayDebit(AppendOnly):
    """An attempt to collect an installment; the transfer tells what became of it."""

    mandate = models.ForeignKey(
        AutopayMandate,
        on_delete=models.PROTECT,
        related_name="debits",
        verbose_name=_("autopay mandate"),
    )
    installment_number = models.PositiveSmallIntegerField(_("installment"))
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    transfer = models.OneToOneField(
        BankTransfer,
        on_delete=models.PROTECT,
        related_name="autopay_debit",
        verbose_name=_("bank transfer"),
    )
    business_date = models.DateField(_("business date"))

    class Meta(AppendOnly.Meta):
        """An attempt is made once, and only under a mandate in force."""

        verbose_name = _("autopay debit")
        verbose_name_plural = _("autopay debits")
        triggers = [
            *AppendOnly.Meta.triggers,
            pgtrigger.Trigger(
                name="allowed",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=_DEBIT_ALLOWED,
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["mandate", "installment_number", "attempt"], name="autopay_attempt_once"
            ),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="autopay_attempt_positive"),
        ]

    def __str__(self) -> str:
        """Return the installment and the attempt."""
        return f"{self.installment_number}.{self.attempt}"
