"""What a visitor may type: into the calculator, the flat-rate converter, a quiz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from education.models import QuizQuestion
from education.selectors import CalculatorProduct
from loans.engine.terms import Method
from zhixin.shared.money import InvalidAmountError, Money
from zhixin.shared.typed_amounts import read_typed_amount

METHOD_CHOICES = [
    (Method.EQUAL_INSTALLMENT.value, _("The same amount every month")),
    (Method.EQUAL_PRINCIPAL.value, _("A little less every month")),
]
FLAT_FEE_MAX_PERCENT = Decimal(5)
FLAT_MONTHS_MAX = 60


class AmountField(forms.CharField):
    """An amount of money between two bounds, typed with or without thousands separators."""

    def __init__(self, *, least: Money, most: Money, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature.
        super().__init__(max_length=20, **kwargs)
        self.least = least
        self.most = most

    def to_python(self, value: object) -> Any:  # noqa: ANN401 - Django's signature.
        """Return Money, or the empty value."""
        text = super().to_python(value)
        if not text:
            return text
        try:
            amount = read_typed_amount(text)
        except InvalidAmountError as error:
            raise ValidationError(_("Enter an amount such as 12000.")) from error
        if not self.least <= amount <= self.most:
            raise ValidationError(
                _("Enter an amount from ¥%(least)s to ¥%(most)s."),
                params={
                    "least": f"{self.least.cents // 100:,}",
                    "most": f"{self.most.cents // 100:,}",
                },
            )
        return amount

    def run_validators(self, value: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Skip the validators of text; the bounds have been checked."""


class CalculatorForm(forms.Form):
    """Amount, term and method of a loan to try out."""

    def __init__(self, data: Mapping[str, Any] | None, *, product: CalculatorProduct) -> None:
        super().__init__(data if data is not None else calculator_start(product))
        self.product = product
        self.fields["amount"] = AmountField(
            label=_("Amount"),
            least=product.amount_min,
            most=product.amount_max,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            error_messages={"required": _("Enter an amount such as 12000.")},
        )
        months_error = _("Choose from %(least)d to %(most)d months.") % {
            "least": product.months_min,
            "most": product.months_max,
        }
        self.fields["months"] = forms.IntegerField(
            label=_("Months"),
            min_value=product.months_min,
            max_value=product.months_max,
            widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            error_messages=dict.fromkeys(
                ("required", "invalid", "min_value", "max_value"), months_error
            ),
        )
        self.fields["method"] = forms.ChoiceField(
            label=_("How you repay"),
            choices=METHOD_CHOICES,
            widget=forms.RadioSelect,
            error_messages={
                "required": _("Choose how you repay."),
                "invalid_choice": _("Choose how you repay."),
            },
        )


def calculator_start(product: CalculatorProduct) -> dict[str, str]:
    """Return what the calculator shows before anything is typed."""
    return {
        "amount": str(product.amount_start.cents // 100),
        "months": str(product.months_start),
        "method": Method.EQUAL_INSTALLMENT.value,
    }


class FlatRateForm(forms.Form):
    """A flat fee a month, in percent as advertisements write it, and the number of months."""

    percent = forms.DecimalField(
        label=_("Flat fee a month, in percent"),
        min_value=Decimal("0.01"),
        max_value=FLAT_FEE_MAX_PERCENT,
        decimal_places=3,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={
            key: _("Enter a percentage from 0.01 to 5, such as 0.6.")
            for key in ("required", "invalid", "min_value", "max_value", "max_decimal_places")
        },
    )
    months = forms.IntegerField(
        label=_("Months"),
        min_value=1,
        max_value=FLAT_MONTHS_MAX,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            key: _("Choose from 1 to 60 months.")
            for key in ("required", "invalid", "min_value", "max_value")
        },
    )

    def __init__(self, data: Mapping[str, Any] | None) -> None:
        super().__init__(data if data is not None else {"percent": "0.6", "months": "12"})


class QuizForm(forms.Form):
    """One choice a question; the values are option indexes from 0."""

    def __init__(
        self, data: Mapping[str, Any] | None, *, questions: Sequence[QuizQuestion]
    ) -> None:
        super().__init__(data)
        for question in questions:
            self.fields[field_name(question)] = forms.TypedChoiceField(
                label=question.question,
                choices=list(enumerate(question.options)),
                coerce=int,
                widget=forms.RadioSelect,
                error_messages={
                    "required": _("Choose an answer."),
                    "invalid_choice": _("Choose an answer."),
                },
            )
        self.questions = questions

    def chosen(self) -> dict[int, int]:
        """Return the chosen option index by the question's position."""
        return {
            question.position: self.cleaned_data[field_name(question)]
            for question in self.questions
        }


def field_name(question: QuizQuestion) -> str:
    """Return the name of the question's field."""
    return f"question-{question.position}"
