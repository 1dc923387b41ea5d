"""The golden vectors of the conduct rules, section 12, and of the cost of credit."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from loans.engine.annualized_cost import (
    AmbiguousAnnualizedCostError,
    CashFlow,
    CostMethod,
    NoAnnualizedCostError,
    annualized_cost,
    cost_of,
)
from loans.engine.schedule import build_schedule
from tests.unit.loans.engine.loan_building import loan, money
from zhixin.shared.money import Money


def percent(rate: Decimal) -> str:
    return f"{rate * 100:.2f}"


def monthly(first: str, *later: str) -> list[CashFlow]:
    return [
        CashFlow(amount=money(amount), years=Fraction(month, 12))
        for month, amount in enumerate([first, *later])
    ]


@pytest.mark.parametrize(
    ("months", "fee", "nominal", "effective"),
    [
        (12, "0.005", "10.90", "11.46"),
        (12, "0.006", "13.03", "13.84"),
        (12, "0.0075", "16.22", "17.48"),
        (12, "0.01", "21.46", "23.70"),
        (24, "0.006", "13.27", "14.10"),
        (36, "0.006", "13.17", "14.00"),
    ],
)
def test_a_flat_monthly_fee_costs_nearly_twice_what_it_seems(
    months: int, fee: str, nominal: str, effective: str
) -> None:
    cost = cost_of(
        loan(
            principal="12000",
            annual_rate="0",
            method="EQUAL_PRINCIPAL",
            installment_count=months,
            fees={"installment_rate": fee},
        )
    )
    assert percent(cost.nominal_annualized_cost) == nominal
    assert percent(cost.effective_annualized_cost) == effective


def test_the_flat_method_shows_the_same_trap() -> None:
    cost = cost_of(loan(method="FLAT", annual_rate="0.072"))
    assert (str(cost.first_installment), str(cost.total_interest)) == ("893.33", "720.00")
    assert percent(cost.nominal_annualized_cost) == "13.03"
    assert percent(cost.effective_annualized_cost) == "13.84"


def test_a_fee_held_back_is_part_of_the_cost() -> None:
    flows = monthly("-9000", *["879.16"] * 12)
    nominal = annualized_cost(flows, method=CostMethod.NOMINAL, periods_per_year=12)
    effective = annualized_cost(flows, method=CostMethod.EFFECTIVE)
    assert (percent(nominal), percent(effective)) == ("30.40", "35.02")


def test_an_upfront_fee_is_part_of_the_cost() -> None:
    """12 % with 3 % up front: 17.83 % nominal, 19.36 % effective (lending, 2.1)."""
    flows = monthly("-9700", *["888.49"] * 11, "888.47")
    nominal = annualized_cost(flows, method=CostMethod.NOMINAL, periods_per_year=12)
    effective = annualized_cost(flows, method=CostMethod.EFFECTIVE)
    assert (percent(nominal), percent(effective)) == ("17.83", "19.36")


def test_fees_are_billed_and_never_deducted() -> None:
    terms = loan(fees={"upfront_rate": "0.03", "installment_amount": "5.00"})
    schedule = build_schedule(terms)
    assert [str(row.fees) for row in schedule.rows[:2]] == ["305.00", "5.00"]
    cost = cost_of(terms)
    assert (str(cost.total_fees), str(cost.total_cost)) == ("360.00", "1021.86")
    assert (str(cost.first_installment), str(cost.largest_installment)) == ("1193.49", "1193.49")
    assert cost.last_due_date == dt.date(2025, 1, 1)


@pytest.mark.parametrize(
    ("months", "installment", "interest"),
    [
        (12, "1833.60", "2003.20"),
        (24, "998.48", "3963.57"),
        (36, "723.05", "6029.72"),
        (60, "507.87", "10472.11"),
    ],
)
def test_a_longer_term_is_lighter_and_dearer(months: int, installment: str, interest: str) -> None:
    """20,000 at 18 %; the vectors of interest are unrounded, ours is what rounded rows add to."""
    schedule = build_schedule(loan(principal="20000", annual_rate="0.18", installment_count=months))
    assert str(schedule.rows[0].total) == installment
    assert abs(schedule.totals.interest.amount - Decimal(interest)) <= Decimal("0.10")


def test_a_loan_that_costs_nothing() -> None:
    cost = cost_of(loan(annual_rate="0"))
    assert cost.effective_annualized_cost == 0
    assert cost.nominal_annualized_cost == 0
    assert cost.total_cost == Money(0)


def test_a_loss_of_the_lender_is_a_negative_rate() -> None:
    rate = annualized_cost(monthly("-100", "90"), method=CostMethod.NOMINAL, periods_per_year=12)
    assert abs(rate + Decimal("1.2")) < Decimal("1e-30")


@pytest.mark.parametrize("amounts", [["100", "50"], ["-100", "-50"], ["0", "0"]])
def test_flows_of_one_direction_have_no_rate(amounts: list[str]) -> None:
    with pytest.raises(NoAnnualizedCostError, match="paid out"):
        annualized_cost(monthly(*amounts), method=CostMethod.EFFECTIVE)


def test_flows_of_one_moment_have_no_rate() -> None:
    flows = [CashFlow(amount=money(amount), years=Fraction(0)) for amount in ("-100", "110")]
    with pytest.raises(NoAnnualizedCostError):
        annualized_cost(flows, method=CostMethod.EFFECTIVE)


def test_two_rates_are_no_answer() -> None:
    """-100, 230, -132 is worth nothing at 10 % and at 20 % a period."""
    with pytest.raises(AmbiguousAnnualizedCostError, match="2 times"):
        annualized_cost(monthly("-100", "230", "-132"), method=CostMethod.EFFECTIVE)


def test_a_second_payout_leaves_one_answer() -> None:
    flows = monthly("-1000", "500", "-200", "800")
    rate = annualized_cost(flows, method=CostMethod.NOMINAL, periods_per_year=12)
    balance = Decimal(1000)
    for amount in ("500", "-200", "800"):
        balance = balance * (1 + rate / 12) - Decimal(amount)
    assert abs(balance) < Decimal("1e-20")


def test_far_and_fine_times_are_solved() -> None:
    flows = [
        CashFlow(amount=money("-100"), years=Fraction(0)),
        CashFlow(amount=money("110"), years=Fraction("1.00000001")),
    ]
    rate = annualized_cost(flows, method=CostMethod.EFFECTIVE)
    assert abs(rate - Decimal("0.1")) < Decimal("1e-8")
