"""Which commands start servers."""

from __future__ import annotations

import pytest

import manage


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["help"],
        ["check", "--deploy"],
        ["makemigrations", "--check"],
        ["replay", "terms.json"],
        ["annualized_cost"],
        ["close_day", "--help"],
    ],
)
def test_what_calculates_or_explains_starts_nothing(arguments: list[str]) -> None:
    assert not manage._needs_servers(arguments)


@pytest.mark.parametrize("arguments", [["migrate"], ["close_day"], ["seed_demo"], ["shell"]])
def test_what_reads_or_writes_data_needs_them(arguments: list[str]) -> None:
    assert manage._needs_servers(arguments)
