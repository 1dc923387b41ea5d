"""Money over the bank: what was ordered, what the bank said, and the command that began it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from loans.engine.lifecycle import LoanStatus, TransferState
from loans.engine.terms import PrepaymentEffect
from loans.models.loan import Loan
from zhixin.shared.fields import EncryptedTextField, MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.templatetags.zhixin import money, plain_date

TRANSFER_STATE_LABELS = {
    TransferState.PENDING: _("Waiting to be sent"),
    TransferState.SENT: _("With the bank"),
    TransferState.SUCCEEDED: _("Done"),
    TransferState.FAILED: _("Not done"),
    TransferState.REVERSED: _("Done, then the money came back"),
}
PREPAYMENT_LABELS = {
    PrepaymentEffect.NEXT_INSTALLMENTS: _("Pays the next installments"),
    PrepaymentEffect.SHORTEN_TERM: _("Shortens the term"),
    PrepaymentEffect.LOWER_INSTALLMENT: _("Lowers the installments"),
}


class TransferDirection(models.TextChoices):
    """Which way the money goes, seen from the lender."""

    PAYOUT = "PAYOUT", _("Paid out")
    DEBIT = "DEBIT", _("Collected")


class TransferPurpose(models.TextChoices):
    """Why the money moves."""

    DISBURSEMENT = "DISBURSEMENT", _("Payout of the loan")
    REPAYMENT = "REPAYMENT", _("Repayment")
    REFUND = "REFUND", _("Refund of credit")


class TransferChannel(models.TextChoices):
    """By which way of the bank the money moves."""

    CARD = "CARD", _("Bank card")
    ALIPAY_PAGE = "ALIPAY_PAGE", _("Alipay on a computer")
    ALIPAY_WAP = "ALIPAY_WAP", _("Alipay on a phone")
    ALIPAY_REFUND = "ALIPAY_REFUND", _("Back to the Alipay payment")


# The payer pays at the bank's own page; the order is known there once they have opened it.
CASHIER_CHANNELS = (TransferChannel.ALIPAY_PAGE, TransferChannel.ALIPAY_WAP)
SETTLED_STATES = (TransferState.SUCCEEDED, TransferState.FAILED, TransferState.REVERSED)
# The other side does not have the money.
NOT_ARRIVED_STATES = (TransferState.FAILED, TransferState.REVERSED)


class CommandKind(models.TextChoices):
    """What a money command orders."""

    REPAYMENT = "REPAYMENT", _("Repayment")
    RECORDED_REPAYMENT = "RECORDED_REPAYMENT", _("Money received outside the rail")
    RECOVERY = "RECOVERY", _("Recovery")
    REFUND = "REFUND", _("Refund of credit")
    PAYOUT = "PAYOUT", _("Payout sent again")
    REVERSAL = "REVERSAL", _("Reversal")
    WAIVER = "WAIVER", _("Waiver")
    DUE_DATE_MOVE = "DUE_DATE_MOVE", _("Moved due date")
    CHARGE_OFF = "CHARGE_OFF", _("Charge-off")
    DISPUTE = "DISPUTE", _("Dispute")
    DISPUTE_RESOLUTION = "DISPUTE_RESOLUTION", _("Answer to a dispute")


class MoneyCommand(AppendOnly):
    """An idempotency key that was used, bound to the fingerprint of what it asked for."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, verbose_name=_("owner")
    )
    key = models.CharField(max_length=80, verbose_name=_("key"))
    kind = models.CharField(max_length=24, choices=CommandKind, verbose_name=_("kind"))
    fingerprint = models.CharField(max_length=64, verbose_name=_("fingerprint"))
    recorded_at = models.DateTimeField(verbose_name=_("recorded at"))

    class Meta(AppendOnly.Meta):
        """A key is used once by its owner."""

        verbose_name = _("money command")
        verbose_name_plural = _("money commands")
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="money_command_key_once")
        ]

    def __str__(self) -> str:
        """Return kind and key."""
        return f"{self.get_kind_display()} {self.key}"


class BankTransferQuerySet(models.QuerySet["BankTransfer"]):
    """Filters on transfers."""

    def for_update(self) -> BankTransferQuerySet:
        """Return the transfers locked, in the order of their keys; lock the loan first."""
        return self.order_by("pk").select_for_update(of=("self",))

    def unsettled(self) -> BankTransferQuerySet:
        """Return the transfers whose outcome is not known."""
        return self.filter(state__in=[TransferState.PENDING, TransferState.SENT])

    def payouts_that_did_not_arrive(self) -> BankTransferQuerySet:
        """Return the payouts after which a loan still waits for its money, oldest first."""
        newer = BankTransfer.objects.filter(
            loan=OuterRef("loan"), purpose=TransferPurpose.DISBURSEMENT, pk__gt=OuterRef("pk")
        )
        return self.filter(
            ~Exists(newer),
            purpose=TransferPurpose.DISBURSEMENT,
            state__in=NOT_ARRIVED_STATES,
            loan__status=LoanStatus.PENDING,
        ).order_by("pk")


