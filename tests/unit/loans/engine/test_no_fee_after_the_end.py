"""A loan whose rounded-up installments end it early asks for no fee in the rows after its end."""

from __future__ import annotations

import pytest

from loans.engine.annualized_cost import cost_of
from loans.engine.lifecycle import LoanStatus
from loans.engine.schedule import build_schedule
from loans.engine.terms import LoanTerms, PrepaymentEffect
from tests.unit.loans.engine.loan_building import loan, money, paid, state


def ends_early(method: str = "EQUAL_INSTALLMENT", **fees: str) -> LoanTerms:
    """Return 1,000.00 without interest in four installments of 400.00: the third is the last."""
    return loan(
        principal="1000.00",
        annual_rate="0",
        method=method,
        installment_count=4,
        installment_multiple="400.00",
        installment_rounding="UP",
        fees=fees,
    )


@pytest.mark.parametrize("method", ["EQUAL_INSTALLMENT", "FLAT"])
@pytest.mark.parametrize("fees", [{"installment_amount": "1.00"}, {"installment_rate": "0.001"}])
def test_three_installments_have_three_fees(method: str, fees: dict[str, str]) -> None:
    terms = ends_early(method, upfront_amount="5.00", **fees)
    schedule = build_schedule(terms)
    assert schedule.fee_cents == (600, 100, 100, 0)
    assert str(schedule.totals.total) == "1008.00"
    found = state(terms, [], "2024-05-02")
    assert [row.fees.cents for row in found.installments] == [600, 100, 100, 0]
    assert str(found.totals.scheduled.total) == "1008.00"


def test_who_pays_in_time_is_done_with_the_last_installment() -> None:
    terms = ends_early(installment_amount="1.00")
    history = [
        paid("a", "2024-02-01", "401.00", 1),
        paid("b", "2024-03-01", "401.00", 2),
        paid("c", "2024-04-01", "201.00", 3),
    ]
    for on in ("2024-04-01", "2024-05-01", "2024-05-20"):
        found = state(terms, history, on)
        assert (found.status, found.payoff_amount) == (LoanStatus.PAID_OFF, money("0"))
    assert found.totals.paid.fees == money("3.00")


def test_the_annualized_cost_counts_the_same_three_fees() -> None:
    cost = cost_of(ends_early(installment_amount="1.00"))
    assert (cost.total_fees, cost.total_repayment) == (money("3.00"), money("1003.00"))


def test_a_row_whose_principal_was_repaid_within_it_keeps_its_fee() -> None:
    terms = loan(principal="1000.00", installment_count=2, fees={"installment_amount": "1.00"})
    early = paid("a", "2024-01-11", "1000.00", 1, prepayment=PrepaymentEffect.SHORTEN_TERM)
    found = state(terms, [early], "2024-01-11")
    # 1000 × 0.12 × 10/372, and the fee of the month that was used; none of the one after it.
    (row,) = found.installments
    assert (str(row.interest), str(row.fees)) == ("3.23", "1.00")
