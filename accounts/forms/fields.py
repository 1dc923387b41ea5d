"""Fields that read what people type: phone numbers, amounts of money, months."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Any

import phonenumbers
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from zhixin.shared.money import InvalidAmountError, Money
from zhixin.shared.typed_amounts import read_typed_amount

HOME_REGION = "CN"
HOME_COUNTRY_CODE = 86
_MOBILE = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }
)
MAX_AMOUNT = Money.parse("10000000")


def read_phone(text: str) -> str:
    """Return the mobile number in E.164, however it was typed. Raises ValidationError."""
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text), HOME_REGION)
    except phonenumbers.NumberParseException as error:
        raise ValidationError(
            _("Enter a mobile number of 11 digits, such as 138 0013 8000."), code="invalid"
        ) from error
    if number.country_code != HOME_COUNTRY_CODE:
        raise ValidationError(
            _("We can text numbers of mainland China only. With another number, use e-mail."),
            code="abroad",
        )
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _MOBILE:
        raise ValidationError(
            _("Enter a mobile number of 11 digits, such as 138 0013 8000."), code="invalid"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class PhoneField(forms.CharField):
    """A mobile number; cleans to E.164."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - a field's options.
        kwargs.setdefault("label", _("Phone number"))
        kwargs.setdefault("max_length", 30)
        kwargs.setdefault(
            "widget",
            forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
        )
        super().__init__(**kwargs)

    def clean(self, value: str | None) -> str:
        """Return the number in E.164; empty when none was given and none is needed."""
        text: str = super().clean(value)
        return read_phone(text) if text else ""


class AmountField(forms.CharField):
    """An amount of money as people write it: "8000", "8,000.00", "¥8000"; cleans to Money."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - a field's options.
        kwargs.setdefault(
            "widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: object) -> object:
        """Return Money without needless cents for the input; text as it was typed."""
        return str(value).removesuffix(".00") if isinstance(value, Money) else value

    def clean(self, value: str | None) -> Money | None:
        """Return the amount, or None when none was given and none is needed."""
        text: str = super().clean(value)
        if not text:
            return None
        try:
            amount = read_typed_amount(text)
        except InvalidAmountError as error:
            raise ValidationError(
                _("Enter an amount in yuan, such as 8000 or 8,000.50."), code="invalid"
            ) from error
        if amount.cents < 0:
            raise ValidationError(_("The amount cannot be below zero."), code="negative")
        if amount > MAX_AMOUNT:
            raise ValidationError(
                _("That is more than we can take in here. Is a zero too many?"), code="too_high"
            )
        return amount


class MonthField(forms.DateField):
    """A month such as 2021-03; cleans to its first day."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - a field's options.
        super().__init__(
            input_formats=["%Y-%m", "%Y/%m", "%Y.%m", "%Y-%m-%d"],
            widget=forms.DateInput(
                format="%Y-%m", attrs={"type": "month", "placeholder": "2021-03"}
            ),
            error_messages={"invalid": _("Enter a year and a month, such as 2021-03.")},
            **kwargs,
        )

    def clean(self, value: object) -> date | None:
        """Return the first day of the month."""
        day: date | None = super().clean(value)
        return day.replace(day=1) if day else None