BankTransferManager = models.Manager.from_queryset(BankTransferQuerySet)


class BankTransfer(models.Model):
    """One movement of money. `public_id` is the reference that the bank must not do twice."""

    public_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, verbose_name=_("public id")
    )
    loan = models.ForeignKey(
        Loan, on_delete=models.PROTECT, related_name="transfers", verbose_name=_("loan")
    )
    command = models.OneToOneField(
        MoneyCommand,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="transfer",
        verbose_name=_("money command"),
    )
    direction = models.CharField(_("direction"), max_length=8, choices=TransferDirection)
    purpose = models.CharField(_("purpose"), max_length=16, choices=TransferPurpose)
    channel = models.CharField(
        _("way"), max_length=16, choices=TransferChannel, default=TransferChannel.CARD
    )
    amount = MoneyField(_("amount"))
    # The borrower's choice for what exceeds all that is due; empty leaves it to the terms.
    prepayment = models.CharField(
        _("what the surplus does"), max_length=20, choices=PREPAYMENT_LABELS, blank=True
    )
    # Empty where the payer chooses the account at the bank's page.
    account_name = models.CharField(_("account holder"), max_length=120, blank=True)
    card_number = EncryptedTextField(_("account"), blank=True)
    card_last_four = models.CharField(_("account's last four digits"), max_length=4, blank=True)
    refund_of = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds",
        verbose_name=_("payment that is refunded"),
    )
    expires_at = models.DateTimeField(_("can be paid until"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(
        _("the payer turned to another payment at"), null=True, blank=True
    )
    state = models.CharField(
        _("state"), max_length=12, choices=TRANSFER_STATE_LABELS, default=TransferState.PENDING
    )
    effective_date = models.DateField(_("business date on which it was asked for"))
    bank_reference = models.CharField(_("bank's reference"), max_length=64, blank=True)
    failure_code = models.CharField(_("why it was not done"), max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(_("times sent"), default=0)
    created_at = models.DateTimeField(_("asked for at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    bank_date = models.DateField(_("day of the bank's bill"), null=True, blank=True)

    objects: ClassVar[BankTransferManager[BankTransfer]] = BankTransferManager()

    class Meta:
        """A loan is paid out once; a settled transfer says when."""

        verbose_name = _("bank transfer")
        verbose_name_plural = _("bank transfers")
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=[TransferState.PENDING, TransferState.SENT]),
                name="transfer_unsettled",
            )
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(
                condition=Q(prepayment="") | Q(purpose=TransferPurpose.REPAYMENT),
                name="transfer_prepayment_of_repayment",
            ),
            models.UniqueConstraint(
                fields=["loan"],
                condition=Q(purpose=TransferPurpose.DISBURSEMENT)
                & ~Q(state__in=[TransferState.FAILED, TransferState.REVERSED]),
                name="transfer_pays_out_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=SETTLED_STATES) ^ Q(settled_at__isnull=True),
                name="transfer_settled_has_instant",
            ),
            models.CheckConstraint(
                condition=Q(channel__in=CASHIER_CHANNELS) ^ Q(expires_at__isnull=True),
                name="transfer_cashier_expires",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(channel__in=CASHIER_CHANNELS),
                name="transfer_withdrawn_cashier",
            ),
            models.CheckConstraint(
                condition=Q(channel=TransferChannel.ALIPAY_REFUND) ^ Q(refund_of__isnull=True),
                name="transfer_refund_has_payment",
            ),
            models.CheckConstraint(
                condition=~Q(channel=TransferChannel.CARD) | ~Q(card_last_four=""),
                name="transfer_card_has_number",
            ),
        ]

    def __str__(self) -> str:
        """Return purpose and amount."""
        return f"{self.get_purpose_display()} {money(self.amount)}"


class NoticeVerdict(models.TextChoices):
    """What a call-back of the bank came to."""

    APPLIED = "APPLIED", _("Applied")
    DUPLICATE = "DUPLICATE", _("Known already")
    CONFLICT = "CONFLICT", _("Contradicts what is known")
    UNMATCHED = "UNMATCHED", _("No such transfer")
    LATE = "LATE", _("Came after it was closed; applied")
    RETURNED = "RETURNED", _("The money came back")


class BankNotice(AppendOnly):
    """A call-back or query answer as it arrived, kept whatever it came to."""

    transfer = models.ForeignKey(
        BankTransfer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="notices",
        verbose_name=_("bank transfer"),
    )
    body = models.JSONField(_("body"))
    verdict = models.CharField(_("verdict"), max_length=12, choices=NoticeVerdict)
    received_at = models.DateTimeField(_("received at"))

    class Meta(AppendOnly.Meta):
        """Names the table's rows for people."""

        verbose_name = _("notice of the bank")
        verbose_name_plural = _("notices of the bank")

    def __str__(self) -> str:
        """Return the verdict and the lender's day."""
        return f"{self.get_verdict_display()} {plain_date(self.received_at)}"
