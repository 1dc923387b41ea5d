"""Installments at the end that have no principal ask for nothing once the loan is paid off."""

from __future__ import annotations

import pytest

from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import Event, Waived, replay
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_building import day, loan, money, paid, payout


def three_installments() -> LoanTerms:
    """1,500 without interest by multiples of 1,000 is 1,000, 500 and 0; with a fee of 5 each."""
    return loan(
        principal="1500.00",
        annual_rate="0",
        installment_count=3,
        installment_multiple="1000.00",
        installment_rounding="UP",
        fees={"installment_amount": "5.00"},
    )


def test_the_schedule_asks_for_nothing_after_the_end() -> None:
    terms = three_installments()
    rows = replay(terms, [payout(terms)], day("2024-01-01")).installments
    assert [row.due.total for row in rows] == [money("1005.00"), money("505.00"), money("0")]


@pytest.mark.parametrize("forgiven", [False, True])
def test_a_loan_that_is_paid_off_bills_no_fee_of_an_empty_installment(*, forgiven: bool) -> None:
    terms = three_installments()
    last: Event = paid("b", "2024-03-01", "505.00")
    if forgiven:
        last = Waived(
            event_id="b",
            effective_date=day("2024-03-01"),
            sequence=1,
            principal=money("500.00"),
            interest=money("0"),
            fees=money("5.00"),
            penalty=money("0"),
        )
    events = [payout(terms), paid("a", "2024-02-01", "1005.00"), last]
    for later in ("2024-03-01", "2024-04-01", "2024-09-01"):
        found = replay(terms, events, day(later))
        assert (found.status, found.closed_on) == (LoanStatus.PAID_OFF, day("2024-03-01"))
        assert (found.payoff_amount, found.next_due) == (money("0"), None)


def test_while_an_installment_is_open_the_empty_one_asks_for_nothing_more() -> None:
    terms = three_installments()
    events = [payout(terms), paid("a", "2024-02-01", "1005.00")]
    assert replay(terms, events, day("2024-04-01")).payoff_amount == money("505.00")
