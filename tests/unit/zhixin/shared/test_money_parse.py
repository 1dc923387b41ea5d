"""Amounts are read from plain decimal numbers and from nothing else."""

from __future__ import annotations

import pytest

from zhixin.shared.money import InvalidAmountError, Money


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("12000", 1_200_000),
        (" 0.01 ", 1),
        ("-3.5", -350),
        (".5", 50),
        ("12.", 1200),
        ("+5", 500),
        ("1.500", 150),
    ],
)
def test_a_plain_number_is_read_to_the_cent(text: str, cents: int) -> None:
    assert Money.parse(text) == Money(cents)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-",
        "1e3",
        "1_000",
        "1,000",
        "NaN",
        "inf",
        "０.５",
        "1 000",
        "0.005",
        "9" * 19,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmountError):
        Money.parse(text)
