"""What closes a loan, and what closing it saves. See docs/formulas/payoff.md."""

from __future__ import annotations

from loans.engine.state import LoanState
from zhixin.shared.money import Money


def interest_saved(state: LoanState) -> Money:
    """Return the interest that paying `state.payoff_amount` on its day saves (conduct CT-01).

    It is what the schedule in force would still charge, less what is owed for the days used.
    """
    to_come = sum(row.outstanding.interest_cents for row in state.installments)
    return Money(max(to_come - state.outstanding.interest_cents, 0))
