"""Strict reading of JSON objects: every error names the key and the mend."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, NoReturn, TypeVar, cast

from zhixin.shared.money import InvalidAmountError, Money

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2200
_PLAIN_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_PLAIN_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LONGEST_SHOWN: Final = 60
_TOO_MUCH: Final = Decimal(10**18)


def shown(value: object) -> str:
    """Return the value as a message shows it: on one line and not long."""
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return _not_long(text)


def shown_key(key: str) -> str:
    """Return a key that somebody made up as a message shows it: printable and not long."""
    return _not_long(key if key.isprintable() else repr(key)[1:-1])


def _not_long(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class UnreadableNumber:
    """A number of JSON that is beyond all reckoning; no reader takes it for a value."""

    def __init__(self, text: str) -> None:
        """Keep the digits as they stand."""
        self._text = text

    def __repr__(self) -> str:
        """Return the digits, as messages show them."""
        return self._text


def _amount_trouble(number: Decimal) -> tuple[str, str]:
    """Return why a number is no amount of money, and what to write instead."""
    if abs(number) >= _TOO_MUCH:
        return "is too large for an amount", f"Write less than {_TOO_MUCH:f}.00"
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return "is not written out", 'Write all digits as a text such as "100000.00"'
    return "has more than two decimals", 'Write it as a text such as "888.49"'


class InvalidInputError(ValueError):
    """A value cannot be read; `key` says which, `problem` why, `mend` what to write instead."""

    def __init__(self, *, key: str, problem: str, mend: str) -> None:
        """Keep the three parts and build the one-line message from them."""
        super().__init__(f"{key}: {problem}. {mend}.")
        self.key = key
        self.problem = problem
        self.mend = mend


class Reader:
    """Reads one JSON object key by key and refuses keys that nobody asked for."""

    def __init__(self, data: object, *, where: str, error: type[InvalidInputError]) -> None:
        """Take the object to read, its name in messages, and the error to raise."""
        self.where = where
        self._error = error
        self._seen: set[str] = set()
        if not isinstance(data, Mapping):
            self._data: Mapping[str, object] = {}
            raise error(key=where, problem="is not an object", mend='Write {"key": value, ...}')
        self._data = cast("Mapping[str, object]", data)

    def name(self, key: str) -> str:
        """Return the key's full name as messages show it."""
        return f"{self.where}.{key}" if self.where else key

    def fail(self, key: str, problem: str, mend: str) -> NoReturn:
        """Raise the reader's error for `key`."""
        raise self._error(key=self.name(key), problem=problem, mend=mend)

    def has(self, key: str) -> bool:
        """Return whether the key is present and not null."""
        self._seen.add(key)
        return self._data.get(key) is not None

    def states(self, key: str) -> bool:
        """Return whether the key is present, null or not."""
        self._seen.add(key)
        return key in self._data

    def raw(self, key: str) -> object:
        """Return the value as it stands; a missing key is an error."""
        if not self.has(key):
            self.fail(key, "is missing", "Add it")
        return self._data[key]

    def text(self, key: str) -> str:
        """Return a text that is not empty and stands on one line."""
        value = self.raw(key)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            self.fail(key, f"{shown(value)} is not a text", 'Write a text such as "a-1"')
        return value

    def decimal(self, key: str, *, example: str) -> Decimal:
        """Return an exact decimal number; a text holds plain digits and at most one point."""
        value = self.raw(key)
        mend = f'Write it as a text such as "{example}"'
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            self.fail(key, f"{shown(value)} is not an exact number", mend)
        if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value):
            self.fail(key, f"{shown(value)} is not a number", mend)
        number = Decimal(value)
        if not number.is_finite() or abs(number.adjusted()) > 30:  # noqa: PLR2004 - No rate or amount has more digits.
            self.fail(key, f"{shown(value)} is not a usable number", mend)
        return number

    def money(self, key: str) -> Money:
        """Return an amount of at most two decimals, written out."""
        number = self.decimal(key, example="888.49")
        try:
            return Money.parse(str(self._data[key]))
        except InvalidAmountError:
            problem, mend = _amount_trouble(number)
            self.fail(key, f"{shown(self._data[key])} {problem}", mend)

    def rate(self, key: str) -> Decimal:
        """Return a non-negative yearly fraction."""
        number = self.decimal(key, example="0.12")
        # Of nothing, too: who writes -0 means something else than 0.
        if number.is_signed():
            self.fail(key, f"{number} is negative", 'Write a fraction a year such as "0.12"')
        return number

    def integer(self, key: str, *, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fail(
                key,
                f"{shown(value)} is not a whole number from {least} to {most}",
                f"Write a number such as {max(least, 1)}",
            )
        return value

    def date(self, key: str) -> dt.date:
        """Return a date written YYYY-MM-DD."""
        value = self.raw(key)
        mend = 'Write a date such as "2026-01-31"'
        if not isinstance(value, str) or not _PLAIN_DATE.fullmatch(value):
            self.fail(key, f"{shown(value)} is not a date", mend)
        try:
            date = dt.date.fromisoformat(value)
        except ValueError:
            self.fail(key, f"{shown(value)} is not a date", mend)
        if not _FIRST_YEAR <= date.year <= _LAST_YEAR:
            self.fail(key, f"{value} is not from {_FIRST_YEAR} to {_LAST_YEAR}", mend)
        return date

    def choice(self, key: str, kind: type[Choice]) -> Choice:
        """Return a member of the enumeration."""
        value = self.raw(key)
        member = next((member for member in kind if member.value == value), None)
        if member is None:
            self.fail(key, f"{shown(value)} is unknown", "Write one of " + ", ".join(kind))
        return member

    def listing(self, key: str) -> list[object]:
        """Return a list."""
        value = self.raw(key)
        if not isinstance(value, list):
            self.fail(key, f"{shown(value)} is not a list", "Write [...]")
        return value

    def optional(self, read: Callable[[str], Value], key: str) -> Value | None:
        """Return what `read` makes of the key, or None where it is absent or null."""
        return read(key) if self.has(key) else None

    def finish(self) -> None:
        """Raise for the first key that nobody read."""
        for key in self._data:
            if key not in self._seen:
                known = ", ".join(sorted(self._seen))
                self.fail(shown_key(key), "is an unknown key", f"Remove it, or use one of {known}")
