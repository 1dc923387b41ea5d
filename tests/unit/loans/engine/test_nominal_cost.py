"""The nominal annualized cost of a loan balances its flows, also over a broken first period."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loans.engine.annualized_cost import (
    CostMethod,
    NoAnnualizedCostError,
    annualized_cost,
    cost_of,
    flows_of,
    periods_per_year,
)
from loans.engine.schedule import build_schedule
from loans.engine.terms import LoanTerms, Method, Period
from tests.unit.loans.engine.loan_building import loan
from tests.unit.loans.engine.loan_strategies import terms
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money


def worth_of_flows(some_terms: LoanTerms) -> tuple[Decimal, Decimal]:
    """Return the nominal rate and Σ flow / ((1 + f × i)(1 + i)^t), in cents, worked out apart."""
    rate = cost_of(some_terms).nominal_annualized_cost
    per_year = periods_per_year(some_terms.period)
    worth = Decimal(0)
    with localcontext(prec=60):
        i = rate * per_year.denominator / per_year.numerator
        for flow in flows_of(some_terms, build_schedule(some_terms)):
            at: Fraction = flow.years * per_year
            rest = at - int(at)
            f = Decimal(rest.numerator) / rest.denominator
            worth += flow.amount.cents / ((1 + f * i) * (1 + i) ** int(at))
    return rate, worth


@pytest.mark.parametrize(
    ("first_due", "percent"),
    [("2023-03-18", "11.776621"), ("2023-04-08", "12.050434"), ("2023-03-01", "12.063241")],
)
def test_the_rest_of_a_period_bears_simple_interest(first_due: str, percent: str) -> None:
    some_terms = replace(
        loan(method="EQUAL_INSTALLMENT", installment_count=6, day_count="ACTUAL_365"),
        principal=Money.parse("10000.00"),
        disbursement_date=dt.date(2023, 2, 18),
        first_due_date=dt.date.fromisoformat(first_due),
    )
    rate, worth = worth_of_flows(some_terms)
    assert abs(worth) < Decimal("1e-30")
    assert f"{rate * 100:.6f}" == percent


@settings(max_examples=60)
@given(terms(), st.integers(1, 90))
def test_a_loan_costs_what_its_flows_cost(some_terms: LoanTerms, days: int) -> None:
    first = some_terms.disbursement_date + dt.timedelta(days=days)
    broken = replace(some_terms, first_due_date=first, due_day=None)
    flows = flows_of(broken, build_schedule(broken))
    per_year = periods_per_year(broken.period)
    try:
        cost = cost_of(broken).nominal_annualized_cost
    except NoAnnualizedCostError:
        return
    found = annualized_cost(flows, method=CostMethod.NOMINAL, periods_per_year=per_year)
    assert abs(cost - found) < Decimal("1e-30")


def test_a_very_large_rate_of_a_broken_period_is_found() -> None:
    some_terms = replace(
        loan(method="BULLET", installment_count=1, fees={"upfront_amount": "9999999.00"}),
        period=Period(every=12, unit=PeriodUnit.MONTH),
        first_due_date=dt.date(2025, 7, 1),
        method=Method.BULLET,
    )
    rate, worth = worth_of_flows(some_terms)
    assert rate > 1
    assert abs(worth) < Decimal("1e-30")
