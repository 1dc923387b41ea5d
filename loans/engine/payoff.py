"""What closes a loan on a date. See docs/formulas/payoff.md."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from loans.engine.servicing import Event, replay
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoffQuote:
    """The amount that closes the loan on `on`, by what it consists of.

    `interest_saved` is the interest that the schedule in force would still have charged.
    """

    on: dt.date
    principal: Money
    interest: Money
    penalty: Money
    fees: Money
    total: Money
    interest_saved: Money


def payoff_quote(terms: LoanTerms, events: Iterable[Event], on: dt.date) -> PayoffQuote:
    """Return the amount that closes the loan when it is paid on `on` (conduct CT-01).

    Interest is charged for the days used only. Paying exactly this amount on that date leaves
    every bucket at 0.00.
    """
    state = replay(terms, events, on)
    owed = state.outstanding
    to_come = sum(row.outstanding.interest.cents for row in state.installments)
    return PayoffQuote(
        on=on,
        principal=owed.principal,
        interest=owed.interest,
        penalty=owed.penalty,
        fees=owed.fees,
        total=owed.total,
        interest_saved=Money(max(to_come - owed.interest.cents, 0)),
    )
