from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from education.engine.calculator import (
    Comparison,
    LoanOffer,
    estimate_flat_fee,
    estimate_loan,
)
from loans.engine.annualized_cost import cost_of
from loans.engine.schedule import build_schedule
from loans.engine.terms import DayCount, Method
from zhixin.shared.money import Money, Rounding
from zhixin.shared.rates import percent_text

START = dt.date(2026, 11, 23)
AMOUNT = Money.parse("12000")
OFFER = LoanOffer(
    annual_rate=Decimal("0.12"),
    day_count=DayCount.THIRTY_360,
    rounding=Rounding.HALF_EVEN,
    usual_months=(3, 6, 12, 24, 36),
)


def test_equal_installments_at_twelve_percent() -> None:
    estimate = estimate_loan(
        offer=OFFER, amount=AMOUNT, months=12, method=Method.EQUAL_INSTALLMENT, start=START
    )
    assert estimate.total == Money.parse("12794.23")
    assert estimate.cost == Money.parse("794.23")
    assert estimate.first_installment == Money.parse("1066.19")
    assert estimate.last_installment == Money.parse("1066.14")
    assert percent_text(estimate.annualized_cost) == "12.68%"
    assert percent_text(estimate.simple_cost) == "12.00%"
    assert not estimate.falls
    assert estimate.comparison == Comparison(
        months=24,
        is_longer=True,
        installment_change=Money.parse("-501.31"),
        total_change=Money.parse("762.95"),
    )


def test_equal_principal_at_twelve_percent() -> None:
    estimate = estimate_loan(
        offer=OFFER, amount=AMOUNT, months=12, method=Method.EQUAL_PRINCIPAL, start=START
    )
    assert estimate.total == Money.parse("12780.00")
    assert estimate.first_installment == Money.parse("1120.00")
    assert estimate.last_installment == Money.parse("1010.00")
    assert estimate.falls


def test_the_longest_term_is_compared_with_the_next_shorter() -> None:
    estimate = estimate_loan(
        offer=OFFER, amount=AMOUNT, months=36, method=Method.EQUAL_INSTALLMENT, start=START
    )
    assert estimate.comparison == Comparison(
        months=24,
        is_longer=False,
        installment_change=Money.parse("166.31"),
        total_change=Money.parse("-791.40"),
    )


def test_the_figures_are_those_of_the_contract() -> None:
    estimate = estimate_loan(
        offer=OFFER, amount=AMOUNT, months=18, method=Method.EQUAL_INSTALLMENT, start=START
    )
    assert estimate.schedule == build_schedule(estimate.terms)
    assert estimate.summary == cost_of(estimate.terms)


# conduct section 12: flat fees on 12,000, monthly, equal principal.
@pytest.mark.parametrize(
    ("monthly_rate", "months", "simple", "compound", "fee"),
    [
        ("0.005", 12, "10.90%", "11.46%", "720.00"),
        ("0.006", 12, "13.03%", "13.84%", "864.00"),
        ("0.0075", 12, "16.22%", "17.48%", "1080.00"),
        ("0.01", 12, "21.46%", "23.70%", "1440.00"),
        ("0.006", 24, "13.27%", "14.10%", "1728.00"),
        ("0.006", 36, "13.17%", "14.00%", "2592.00"),
    ],
)
def test_a_flat_fee_costs_almost_twice_what_it_seems(
    monthly_rate: str, months: int, simple: str, compound: str, fee: str
) -> None:
    estimate = estimate_flat_fee(
        amount=AMOUNT,
        monthly_rate=Decimal(monthly_rate),
        months=months,
        start=START,
        rounding=Rounding.HALF_EVEN,
    )
    assert percent_text(estimate.simple_cost) == simple
    assert percent_text(estimate.annualized_cost) == compound
    assert estimate.cost == Money.parse(fee)
    assert estimate.comparison is None
