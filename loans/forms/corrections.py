"""What staff fill in to correct a loan: one form for each kind, all with reason and key."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from loans.engine.state import Buckets
from loans.forms.repay import AmountField
from loans.models.received_money import MoneyChannel
from loans.services.charge_offs import ChargeOff
from loans.services.commands import fingerprint_of
from loans.services.corrections import REASON_LENGTH_MAX, Correction
from loans.services.disputes import DisputeAnswer, DisputeOpening
from loans.services.due_dates import DueDateMove
from loans.services.received_money import REFERENCE_LENGTH_MAX, MoneyReceived, MoneyRecovered
from loans.services.refunds import CreditRefund
from loans.services.reversals import Reversal
from loans.services.waivers import Waiver
from zhixin.shared.money import Money

Choices = Sequence[tuple[str, str]]


class _DateInput(UnfoldAdminTextInputWidget):
    """A browser's own date field in the admin's dress."""

    input_type = "date"


def _amount(label: Any, *, required: bool = True) -> AmountField:  # noqa: ANN401 - lazy text.
    return AmountField(
        label=label,
        required=required,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class CorrectionForm(forms.Form):
    """The reason, the key that makes a form sent twice one order, and what the author saw."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=REASON_LENGTH_MAX,
        help_text=_("Kept for good. The borrower reads this in the history and the statement."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        error_messages={"required": _("Say why.")},
    )
    key = forms.UUIDField(widget=forms.HiddenInput)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    previewed = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order: Sequence[str] | None = None

    def __init__(self, *args: Any, choices: Choices = (), **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Offer the `choices` of this loan where the form has something to choose."""
        super().__init__(*args, **kwargs)
        for name in ("number", "dispute", "event"):
            field = self.fields.get(name)
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", _("Choose")), *choices]
        self.order_fields([name for name in self.fields if name != "reason"])

    @abstractmethod
    def correction(self) -> Correction:
        """Return the correction that a valid form asks for."""

    def digest(self) -> str:
        """Return what changes with each figure of a valid form and with its reason."""
        return fingerprint_of({**self.correction().body(), "reason": self.cleaned_data["reason"]})


class MoneyForm(CorrectionForm):
    """Money that came outside the rail."""

    amount = _amount(_("Amount received"))
    effective_date = forms.DateField(
        label=_("Came in on"),
        widget=_DateInput,
        help_text=_("The day the money arrived, also in the past: the loan counts it from there."),
    )
    channel = forms.ChoiceField(
        label=_("How it came"), choices=MoneyChannel.choices, widget=UnfoldAdminSelectWidget
    )
    reference = forms.CharField(
        label=_("Reference of the payment"),
        max_length=REFERENCE_LENGTH_MAX,
        help_text=_("As on the bank's statement or the receipt. It is booked once."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    kind: type[MoneyReceived] = MoneyReceived

    def correction(self) -> MoneyReceived:
        """Return the money as it came."""
        return self.kind(
            amount=self.cleaned_data["amount"],
            effective_date=self.cleaned_data["effective_date"],
            channel=MoneyChannel(self.cleaned_data["channel"]),
            reference=self.cleaned_data["reference"],
        )


class RecoveryForm(MoneyForm):
    """Money that came after the loan was written off."""

    kind = MoneyRecovered


class WaiverForm(CorrectionForm):
    """What is given up, by bucket."""

    penalty = _amount(_("Late charges"), required=False)
    interest = _amount(_("Interest"), required=False)
    fees = _amount(_("Fees"), required=False)
    principal = _amount(_("Principal"), required=False)

    def correction(self) -> Waiver:
        """Return the amounts; an empty field gives up nothing."""
        names = ("principal", "interest", "fees", "penalty")
        amounts = {name: self.cleaned_data[name] or Money.zero() for name in names}
        return Waiver(amounts=Buckets.of(**amounts))


class DueDateForm(CorrectionForm):
    """Which installment may be paid until when."""

    number = forms.ChoiceField(label=_("Installment"), widget=UnfoldAdminSelectWidget)
    payable_through = forms.DateField(label=_("Can be paid through"), widget=_DateInput)

    def correction(self) -> DueDateMove:
        """Return the move."""
        return DueDateMove(
            number=int(self.cleaned_data["number"]),
            payable_through=self.cleaned_data["payable_through"],
        )


class ChargeOffForm(CorrectionForm):
    """Nothing but the reason: all that is outstanding is written off."""

    def correction(self) -> ChargeOff:
        """Return the charge-off."""
        return ChargeOff()


class DisputeForm(CorrectionForm):
    """Which installment the borrower contests."""

    number = forms.ChoiceField(label=_("Installment"), widget=UnfoldAdminSelectWidget)

    def correction(self) -> DisputeOpening:
        """Return the dispute."""
        return DisputeOpening(number=int(self.cleaned_data["number"]))


class AnswerForm(CorrectionForm):
    """Which dispute is answered."""

    dispute = forms.ChoiceField(label=_("Dispute"), widget=UnfoldAdminSelectWidget)

    def correction(self) -> DisputeAnswer:
        """Return the answer."""
        return DisputeAnswer(dispute_id=UUID(self.cleaned_data["dispute"]))


class ReversalForm(CorrectionForm):
    """Which event was never made."""

    event = forms.ChoiceField(label=_("Event"), widget=UnfoldAdminSelectWidget)

    def correction(self) -> Reversal:
        """Return the reversal."""
        return Reversal(event_id=UUID(self.cleaned_data["event"]))


class RefundForm(CorrectionForm):
    """How much of the credit goes back to the borrower's account."""

    amount = _amount(_("Amount to pay back"))

    def correction(self) -> CreditRefund:
        """Return the refund."""
        return CreditRefund(amount=self.cleaned_data["amount"])
