"""What a borrower types to pay."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from loans.engine.terms import PrepaymentEffect
from zhixin.shared.money import InvalidAmountError, Money
from zhixin.shared.typed_amounts import read_typed_amount


class AmountField(forms.CharField):
    """An amount as people type it: "1,234.5", "￥1234.50"; cleaned to Money. "1,50" is refused."""

    default_error_messages = {
        "invalid": _("Enter an amount such as 500 or 1234.50."),
        "not_positive": _("Enter an amount above zero."),
    }

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Ask phones for their number pad."""
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"widget": widget, "max_length": 20, **options})

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - Django's signature.
        """Return Money, or None when nothing was typed and nothing is needed."""
        text = super().clean(value)
        if not text:
            return None
        try:
            amount = read_typed_amount(text)
        except InvalidAmountError as error:
            raise forms.ValidationError(self.error_messages["invalid"], "invalid") from error
        if amount <= Money.zero():
            raise forms.ValidationError(self.error_messages["not_positive"], "not_positive")
        return amount


_NOT_TYPED = {"key", "compared", "prepayment", "quoted_on"}


class RepaymentForm(forms.Form):
    """How much, and the key that makes a form sent twice one payment.

    `confirmed` is shown only after the payment looked like one made before. `prepayment` is the
    choice for what exceeds everything due, made for the amount `compared`; `quoted_on` is the day
    whose figures the page showed.
    """

    amount = AmountField(label=_("Amount"))
    key = forms.UUIDField(widget=forms.HiddenInput)
    confirmed = forms.BooleanField(label=_("Yes, collect this amount as well"), required=False)
    prepayment = forms.TypedChoiceField(
        choices=[(effect.value, effect.value) for effect in PrepaymentEffect],
        coerce=PrepaymentEffect,
        empty_value=None,
        required=False,
    )
    compared = AmountField(required=False)
    quoted_on = forms.DateField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, today: datetime.date, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Note the business date whose figures the page shows."""
        super().__init__(*args, **options)
        self.today = today
        self.initial["quoted_on"] = today

    def shown_the_choice(self) -> bool:
        """Return whether the page that was sent compared the choices for this very amount."""
        shown: bool = self.cleaned_data["compared"] == self.cleaned_data["amount"]
        return shown

    def chosen(self) -> PrepaymentEffect | None:
        """Return the choice, None when none was made for this very amount."""
        chosen: PrepaymentEffect | None = self.cleaned_data["prepayment"]
        return chosen if self.shown_the_choice() else None

    def repaired(self, *, key: UUID) -> RepaymentForm:
        """Return the form, fit to be sent again when a part broke that nobody typed.

        Such a part cannot be marked, so the form says what to do and carries a new `key`.
        """
        broken = _NOT_TYPED & self.errors.keys()
        if not broken:
            return self
        data = {name: sent for name, sent in self.data.items() if name not in broken}
        data["key"] = str(key)
        form = RepaymentForm(data, today=self.today)
        form.add_error(
            None,
            _(
                "A part of this page was lost on the way, and nothing was paid. The page is loaded "
                "anew: check the amount and press the button again."
            ),
        )
        return form
