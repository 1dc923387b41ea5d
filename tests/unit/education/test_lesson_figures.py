"""Every figure that a lesson states is what the loan engine works out."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from loans.engine.annualized_cost import (
    CashFlow,
    CostMethod,
    annualized_cost,
    cost_of,
    flows_of,
)
from loans.engine.schedule import build_schedule
from loans.engine.terms import DayCount, FeeTerms, LoanTerms, Method, Period
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding
from zhixin.shared.rates import percent_text

CONTENT = Path(__file__).parents[3] / "education" / "content"
LANGUAGES = ("en", "zh-hans")


def terms(amount: str, rate: str, months: int) -> LoanTerms:
    return LoanTerms(
        principal=Money.parse(amount),
        annual_rate=Decimal(rate),
        method=Method.EQUAL_INSTALLMENT,
        installment_count=months,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount.THIRTY_360,
        disbursement_date=dt.date(2026, 1, 15),
        rounding=Rounding.HALF_EVEN,
    )


def yuan(amount: Money) -> str:
    sign = "−" if amount.cents < 0 else ""
    return f"{sign}¥{abs(amount.cents) // 100:,}.{abs(amount.cents) % 100:02d}"


def table_lines(slug: str, language: str) -> list[list[str]]:
    text = (CONTENT / f"{slug}.{language}.md").read_text(encoding="utf-8")
    return [
        [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("months", [6, 12, 24, 36])
def test_four_terms_of_the_same_loan(language: str, months: int) -> None:
    cost = cost_of(terms("12000", "0.12", months))
    expected = [
        str(months),
        yuan(cost.total_repayment),
        yuan(cost.total_cost),
        yuan(cost.first_installment),
    ]
    assert expected in table_lines("true-cost", language)
    assert percent_text(cost.effective_annualized_cost) == "12.68%"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", [1, 2, 12])
def test_where_the_interest_comes_from(language: str, number: int) -> None:
    row = build_schedule(terms("12000", "0.12", 12)).rows[number - 1]
    owed = row.balance + row.principal
    expected = [str(number), *map(yuan, (owed, row.interest, row.total, row.principal))]
    assert expected in table_lines("true-cost", language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("rate", "fee"), [("0.15", None), ("0.12", "360")])
def test_a_fee_is_a_cost(language: str, rate: str, fee: str | None) -> None:
    """The fee is paid at the start, so the borrower has the use of 11,640 only."""
    loan = terms("12000", rate, 12)
    cost = cost_of(loan)
    rows = [row for row in table_lines("true-cost", language) if f"{Decimal(rate):.0%}" in row]
    if fee is None:
        expected = [yuan(cost.total_cost), percent_text(cost.effective_annualized_cost)]
    else:
        expected = [yuan(cost.total_cost + Money.parse(fee)), fee_paid_first(loan, fee)]
    assert [row[-2:] for row in rows] == [expected]


def fee_paid_first(loan: LoanTerms, fee: str) -> str:
    first, *rest = flows_of(loan, build_schedule(loan))
    received = CashFlow(amount=first.amount + Money.parse(fee), years=first.years)
    return percent_text(annualized_cost([received, *rest], method=CostMethod.EFFECTIVE))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("monthly", ["0.005", "0.006", "0.0075", "0.01"])
def test_flat_fees(language: str, monthly: str) -> None:
    loan = replace(
        terms("12000", str(Decimal(monthly) * 12), 12), method=Method.FLAT, fees=FeeTerms()
    )
    cost = cost_of(loan)
    expected = [
        percent_text(cost.nominal_annualized_cost),
        percent_text(cost.effective_annualized_cost),
    ]
    assert expected in [row[-2:] for row in table_lines("flat-rate-trap", language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_true_rate_beside_the_flat_one(language: str) -> None:
    true, flat = cost_of(terms("12000", "0.072", 12)), Money.parse("864")
    rows = table_lines("flat-rate-trap", language)
    assert [yuan(true.total_repayment), yuan(true.total_cost)] in [row[1:3] for row in rows]
    text = (CONTENT / f"flat-rate-trap.{language}.md").read_text(encoding="utf-8")
    assert str(flat - true.total_cost) == "390.85"
    assert "390.85" in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("rate", "months"), [("0.12", 6), ("0.12", 12), ("0.09", 12)])
def test_ways_out(language: str, rate: str, months: int) -> None:
    left = build_schedule(terms("12000", "0.12", 12)).rows[5].balance
    unchanged = Money.parse("6397.09")
    cost = cost_of(terms(str(left), rate, months))
    assert left == Money.parse("6179.02")
    change = cost.total_repayment - unchanged
    wanted = yuan(cost.total_repayment), "–" if not change else f"+{yuan(change)}"
    assert wanted in [tuple(row[-2:]) for row in table_lines("talk-early", language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_ways_out_by_a_break_and_by_a_freeze(language: str) -> None:
    left, unchanged = Money.parse("6179.02"), Money.parse("6397.09")
    month = Money.rounded(left.amount / 100, rounding=Rounding.HALF_EVEN)
    frozen = cost_of(terms(str(left), "0", 12))
    ends = [tuple(row[-2:]) for row in table_lines("talk-early", language)]
    assert (yuan(unchanged + month), f"+{yuan(month)}") in ends
    assert (yuan(left), yuan(left - unchanged)) in ends
    assert any(yuan(frozen.first_installment) in row for row in table_lines("talk-early", language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("months", [12, 24])
def test_a_loan_for_a_loan(language: str, months: int) -> None:
    cost = cost_of(terms("5000", "0.18", months))
    ends = [row[-2:] for row in table_lines("borrow-for-what", language)]
    assert [yuan(cost.first_installment), yuan(cost.total_cost)] in ends


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cost_of_investing_borrowed_money(language: str) -> None:
    cost = cost_of(terms("10000", "0.12", 12))
    cells = [row[-1] for row in table_lines("borrow-for-what", language)]
    assert yuan(cost.total_cost) in cells
    assert yuan(cost.first_installment) in cells
