"""Money that reached the lender outside the rail, and where it came from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loans.models.loan import LoanEvent
from zhixin.shared.models import AppendOnly


class MoneyChannel(models.TextChoices):
    """How money came that no order of ours had asked for."""

    BANK_TRANSFER = "BANK_TRANSFER", _("Transfer to our bank account")
    WALLET = "WALLET", _("Payment app")
    COUNTER = "COUNTER", _("Cash at the counter")
    COURT = "COURT", _("Through a court")


class ReceivedMoney(AppendOnly):
    """The receipt behind an event of money: its channel and the reference it came with.

    A reference is booked once. After a reversal (booked on the wrong loan, for example) it may be
    booked again; `use` counts the bookings and the pair stays unique.
    """

    event = models.OneToOneField(
        LoanEvent,
        on_delete=models.PROTECT,
        related_name="received_money",
        verbose_name=_("event of a loan"),
    )
    channel = models.CharField(_("channel"), max_length=16, choices=MoneyChannel)
    reference = models.CharField(_("reference of the payment"), max_length=64)
    use = models.PositiveSmallIntegerField(_("time of booking"), default=1)

    class Meta(AppendOnly.Meta):
        """A reference is booked once, and again only after a reversal."""

        verbose_name = _("money received outside the rail")
        verbose_name_plural = _("money received outside the rail")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "reference", "use"], name="received_money_booked_once"
            ),
            models.CheckConstraint(condition=~Q(reference=""), name="received_money_has_reference"),
        ]

    def __str__(self) -> str:
        """Return channel and reference."""
        return f"{self.get_channel_display()} {self.reference}"
