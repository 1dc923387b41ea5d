"""The shipped catalog agrees with the shipped policy and with the law."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stdnum import luhn

from loans.engine.annualized_cost import cost_of
from loans.engine.terms import (
    INTEREST_FIRST,
    DayCount,
    LoanTerms,
    Method,
    PenaltyRule,
    Period,
)
from loans.selectors.agreements import _default_charge
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

ROOT = Path(__file__).resolve().parents[4]
CATALOG = json.loads((ROOT / "loans/catalog/products.json").read_text(encoding="utf-8"))
POLICY = json.loads((ROOT / "risk/policies/cn-2026-01.json").read_text(encoding="utf-8"))
VERSION = CATALOG["versions"][-1]
PRODUCTS = {product["code"]: product for product in CATALOG["products"]}


def terms(code: str, *, count: int, method: str, rate: str) -> LoanTerms:
    return LoanTerms(
        principal=Money.parse(PRODUCTS[code]["minimum_amount"]),
        annual_rate=Decimal(rate),
        method=Method(method),
        installment_count=count,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount(VERSION["day_count"]),
        disbursement_date=datetime.date(2026, 1, 31),
        rounding=Rounding(VERSION["rounding"]),
        penalty=PenaltyRule(
            uplift=Decimal(VERSION["penalty_uplift"]),
            grace_days=VERSION["penalty_grace_days"],
            annual_cap=Decimal(VERSION["all_in_cap"]),
        ),
    )


def test_catalog_and_policy_name_the_same_products() -> None:
    assert set(PRODUCTS) == set(POLICY["products"])


@pytest.mark.parametrize("code", sorted(PRODUCTS))
def test_the_policy_lends_whatever_the_catalog_offers(code: str) -> None:
    product, rule = PRODUCTS[code], POLICY["products"][code]
    assert (product["minimum_amount"], product["maximum_amount"]) == (
        rule["amount_min"],
        rule["amount_max"],
    )
    assert set(product["installment_counts"]) <= set(rule["terms"])
    assert set(VERSION["methods"]) <= set(rule["methods"])
    assert (product["scenario"] != "PERSONAL") == rule["scenario_required"]


def offers() -> list[Any]:
    return [
        (code, count, method)
        for code, product in PRODUCTS.items()
        for count in product["installment_counts"]
        for method in VERSION["methods"]
    ]


@pytest.mark.parametrize(("code", "count", "method"), offers())
def test_every_offer_stays_below_the_cap_at_its_list_rate(
    code: str, count: int, method: str
) -> None:
    rate = POLICY["products"][code]["list_rate"]
    cost = cost_of(terms(code, count=count, method=method, rate=rate))
    assert cost.effective_annualized_cost < Decimal("0.24")


def test_the_catalog_keeps_to_the_law() -> None:
    assert Decimal(VERSION["all_in_cap"]) == Decimal("0.24")
    assert Decimal(VERSION["penalty_uplift"]) <= Decimal("0.5")
    assert tuple(VERSION["allocation"]) == INTEREST_FIRST


def test_every_scenario_has_merchants_with_an_account_of_their_own() -> None:
    numbers = [merchant["card_number"] for merchant in CATALOG["merchants"]]
    assert len(numbers) == len(set(numbers))
    assert all(luhn.is_valid(number) for number in numbers)
    scenarios = [merchant["scenario"] for merchant in CATALOG["merchants"]]
    for product in CATALOG["products"]:
        if product["scenario"] != "PERSONAL":
            assert 2 <= scenarios.count(product["scenario"]) <= 3
    assert all("example" in merchant["name_en"] for merchant in CATALOG["merchants"])


@pytest.mark.parametrize(
    ("rate", "late_rate", "day", "year"),
    [
        # 18 % × 1.5 = 27 %, clamped to 24 % (conduct PR-16): 1,000 × 0.24 / 360 = 0.6667.
        ("0.18", "0.24", "0.67", "240.00"),
        ("0.12", "0.18", "0.50", "180.00"),
        ("0", "0", "0.00", "0.00"),
    ],
)
def test_what_being_late_costs(rate: str, late_rate: str, day: str, year: str) -> None:
    charge = _default_charge(terms("personal", count=12, method="EQUAL_INSTALLMENT", rate=rate))
    assert (charge["annual_rate"], charge["example_day"], charge["example_year"]) == (
        late_rate,
        day,
        year,
    )
