"""Resident ID numbers, ages, cards and masks."""

from __future__ import annotations

from datetime import date

import pytest

from accounts.engine.bank_card import InvalidCardNumberError, normalize_card_number
from accounts.engine.identity import (
    IdNumberFault,
    InvalidIdNumberError,
    age_on,
    birth_date_of,
    full_months_between,
    normalize_id_number,
)
from accounts.engine.masking import mask_email, mask_id_number, mask_phone

# The example of GB 11643-1999, and one whose check character is X.
STANDARD_EXAMPLE = "11010519491231002X"


def test_spaces_and_small_x_are_forgiven() -> None:
    assert normalize_id_number(" 110105 19491231 002x ") == STANDARD_EXAMPLE
    assert birth_date_of(STANDARD_EXAMPLE) == date(1949, 12, 31)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", IdNumberFault.LENGTH),
        ("110105491231002", IdNumberFault.LENGTH),
        ("110105194912310021", IdNumberFault.CHECK_DIGIT),
        ("110105194912130028", IdNumberFault.CHECK_DIGIT),
        ("11010519491331002X", IdNumberFault.CHECK_DIGIT),
        ("A1010519491231002X", IdNumberFault.CONTENT),
        ("990105194912310023", IdNumberFault.CONTENT),
    ],
)
def test_faults_are_named(text: str, fault: IdNumberFault) -> None:
    with pytest.raises(InvalidIdNumberError) as caught:
        normalize_id_number(text)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        ("2008-06-16", "2026-06-15", 17),
        ("2008-06-16", "2026-06-16", 18),
        ("2008-02-29", "2026-02-28", 17),
        ("2008-02-29", "2026-03-01", 18),
    ],
)
def test_age(born: str, day: str, age: int) -> None:
    assert age_on(date.fromisoformat(born), date.fromisoformat(day)) == age


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2021-03-01", "2026-06-16", 63),
        ("2026-05-17", "2026-06-16", 0),
        ("2026-05-16", "2026-06-16", 1),
        ("2026-07-01", "2026-06-16", 0),
    ],
)
def test_full_months(start: str, end: str, months: int) -> None:
    assert full_months_between(date.fromisoformat(start), date.fromisoformat(end)) == months


def test_card_numbers() -> None:
    assert normalize_card_number("6222 0200-0000 0000 000") == "6222020000000000000"
    for wrong in ("6222020000000000001", "622202000000000", "6222 0200 0000 0000 00a", "６" * 16):
        with pytest.raises(InvalidCardNumberError):
            normalize_card_number(wrong)


def test_masks() -> None:
    assert mask_phone("+8613800138000") == "138****8000"
    assert mask_email("lihua@example.com") == "l****@example.com"
    assert mask_id_number(STANDARD_EXAMPLE) == "1101**********002X"
    assert mask_id_number("123") == "***"
