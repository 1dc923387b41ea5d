"""Reads JSON documents strictly: a wrong type or an unknown key is an error that names it.

Amounts and rates stand in documents as text ("1234.50", "0.18") or as numbers read by
`json.loads(…, parse_float=Decimal)`; a binary fraction is refused: it is not what was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from zhixin.shared.money import InvalidAmountError, Money

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")


# Nothing that a document states is as large as ten to this power.
MAX_EXPONENT = 15


class DocumentError(ValueError):
    """A document does not say what it has to say; the message names the place."""


def canonical_json(document: object) -> str:
    """Return the one text that stands for `document`: sorted keys, no spaces, no escapes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(document: object) -> str:
    """Return the SHA-256 of the canonical text of `document`, in hex."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


class DocumentReader:
    """Takes the keys of one JSON object, each with its type; `finish` refuses what is left."""

    def __init__(self, document: object, *, where: str) -> None:
        """Start reading `document`, which is called `where` in errors."""
        if not isinstance(document, Mapping):
            raise DocumentError(f"{where} must be an object.")
        self.where = where
        self._left: dict[str, object] = {str(key): value for key, value in document.items()}

    def finish(self) -> None:
        """Refuse keys that nothing has asked for."""
        if self._left:
            names = ", ".join(repr(name) for name in sorted(self._left))
            raise DocumentError(f"{self.where} has unknown keys: {names}.")

    def keys(self) -> list[str]:
        """Return the keys that have not been read yet, in their order."""
        return list(self._left)

    def required(self, key: str, read: Callable[[object, str], Value]) -> Value:
        """Return the value of `key`, which must be there."""
        if self._left.get(key) is None:
            raise DocumentError(f"{self.where} lacks {key!r}.")
        return read(self._left.pop(key), f"{self.where}.{key}")

    def optional(self, key: str, read: Callable[[object, str], Value]) -> Value | None:
        """Return the value of `key`, or None when it is missing or null."""
        value = self._left.pop(key, None)
        return None if value is None else read(value, f"{self.where}.{key}")


def text(value: object, where: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise DocumentError(f"{where} must be a text, not {value!r}.")
    return value


def flag(value: object, where: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise DocumentError(f"{where} must be true or false, not {value!r}.")
    return value


def whole(value: object, where: str) -> int:
    """Return a whole number, negative or not."""
    if type(value) is not int:
        raise DocumentError(f"{where} must be a whole number, not {value!r}.")
    return value


def count(value: object, where: str) -> int:
    """Return a whole number that is not negative."""
    number = whole(value, where)
    if number < 0:
        raise DocumentError(f"{where} must not be negative, but is {number}.")
    if number >= 10**MAX_EXPONENT:
        raise DocumentError(f"{where} is too large.")
    return number


def decimal(value: object, where: str) -> Decimal:
    """Return a finite decimal number."""
    if isinstance(value, str | Decimal) or type(value) is int:
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and abs(number.adjusted()) >= MAX_EXPONENT:
            raise DocumentError(f"{where} is too large or too small.")
        if number.is_finite():
            return number
    raise DocumentError(f'{where} must be a decimal number such as "0.18", not {value!r}.')


def fraction(value: object, where: str) -> Decimal:
    """Return a decimal number that is not negative: a rate or a share (0.5 is 50%)."""
    number = decimal(value, where)
    if number < 0:
        raise DocumentError(f"{where} must not be negative, but is {number}.")
    return number


def money(value: object, where: str) -> Money:
    """Return an amount of at most two places that is not negative."""
    try:
        amount = Money.parse(str(decimal(value, where)))
    except InvalidAmountError as error:
        raise DocumentError(f"{where} must be an amount: {error}") from error
    if amount.cents < 0:
        raise DocumentError(f"{where} must not be negative, but is {amount}.")
    return amount


def day(value: object, where: str) -> date:
    """Return a date written as 2026-01-31."""
    try:
        return date.fromisoformat(text(value, where))
    except ValueError as error:
        raise DocumentError(f"{where} must be a date such as 2026-01-31.") from error


def choice(kind: type[Choice]) -> Callable[[object, str], Choice]:
    """Return a reader of one of the words of `kind`."""

    def read(value: object, where: str) -> Choice:
        try:
            return kind(text(value, where))
        except ValueError as error:
            words = ", ".join(kind)
            raise DocumentError(f"{where} must be one of {words}, not {value!r}.") from error

    return read


def items(read: Callable[[object, str], Value]) -> Callable[[object, str], tuple[Value, ...]]:
    """Return a reader of a list whose entries `read` reads."""

    def read_all(value: object, where: str) -> tuple[Value, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise DocumentError(f"{where} must be a list.")
        return tuple(read(item, f"{where}[{index}]") for index, item in enumerate(value))

    return read_all


def table(read: Callable[[object, str], Value]) -> Callable[[object, str], dict[str, Value]]:
    """Return a reader of an object whose values `read` reads, in their order."""

    def read_all(value: object, where: str) -> dict[str, Value]:
        reader = DocumentReader(value, where=where)
        return {key: reader.required(key, read) for key in reader.keys()}  # noqa: SIM118 - The reader is no mapping.

    return read_all
