"""Resident identity numbers and ages.

GB 11643-1999: 17 digits (address code, birth date, order) and a check character by ISO 7064
MOD 11-2. The number's form, address code, date and check are verified by python-stdnum.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from stdnum.cn import ric
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError

ADULT_AGE = 18
ID_NUMBER_LENGTH = 18


class IdNumberFault(StrEnum):
    """What is wrong with a resident ID number."""

    LENGTH = "LENGTH"
    CHECK_DIGIT = "CHECK_DIGIT"
    CONTENT = "CONTENT"


class InvalidIdNumberError(ValueError):
    """The text is no resident ID number; `fault` says why."""

    def __init__(self, fault: IdNumberFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def normalize_id_number(text: str) -> str:
    """Return the 18 characters of a valid resident ID number.

    Spaces and a small x are forgiven. Raises InvalidIdNumberError. The 15-digit numbers of before
    1999 are refused: they are no longer valid proof of identity.
    """
    try:
        number: str = ric.validate("".join(text.split()).upper())
    except InvalidLength as error:
        raise InvalidIdNumberError(IdNumberFault.LENGTH) from error
    except InvalidChecksum as error:
        raise InvalidIdNumberError(IdNumberFault.CHECK_DIGIT) from error
    except ValidationError as error:
        raise InvalidIdNumberError(IdNumberFault.CONTENT) from error
    if len(number) != ID_NUMBER_LENGTH:
        raise InvalidIdNumberError(IdNumberFault.LENGTH)
    return number


def birth_date_of(id_number: str) -> date:
    """Return the birth date in a valid 18-character ID number."""
    return date(int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14]))


def age_on(birth_date: date, day: date) -> int:
    """Return the age in completed years on `day`.

    Someone born on 29 February completes a year on 1 March of a year without that day.
    """
    before_birthday = (day.month, day.day) < (birth_date.month, birth_date.day)
    return day.year - birth_date.year - before_birthday


def full_months_between(start: date, end: date) -> int:
    """Return the completed months from `start` to `end`; 0 when `end` is not later."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return max(months - (end.day < start.day), 0)
