"""Ageing label and asset class, day by day, as docs/formulas/aging.md states them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loans.engine.aging import age_bucket, classify
from loans.engine.servicing import ChargedOff, PlanChanged, Recovered
from loans.engine.state import Classification
from loans.engine.terms import Method
from tests.unit.loans.engine.loan_building import day, loan, money, state

PAGE = Path(__file__).parents[4] / "docs" / "formulas" / "aging.md"
ROW = re.compile(r"\| (\d+)(?: to (\d+)| and more)? \| (M\d\+?) \| ([A-Z_]+) \|")
OFF = ChargedOff(event_id="off", effective_date=day("2024-01-16"), sequence=1)


def stated() -> list[tuple[int, str, str]]:
    """Return each day of the page's table with its bucket and class."""
    rows = []
    for first, last, bucket, name in ROW.findall(PAGE.read_text()):
        start = int(first)
        end = int(last or (1000 if start else 0))
        rows += [(days, bucket, name) for days in range(start, end + 1)]
    return rows


def test_the_table_of_the_page_is_true() -> None:
    rows = stated()
    assert [days for days, _, _ in rows] == list(range(1001))
    found = [
        (days, age_bucket(days), classify(days, under_observation=False).value)
        for days in range(1001)
    ]
    assert found == rows


@pytest.mark.parametrize(
    ("days", "name"), [(0, "SPECIAL_MENTION"), (90, "SPECIAL_MENTION"), (91, "SUBSTANDARD")]
)
def test_a_restructured_loan_is_special_mention_at_least(days: int, name: str) -> None:
    assert classify(days, under_observation=True).value == name


def test_what_is_charged_off_is_a_loss_until_nothing_is_owed() -> None:
    terms = loan(principal="1000.00", installment_count=3)
    found = state(terms, [OFF], "2024-01-15")
    assert found.classification is Classification.NORMAL
    found = state(terms, [OFF], "2024-01-16")
    assert found.classification is Classification.LOSS
    assert (found.days_past_due, found.bucket) == (0, "M0")
    late = state(terms, [OFF], "2024-02-11")
    assert (late.classification, late.days_past_due, late.bucket) == (
        Classification.LOSS,
        10,
        "M1",
    )
    back = Recovered(
        event_id="back", effective_date=day("2024-01-20"), sequence=2, amount=found.payoff_amount
    )
    assert state(terms, [OFF, back], "2024-01-20").classification is Classification.NORMAL


def test_a_plan_for_what_was_charged_off_leaves_it_a_loss() -> None:
    terms = loan(principal="1000.00", installment_count=3)
    plan = PlanChanged(
        event_id="plan",
        effective_date=day("2024-01-20"),
        sequence=2,
        annual_rate=terms.annual_rate,
        installment_count=2,
        first_due_date=day("2024-02-20"),
        period=terms.period,
        method=Method.EQUAL_PRINCIPAL,
    )
    found = state(terms, [OFF, plan], "2024-01-20")
    assert found.payoff_amount == money("1004.84")
    assert found.classification is Classification.LOSS
