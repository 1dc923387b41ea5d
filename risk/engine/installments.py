"""Installments in twelfths of a year (30/360), for decisions asked for without a product's terms.

The product's own schedule decides in the application: day count and rounding are its own there.
"""

from __future__ import annotations

from decimal import Decimal

from zhixin.shared.money import Money, Rounding

MONTHS = 12


class UnknownMethodError(ValueError):
    """There is no arithmetic for this way of repaying."""


def twelfths_installment(
    principal: Money, annual_rate: Decimal, installment_count: int, method: str
) -> Money:
    """Return the largest monthly installment, rounded half up to the cent; r = annual rate / 12.

    EQUAL_INSTALLMENT: P * r / (1 - (1 + r)^-n), P / n when r is 0. EQUAL_PRINCIPAL: the first one,
    P / n + P * r. INTEREST_ONLY: the last one, P * (1 + r). BULLET: P * (1 + n * r).
    Source: docs/risk/affordability.md. Raises UnknownMethodError for another method.
    """
    amount, rate, count = principal.amount, annual_rate / MONTHS, installment_count
    if method == "EQUAL_INSTALLMENT":
        exact = amount * rate / (1 - (1 + rate) ** -count) if rate else amount / count
    elif method == "EQUAL_PRINCIPAL":
        exact = amount / count + amount * rate
    elif method == "INTEREST_ONLY":
        exact = amount * (1 + rate)
    elif method == "BULLET":
        exact = amount * (1 + count * rate)
    else:
        raise UnknownMethodError(f"There is no arithmetic for the method {method!r}.")
    return Money.rounded(exact, rounding=Rounding.HALF_UP)
