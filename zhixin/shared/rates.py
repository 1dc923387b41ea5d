"""Rates are Decimal fractions a year: 0.18 is eighteen percent. Never percent, never float."""

from __future__ import annotations

import decimal
from decimal import Decimal


class InvalidRateError(ValueError):
    """The value cannot be read as a rate."""


def parse_rate(text: str) -> Decimal:
    """Return the yearly rate that `text` states as a fraction ("0.18").

    Raises InvalidRateError for anything but a finite, non-negative decimal number.
    """
    try:
        rate = Decimal(text)
    except (decimal.InvalidOperation, TypeError) as error:
        raise InvalidRateError(f"{text!r} is not a rate.") from error
    if not rate.is_finite() or rate < 0:
        raise InvalidRateError(f"{text!r} is not a rate.")
    return rate


def percent_text(rate: Decimal, *, places: int = 2) -> str:
    """Return the rate as percent with `places` decimals, rounded half up, for people to read.

    >>> percent_text(Decimal("0.1268250"))
    '12.68%'
    """
    step = Decimal(1).scaleb(-places)
    return f"{(rate * 100).quantize(step, rounding=decimal.ROUND_HALF_UP):f}%"
