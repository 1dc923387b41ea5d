"""What people type into the forms."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from accounts.forms.fields import AmountField, MonthField, PhoneField
from zhixin.shared.money import Money


@pytest.mark.parametrize(
    "typed",
    [
        "138 0013 8000",
        "13800138000",
        "+86 138-0013-8000",
        "0086 13800138000",
        "１３８００１３８０００",
    ],
)
def test_phone_numbers_become_e164(typed: str) -> None:
    assert PhoneField().clean(typed) == "+8613800138000"


@pytest.mark.parametrize("typed", ["1380013800", "010 8888 8888", "hello", "+1 202 555 0100"])
def test_other_phone_numbers_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        PhoneField().clean(typed)


@pytest.mark.parametrize(
    ("typed", "cents"),
    [
        ("8000", 800_000),
        ("8,000.00", 800_000),
        ("¥8000", 800_000),
        ("８０００", 800_000),
        ("8000元", 800_000),
        ("0", 0),
        ("0.01", 1),
        ("10000000", 1_000_000_000),
    ],
)
def test_amounts(typed: str, cents: int) -> None:
    assert AmountField().clean(typed) == Money(cents)


@pytest.mark.parametrize("typed", ["-1", "8000.001", "8k", "10000000.01", "nan", "1e999"])
def test_other_amounts_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        AmountField().clean(typed)


def test_known_amounts_show_without_needless_cents() -> None:
    assert AmountField().prepare_value(Money(800_000)) == "8000"
    assert AmountField().prepare_value(Money(800_050)) == "8000.50"
    assert AmountField().prepare_value("8,0o0") == "8,0o0"


def test_months() -> None:
    assert MonthField().clean("2021-03").isoformat() == "2021-03-01"
    assert MonthField().clean("2021/03").isoformat() == "2021-03-01"
    with pytest.raises(ValidationError):
        MonthField().clean("März")
