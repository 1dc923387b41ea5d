"""What an underwriter decides."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from loans.forms.repay import AmountField
from loans.models.application import APPROVAL_REASONS, DECLINE_REASONS, DecisionReason
from loans.services.underwriting import Ruling
from zhixin.shared.money import Money

APPROVE = "approve"
DECLINE = "decline"
NOTE_LENGTH = 300


class RulingForm(forms.Form):
    """Approve (all of it, or less) or decline, with a coded reason and a note."""

    verdict = forms.ChoiceField(
        label=_("Decision"),
        choices=[(APPROVE, _("Approve")), (DECLINE, _("Decline"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose approve or decline.")},
    )
    amount = AmountField(
        label=_("Approved amount"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("Less than asked for is a smaller offer. Leave it out to decline."),
    )
    reason = forms.ChoiceField(
        label=_("Reason (the applicant reads it)"),
        choices=[
            ("", _("Choose a reason")),
            (
                _("For it"),
                [(reason.value, reason.label) for reason in APPROVAL_REASONS],
            ),
            (
                _("Against it"),
                [(reason.value, reason.label) for reason in DECLINE_REASONS],
            ),
        ],
        widget=UnfoldAdminSelectWidget,
        error_messages={"required": _("Choose the reason that drove the decision.")},
    )
    note = forms.CharField(
        label=_("Note for the file"),
        max_length=NOTE_LENGTH,
        help_text=_("What you looked at. The applicant may ask to see it."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, requested: Money, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Take what was asked for as the usual amount."""
        super().__init__(*args, **kwargs)
        self.requested = requested
        self.fields["amount"].initial = str(requested)

    def clean(self) -> dict[str, Any]:
        """Refuse an approval without an amount."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("verdict") == APPROVE and "amount" in cleaned and not cleaned["amount"]:
            self.add_error("amount", gettext("Enter the amount that you approve."))
        return cleaned

    def ruling(self) -> Ruling:
        """Return the decision of a valid form."""
        approves = self.cleaned_data["verdict"] == APPROVE
        return Ruling(
            amount=self.cleaned_data["amount"] if approves else None,
            reason=DecisionReason(self.cleaned_data["reason"]),
            note=self.cleaned_data["note"],
        )
