"""What a household can bear each month. See docs/formulas/hardship.md."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from zhixin.shared.money import Money, Rounding, total


class InvalidBudgetError(ValueError):
    """An amount of the budget is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One household's month, as the borrower states it.

    Attributes:
        income: all that comes in each month.
        home, food, transport, family: the essentials, each month.
        priority_debts: what must be paid first each month (rent or power in arrears, taxes, child
            support): not paying it costs the home, the heat or the freedom.
        other_debts: what is owed to other lenders in all (not each month).
    """

    income: Money
    home: Money
    food: Money
    transport: Money
    family: Money
    priority_debts: Money
    other_debts: Money

    def __post_init__(self) -> None:
        """Refuse amounts below zero."""
        if min(self.income, *self.essential_lines, self.priority_debts, self.other_debts).cents < 0:
            raise InvalidBudgetError("The amounts of a budget are not negative.")

    @property
    def essential_lines(self) -> tuple[Money, ...]:
        """Return the essentials in the order of the form."""
        return (self.home, self.food, self.transport, self.family)

    @property
    def essentials(self) -> Money:
        """Return the sum of the essentials."""
        return total(self.essential_lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearable:
    """What is left, and the part of it that belongs to one loan.

    Attributes:
        left_over: income − essentials − priority debts, at least 0.00.
        shortfall: what is missing each month where that is negative.
        amount: the part of `left_over` for this loan.
    """

    left_over: Money
    shortfall: Money
    amount: Money


def bearable(*, budget: Budget, income: Money, owed_here: Money, owed_elsewhere: Money) -> Bearable:
    """Return what the household can pay on this loan each month with `income` coming in.

    Formula: left over = income − essentials − priority debts, not below zero; its part for this
    loan = left over × owed here / (owed here + owed elsewhere).
    Source: conduct HS-13 (StepChange; Citizens Advice). Rounding: down, to the cent.
    """
    rest = income - budget.essentials - budget.priority_debts
    left_over = max(rest, Money.zero())
    owed = owed_here.cents + owed_elsewhere.cents
    amount = left_over
    if owed_elsewhere.cents and owed:
        share = left_over.amount * Decimal(owed_here.cents) / Decimal(owed)
        amount = Money.rounded(share, rounding=Rounding.DOWN)
    return Bearable(left_over=left_over, shortfall=left_over - rest, amount=amount)
