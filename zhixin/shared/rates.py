"""Rates are Decimal fractions a year: 0.18 is eighteen percent. Never percent, never float."""

from __future__ import annotations

import decimal
from decimal import Decimal


def percent_text(rate: Decimal, *, places: int = 2) -> str:
    """Return the rate as percent with `places` decimals, rounded half up, for people to read.

    >>> percent_text(Decimal("0.1268250"))
    '12.68%'
    """
    step = Decimal(1).scaleb(-places)
    return f"{(rate * 100).quantize(step, rounding=decimal.ROUND_HALF_UP):f}%"
