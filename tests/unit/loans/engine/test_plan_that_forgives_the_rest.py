"""A plan that forgives all that is left: the loan is paid off on the plan's day."""

from __future__ import annotations

from decimal import Decimal

from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import PlanChanged, replay
from loans.engine.terms import Method
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, money, paid, payout


def test_a_plan_that_waives_the_last_penalty_closes_the_loan() -> None:
    """1,000 ten days late at 18 % cost 5.00; 1,010.00 paid principal and interest."""
    terms = loan(
        principal="1000.00",
        installment_count=1,
        penalty=PENALTY,
        allocation=["PRINCIPAL", "INTEREST", "FEES", "PENALTY"],
    )
    plan = PlanChanged(
        event_id="plan",
        effective_date=day("2024-02-12"),
        sequence=2,
        annual_rate=Decimal(0),
        installment_count=2,
        first_due_date=day("2024-03-01"),
        period=terms.period,
        method=Method.EQUAL_PRINCIPAL,
        waived_penalty=money("5.00"),
    )
    events = [payout(terms), paid("a", "2024-02-11", "1010.00"), plan]
    for later in ("2024-02-12", "2024-06-01"):
        found = replay(terms, events, day(later))
        assert (found.status, found.closed_on) == (LoanStatus.PAID_OFF, day("2024-02-12"))
        assert found.payoff_amount == money("0")
