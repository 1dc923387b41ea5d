"""What a person types to ask for a loan: one small form for each page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loans.forms.repay import AmountField
from loans.models import Merchant, ProductVersion
from loans.models.application import METHOD_LABELS
from loans.models.purpose import OFFERED_PURPOSES, PURPOSE_LABELS
from zhixin.shared.money import Money

PURPOSE_TEXT_LENGTH = 200


class ProductForm(forms.Form):
    """Which kind of loan."""

    product = forms.ChoiceField(
        label=_("Kind of loan"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one.")},
    )

    def __init__(self, *args: Any, versions: list[ProductVersion], **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Offer the products of `versions`."""
        super().__init__(*args, **kwargs)
        self.fields["product"].choices = [  # type: ignore[attr-defined]  # A field with choices.
            (version.product.code, version.product.name) for version in versions
        ]


class MerchantForm(forms.Form):
    """Whom the loan pays, and for what."""

    merchant = forms.ChoiceField(
        label=_("Who is paid?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose who is to be paid.")},
    )
    purpose_text = forms.CharField(
        label=_("What do you buy there?"),
        max_length=PURPOSE_TEXT_LENGTH,
        help_text=_("A few words, such as “a washing machine”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, merchants: list[Merchant], **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Offer `merchants`."""
        super().__init__(*args, **kwargs)
        self.fields["merchant"].choices = [  # type: ignore[attr-defined]  # A field with choices.
            (str(merchant.public_id), merchant.name) for merchant in merchants
        ]


class AmountForm(forms.Form):
    """How much, for how long, repaid in which way."""

    amount = AmountField(label=_("How much?"))
    months = forms.TypedChoiceField(
        label=_("For how many months?"),
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose a term.")},
    )
    method = forms.ChoiceField(
        label=_("How do you want to repay?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one.")},
    )

    def __init__(self, *args: Any, version: ProductVersion, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Offer what the product's version allows."""
        super().__init__(*args, **kwargs)
        self.version = version
        self.fields["months"].choices = [  # type: ignore[attr-defined]  # A field with choices.
            (count, str(count)) for count in version.installment_counts
        ]
        self.fields["method"].choices = [  # type: ignore[attr-defined]  # A field with choices.
            (method, METHOD_LABELS[method]) for method in version.methods
        ]

    def clean_amount(self) -> Money:
        """Return the amount if the product lends it."""
        amount: Money = self.cleaned_data["amount"]
        least, most = self.version.minimum_amount, self.version.maximum_amount
        if not least <= amount <= most:
            raise forms.ValidationError(
                gettext("Choose an amount from ¥%(least)s to ¥%(most)s.")
                % {"least": f"{least.amount:,.0f}", "most": f"{most.amount:,.0f}"}
            )
        return amount


class PurposeForm(forms.Form):
    """What the money is for."""

    purpose_code = forms.ChoiceField(
        label=_("What is the money for?"),
        widget=forms.RadioSelect,
        choices=[(code, PURPOSE_LABELS[code]) for code in OFFERED_PURPOSES],
        error_messages={"required": _("Choose what fits best.")},
    )
    purpose_text = forms.CharField(
        label=_("In your own words"),
        max_length=PURPOSE_TEXT_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class SendForm(forms.Form):
    """The last page: the key that makes a form sent twice one application."""

    request_key = forms.UUIDField(widget=forms.HiddenInput)


class TakeForm(forms.Form):
    """How much of the offer the borrower takes."""

    amount = AmountField(label=_("Amount that you take"))
