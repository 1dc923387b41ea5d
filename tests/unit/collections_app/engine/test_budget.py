"""What a household can bear: income − essentials − priority debts, split by what is owed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collections_app.engine.budget import Budget, InvalidBudgetError, bearable
from zhixin.shared.money import Money

AMOUNTS = st.integers(min_value=0, max_value=5_000_000).map(Money)


def budget(**changes: str) -> Budget:
    lines = {
        "income": "6000",
        "home": "1800",
        "food": "1500",
        "transport": "300",
        "family": "400",
        "priority_debts": "500",
        "other_debts": "0",
    }
    return Budget(**{name: Money.parse(text) for name, text in (lines | changes).items()})


def test_everything_left_belongs_to_the_only_loan() -> None:
    plan = budget()
    result = bearable(
        budget=plan, income=plan.income, owed_here=Money.parse("8000"), owed_elsewhere=Money.zero()
    )
    assert plan.essentials == Money.parse("4000")
    assert result.left_over == Money.parse("1500")
    assert result.amount == Money.parse("1500")
    assert result.shortfall == Money.zero()


def test_other_lenders_share_in_proportion_to_what_they_are_owed() -> None:
    plan = budget(other_debts="16000")
    result = bearable(
        budget=plan,
        income=plan.income,
        owed_here=Money.parse("8000"),
        owed_elsewhere=plan.other_debts,
    )
    assert result.left_over == Money.parse("1500")
    assert result.amount == Money.parse("500")


def test_the_share_is_rounded_down() -> None:
    plan = budget(income="4500.01", other_debts="2")
    result = bearable(
        budget=plan, income=plan.income, owed_here=Money.parse("1"), owed_elsewhere=Money.parse("2")
    )
    assert result.left_over == Money.parse("0.01")
    assert result.amount == Money.zero()


def test_nothing_is_bearable_when_the_essentials_take_all() -> None:
    plan = budget(income="4000")
    result = bearable(
        budget=plan, income=plan.income, owed_here=Money.parse("8000"), owed_elsewhere=Money.zero()
    )
    assert (result.left_over, result.amount) == (Money.zero(), Money.zero())
    assert result.shortfall == Money.parse("500")


def test_negative_lines_are_refused() -> None:
    with pytest.raises(InvalidBudgetError):
        budget(food="-0.01")


@given(
    income=AMOUNTS, essentials=AMOUNTS, priority=AMOUNTS, owed_here=AMOUNTS, owed_elsewhere=AMOUNTS
)
def test_what_is_bearable_is_never_more_than_what_is_left(
    income: Money, essentials: Money, priority: Money, owed_here: Money, owed_elsewhere: Money
) -> None:
    plan = Budget(
        income=income,
        home=essentials,
        food=Money.zero(),
        transport=Money.zero(),
        family=Money.zero(),
        priority_debts=priority,
        other_debts=owed_elsewhere,
    )
    result = bearable(
        budget=plan, income=income, owed_here=owed_here, owed_elsewhere=owed_elsewhere
    )
    assert Money.zero() <= result.amount <= result.left_over
    assert result.left_over - result.shortfall == income - essentials - priority
