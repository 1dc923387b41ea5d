"""Amounts of money as people type them into a form."""

from __future__ import annotations

import re
import unicodedata

from zhixin.shared.money import InvalidAmountError, Money

_DRESS = re.compile(r"^([+-]?)\s*¥\s*|\s*元$")
_PLAIN = r"[0-9]+"
# One kind of separator, and only where thousands stand: "0,123" and "1,50" mean cents to some.
_GROUPED = r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?: [0-9]{3})+)"
_AMOUNT = re.compile(rf"[+-]?(?:(?:{_GROUPED}|{_PLAIN})(?:\.[0-9]{{0,2}})?|\.[0-9]{{1,2}})")


def read_typed_amount(text: str) -> Money:
    """Return the amount that a person typed: "1234.5", "1,234.50", "￥１，２３４", "500 元".

    Digits, point and comma may be full-width. Commas and spaces stand between thousands or
    nowhere: "1,50" could mean 1.50 or 150, so it is neither. May be negative.

    Raises InvalidAmountError for everything else.

    >>> read_typed_amount("￥１，２３４．５")
    Money('1234.50')
    """
    plain = _DRESS.sub(r"\1", unicodedata.normalize("NFKC", text).strip())
    if not _AMOUNT.fullmatch(plain):
        raise InvalidAmountError(f"{text!r} is not an amount of money.")
    return Money.parse(plain.replace(",", "").replace(" ", ""))
