"""Settled money and named rounding.

`Money` is an amount that has been rounded: a whole number of minor units (分, cents) of the one
currency of this deployment. A `Decimal` is an amount that has not been rounded yet. Going from
one to the other always names the rounding rule, so the types say whether rounding has happened.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

MINOR_UNITS = 100
_EXACT = decimal.Context(prec=60)
_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})")


class Rounding(StrEnum):
    """How an amount between two minor units becomes one of them."""

    HALF_EVEN = "HALF_EVEN"
    HALF_UP = "HALF_UP"
    UP = "UP"
    DOWN = "DOWN"


_set_once = object.__setattr__

_DECIMAL_RULES = {
    Rounding.HALF_EVEN: decimal.ROUND_HALF_EVEN,
    Rounding.HALF_UP: decimal.ROUND_HALF_UP,
    Rounding.UP: decimal.ROUND_UP,
    Rounding.DOWN: decimal.ROUND_DOWN,
}


class InvalidAmountError(ValueError):
    """The value cannot be read as a settled amount of money."""


def round_to_multiple(amount: Decimal, *, multiple: Decimal, rounding: Rounding) -> Decimal:
    """Return the multiple of `multiple` that `rounding` picks for `amount`.

    HALF_UP and UP round away from zero, as Python's decimal module does.
    """
    steps = (_EXACT.divide(amount, multiple)).quantize(
        Decimal(1), rounding=_DECIMAL_RULES[rounding], context=_EXACT
    )
    return steps * multiple


def round_ratio(numerator: int, denominator: int, *, rounding: Rounding) -> int:
    """Return the whole number that `rounding` picks for numerator / denominator, exactly.

    The denominator is positive; HALF_UP and UP round away from zero, as `round_to_multiple` does.

    >>> round_ratio(5, 2, rounding=Rounding.HALF_EVEN)
    2
    >>> round_ratio(-5, 2, rounding=Rounding.HALF_UP)
    -3
    """
    return RATIO_RULES[rounding](numerator, denominator)


def _half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and whole % 2):
        return whole + 1
    return whole


def _half_up(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    # `whole` is the lower neighbor, so that half of a negative amount is at its place already.
    if twice > denominator or (twice == denominator and numerator > 0):
        return whole + 1
    return whole


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator) if numerator > 0 else numerator // denominator


def _down(numerator: int, denominator: int) -> int:
    return numerator // denominator if numerator > 0 else -(-numerator // denominator)


RATIO_RULES: Final[Mapping[Rounding, Callable[[int, int], int]]] = {
    Rounding.HALF_EVEN: _half_even,
    Rounding.HALF_UP: _half_up,
    Rounding.UP: _up,
    Rounding.DOWN: _down,
}
"""What `round_ratio` does for each rule, for a loop that looks its rule up once."""


@dataclass(frozen=True, slots=True, order=True, init=False)
class Money:
    """A settled amount: `cents` whole minor units. May be negative."""

    cents: int

    def __init__(self, cents: int) -> None:
        """Refuse anything but an exact whole number of minor units."""
        if type(cents) is not int:
            raise InvalidAmountError(f"Money needs whole cents, not {cents!r}.")
        _set_once(self, "cents", cents)

    @classmethod
    def zero(cls) -> Money:
        """Return 0.00."""
        return cls(0)

    @classmethod
    def rounded(cls, amount: Decimal, *, rounding: Rounding) -> Money:
        """Return `amount` (in major units) settled to cents by the named rule.

        >>> Money.rounded(Decimal("888.4879"), rounding=Rounding.HALF_EVEN)
        Money('888.49')
        """
        if type(amount) is not Decimal or not amount.is_finite():
            raise InvalidAmountError(f"Only a finite Decimal can be rounded, not {amount!r}.")
        cents = round_to_multiple(amount * MINOR_UNITS, multiple=Decimal(1), rounding=rounding)
        return cls(int(cents))

    @classmethod
    def parse(cls, text: str) -> Money:
        """Return the amount that `text` states exactly, such as "1234.5" or "-0.01".

        Raises InvalidAmountError when it is not a plain decimal number of at most two places; an
        exponent, a group of thousands or another script's digits are not plain.

        >>> Money.parse("12000")
        Money('12000.00')
        """
        try:
            plain = text.strip()
        except AttributeError as error:
            raise InvalidAmountError(f"{text!r} is not an amount of money.") from error
        if not _PLAIN_NUMBER.fullmatch(plain):
            raise InvalidAmountError(f"{text!r} is not an amount of money.")
        cents = _EXACT.multiply(Decimal(plain), MINOR_UNITS)
        if cents != cents.to_integral_value():
            raise InvalidAmountError(f"{text!r} has more than two decimal places.")
        return cls(int(cents))

    @property
    def amount(self) -> Decimal:
        """Return the amount in major units, with two decimal places."""
        return (Decimal(self.cents) / MINOR_UNITS).quantize(Decimal("0.01"), context=_EXACT)

    def split(self, weights: Sequence[int | Decimal]) -> tuple[Money, ...]:
        """Return parts proportional to `weights` that re-add to the whole.

        Largest remainder: every part is rounded toward zero first, the cents left go to the
        largest remainders, earlier parts first.

        >>> Money.parse("100").split([1, 1, 1])
        (Money('33.34'), Money('33.33'), Money('33.33'))
        """
        total_weight = sum(Decimal(weight) for weight in weights)
        if total_weight <= 0 or any(weight < 0 for weight in weights):
            raise InvalidAmountError("Weights must not be negative and must not all be zero.")
        sign = -1 if self.cents < 0 else 1
        exact = [
            _EXACT.divide(abs(self.cents) * Decimal(weight), total_weight) for weight in weights
        ]
        floors = [int(part) for part in exact]
        missing = abs(self.cents) - sum(floors)
        order = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
        for index in order[:missing]:
            floors[index] += 1
        parts = tuple(Money(sign * cents) for cents in floors)
        if total(parts) != self:
            raise AssertionError("The parts of a split must re-add to the whole.")
        return parts

    def __add__(self, other: object) -> Money:
        """Return the sum."""
        return Money(self.cents + other.cents) if isinstance(other, Money) else NotImplemented

    def __sub__(self, other: object) -> Money:
        """Return the difference."""
        return Money(self.cents - other.cents) if isinstance(other, Money) else NotImplemented

    def __neg__(self) -> Money:
        """Return the amount with the opposite sign."""
        return Money(-self.cents)

    def __mul__(self, count: int) -> Money:
        """Return `count` times the amount."""
        return Money(self.cents * count) if type(count) is int else NotImplemented

    def __bool__(self) -> bool:
        """Return whether the amount is not zero."""
        return self.cents != 0

    def __str__(self) -> str:
        """Return the plain form with two decimals, as commands and files write it."""
        return f"{self.amount:f}"

    def __repr__(self) -> str:
        """Return a form that shows type and amount."""
        return f"Money('{self}')"


def total(amounts: Iterable[Money]) -> Money:
    """Return the sum of `amounts`; 0.00 for none."""
    return Money(sum(amount.cents for amount in amounts))
