"""Bank card numbers: ISO/IEC 7812, checked by the Luhn formula."""

from __future__ import annotations

from dataclasses import dataclass

from stdnum import luhn

MIN_LENGTH = 16
MAX_LENGTH = 19

# Code and the name that stands on the card. Names are data, the same in every language.
BANKS: dict[str, str] = {
    "ICBC": "中国工商银行 ICBC",
    "ABC": "中国农业银行 ABC",
    "BOC": "中国银行 BOC",
    "CCB": "中国建设银行 CCB",
    "COMM": "交通银行 BOCOM",
    "PSBC": "中国邮政储蓄银行 PSBC",
    "CMB": "招商银行 CMB",
    "CITIC": "中信银行 CITIC",
    "SPDB": "浦发银行 SPDB",
    "CIB": "兴业银行 CIB",
    "CMBC": "民生银行 CMBC",
    "CEB": "光大银行 CEB",
    "PAB": "平安银行 PAB",
    "OTHER": "其他银行 / Another bank",
}


class InvalidCardNumberError(ValueError):
    """The text is no bank card number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """Where a person's loans are paid out to, and from where they repay."""

    holder_name: str
    card_number: str
    bank_code: str

    @property
    def bank_name(self) -> str:
        """Return the bank's name as the card has it."""
        return BANKS[self.bank_code]

    @property
    def last_four(self) -> str:
        """Return the last four digits."""
        return self.card_number[-4:]

    def __repr__(self) -> str:
        """Return a form without the number."""
        return f"BankAccount(bank_code={self.bank_code!r}, last_four={self.last_four!r})"


def normalize_card_number(text: str) -> str:
    """Return the 16 to 19 digits of a card number; spaces and dashes are forgiven.

    Raises InvalidCardNumberError.
    """
    number = "".join(text.replace("-", " ").split())
    if not (number.isascii() and number.isdigit() and MIN_LENGTH <= len(number) <= MAX_LENGTH):
        raise InvalidCardNumberError("A card number has 16 to 19 digits.")
    if not luhn.is_valid(number):
        raise InvalidCardNumberError("The check digit does not match.")
    return number
