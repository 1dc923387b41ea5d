"""What people type as an amount, and what is refused because it could mean two amounts."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError

from accounts.forms import AmountField as BudgetAmountField
from education.forms import AmountField as CalculatorAmountField
from loans.forms.repay import AmountField as PaymentAmountField
from zhixin.shared.money import InvalidAmountError, Money
from zhixin.shared.typed_amounts import read_typed_amount

READ = [
    ("150", 150_00),
    ("1.5", 1_50),
    ("1234.50", 1_234_50),
    ("1,234.56", 1_234_56),
    ("12,345", 12_345_00),
    ("1,234,567.8", 1_234_567_80),
    ("１，２３４．５６", 1_234_56),
    ("12，345", 12_345_00),
    ("1 234.56", 1_234_56),
    ("12\u00a0345", 12_345_00),
    ("12\u202f345", 12_345_00),
    (" 500 ", 500_00),
    ("¥500", 500_00),
    ("￥ 500", 500_00),
    ("５００元", 500_00),
    ("500 元", 500_00),
    ("12.", 12_00),
    (".5", 50),
]
REFUSED = [
    "1,50",
    "10,5",
    "1，50",
    "1,5000",
    "1234,567",
    "12,34.56",
    "1,234,56",
    "0,123",
    ",5",
    "5,",
    "1,,234",
    "1 50",
    "10 5",
    "1,234 567",
    "1  234",
    "1.234,56",
    "1.234",
    "1.2.3",
    "1e3",
    "1_000",
    "nan",
    "¥",
    "五百",
]


@pytest.mark.parametrize(("typed", "cents"), READ)
def test_typed_amounts(typed: str, cents: int) -> None:
    assert read_typed_amount(typed) == Money(cents)


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_no_amount_or_could_mean_two_is_refused(typed: str) -> None:
    with pytest.raises(InvalidAmountError):
        read_typed_amount(typed)


def test_a_sign_is_read() -> None:
    assert read_typed_amount("-¥1,234") == Money(-1_234_00)
    assert read_typed_amount("-0.01") == Money(-1)


def fields() -> list[Any]:
    bounds = {"least": Money(1), "most": Money.parse("10000000")}
    return [PaymentAmountField(), BudgetAmountField(), CalculatorAmountField(**bounds)]


@pytest.mark.parametrize("field", fields(), ids=["payment", "budget", "calculator"])
@pytest.mark.parametrize(("typed", "cents"), READ)
def test_each_field_reads_amounts_alike(field: forms.Field, typed: str, cents: int) -> None:
    assert field.clean(typed) == Money(cents)


@pytest.mark.parametrize("field", fields(), ids=["payment", "budget", "calculator"])
@pytest.mark.parametrize("typed", REFUSED)
def test_each_field_refuses_beside_itself_with_an_example(field: forms.Field, typed: str) -> None:
    with pytest.raises(ValidationError, match="such as"):
        field.clean(typed)
