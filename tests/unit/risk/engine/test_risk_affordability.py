from __future__ import annotations

from decimal import Decimal

import pytest

from risk.engine.affordability import (
    Capacity,
    largest_affordable_principal,
    repayment_capacity,
)
from risk.engine.facts import RevolvingLine
from risk.engine.reasons import ReasonCode
from tests.factories.risk import applicant, cn_policy, largest_installment, yuan
from zhixin.shared.money import Money, Rounding


def capacity(**changes: object) -> Capacity:
    result = repayment_capacity(facts=applicant(**changes), policy=cn_policy())
    assert result is not None
    return result


def test_the_worked_table() -> None:
    """docs/risk/affordability.md, worked example."""
    month = capacity()
    assert [(line.code.value, str(line.amount), line.formula) for line in month.lines] == [
        ("INCOME", "9000.00", "1 × min(9000.00, 9000.00)"),
        ("DEBT", "500.00", "500.00"),
        ("ESSENTIALS", "3800.00", "max(1800.00 + 2000.00, 1200.00)"),
        ("BUFFER", "900.00", "max(300.00, 0.10 × 9000.00)"),
        ("CAP_INSTALLMENT", "4500.00", "0.50 × 9000.00"),
        ("CAP_ALL_DEBT", "4450.00", "0.55 × 9000.00 − 500.00"),
        ("CAP_SURPLUS", "3800.00", "9000.00 − 3800.00 − 500.00 − 900.00"),
        ("CAP_STRESS", "3420.00", "0.90 × 9000.00 − 1.10 × 3800.00 − 500.00"),
    ]
    assert month.largest_installment == yuan(3800)
    assert month.largest_installment_in_stress == yuan(3420)


@pytest.mark.parametrize(
    ("changes", "income"),
    [
        ({}, "9000.00"),
        ({"evidenced_income": yuan(8000)}, "8000.00"),
        ({"evidenced_income": yuan(12000)}, "9000.00"),
        ({"evidenced_income": None}, "7200.00"),
        ({"income_is_irregular": True}, "7200.00"),
        ({"income_is_irregular": True, "evidenced_income": yuan("7000.01")}, "5600.00"),
        ({"stated_income": Money.zero()}, "0.00"),
    ],
)
def test_income_is_the_lower_of_stated_and_evidenced_with_a_haircut(
    changes: dict[str, object], income: str
) -> None:
    assert str(capacity(**changes).income) == income


def test_debt_adds_cards_by_the_larger_of_minimum_and_five_percent() -> None:
    lines = (
        RevolvingLine(limit=yuan(10000), minimum_due=yuan(200)),
        RevolvingLine(limit=yuan(2000), minimum_due=yuan(180)),
    )
    assert capacity(revolving_lines=lines).debt == yuan(500 + 500 + 180)


def test_debt_is_the_bureaus_when_that_is_higher() -> None:
    assert capacity(bureau_debt_payments=yuan(499)).debt == yuan(500)
    assert capacity(bureau_debt_payments=yuan(501)).debt == yuan(501)


def test_essentials_are_never_below_the_household_floor() -> None:
    small = {"housing_cost": yuan(100), "living_costs": yuan(100)}
    assert capacity(**small).essentials == yuan(1200)
    assert capacity(**small, household_adults=0).essentials == yuan(1200)
    family = capacity(**small, household_adults=2, household_children=2)
    assert family.essentials == yuan(1200 + 800 + 2 * 700)


def test_buffer_is_fixed_for_small_incomes() -> None:
    assert capacity(stated_income=yuan(2999)).buffer == yuan(300)
    assert capacity(stated_income=yuan("3000.01")).buffer == yuan("300.01")


def test_caps_are_inclusive_to_the_cent() -> None:
    """50% of 9,000 is 4,500: that passes, a cent more does not."""
    free = capacity(housing_cost=yuan(600), living_costs=yuan(600), debt_payments=Money.zero())
    assert free.failures(yuan(4500)) == ()
    assert free.failures(yuan("4500.01")) == (ReasonCode.INSTALLMENT_RATIO,)
    indebted = capacity(housing_cost=yuan(600), living_costs=yuan(600), debt_payments=yuan(1000))
    assert indebted.failures(yuan(3950)) == ()
    assert indebted.failures(yuan("3950.01")) == (ReasonCode.ALL_DEBT_RATIO,)
    assert capacity().failures(yuan(3800)) == ()
    assert capacity().failures(yuan("3800.01")) == (ReasonCode.SURPLUS_TOO_SMALL,)


def test_comfort_keeps_five_percent_of_income_from_every_cap() -> None:
    assert capacity().is_comfortable(yuan(3350))
    assert not capacity().is_comfortable(yuan("3350.01"))


@pytest.mark.parametrize(
    "fact",
    [
        "stated_income",
        "income_is_irregular",
        "housing_cost",
        "living_costs",
        "debt_payments",
        "household_adults",
        "household_children",
    ],
)
def test_an_unknown_fact_leaves_nothing_to_calculate_with(fact: str) -> None:
    assert repayment_capacity(facts=applicant(**{fact: None}), policy=cn_policy()) is None


@pytest.mark.parametrize("rate", ["0", "0.144", "0.18"])
@pytest.mark.parametrize("count", [3, 12, 36])
def test_affordable_principal_is_the_annuity_formula_rounded_down(rate: str, count: int) -> None:
    """P = m * (1 - (1 + r)^-n) / r, and m * n without interest (risk.md section 7)."""
    monthly, most = Decimal(rate) / 12, yuan(1500)
    exact = (
        most.amount * (1 - (1 + monthly) ** -count) / monthly if monthly else most.amount * count
    )

    def installment_of(principal: Money) -> Money:
        if monthly:
            return largest_installment(principal, Decimal(rate), count, "EQUAL_INSTALLMENT")
        return Money.rounded(principal.amount / count, rounding=Rounding.HALF_UP)

    found = largest_affordable_principal(
        installment_max=most,
        principal_max=yuan(200000),
        step=yuan(100),
        installment_of=installment_of,
    )
    assert found == yuan(int(exact) // 100 * 100)


@pytest.mark.parametrize(
    "method", ["EQUAL_INSTALLMENT", "EQUAL_PRINCIPAL", "INTEREST_ONLY", "BULLET"]
)
@pytest.mark.parametrize("most", ["0.01", "88.50", "1500.00", "99999.00"])
def test_affordable_principal_is_the_largest_that_fits(method: str, most: str) -> None:
    def installment_of(principal: Money) -> Money:
        return largest_installment(principal, Decimal("0.18"), 12, method)

    found = largest_affordable_principal(
        installment_max=yuan(most),
        principal_max=yuan(50000),
        step=yuan(100),
        installment_of=installment_of,
    )
    assert found <= yuan(50000)
    assert found.cents == 0 or installment_of(found) <= yuan(most)
    assert found == yuan(50000) or installment_of(found + yuan(100)) > yuan(most)


def test_nothing_is_affordable_where_nothing_is_left() -> None:
    for most in ("0.00", "-5.00"):
        assert (
            largest_affordable_principal(
                installment_max=yuan(most),
                principal_max=yuan(50000),
                step=yuan(100),
                installment_of=lambda principal: principal,
            )
            == Money.zero()
        )
