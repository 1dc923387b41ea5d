"""What people type after a command."""

from __future__ import annotations

import argparse
import datetime

import pytest
from django.core.management import CommandError, call_command

from zhixin.shared.arguments import date_argument


def test_a_date_is_read() -> None:
    assert date_argument("2026-02-28") == datetime.date(2026, 2, 28)


@pytest.mark.parametrize("text", ["abc", "2026-02-30", "31.1.2026", ""])
def test_what_is_no_date_is_answered_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="year-month-day, like 2026-01-31"):
        date_argument(text)


@pytest.mark.parametrize(
    "order", [("close_day", "--through", "abc"), ("reconcile_bank", "--date", "abc")]
)
def test_commands_say_so(order: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="'abc' is no date"):
        call_command(*order)
