"""Facts, requests and installment arithmetic for tests of decisions."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from risk.engine.facts import ApplicantFacts, Employment, LoanRequest
from risk.engine.policy import Policy
from risk.engine.scorecard import Scorecard
from zhixin.shared.money import Money, Rounding

RISK_DIR = Path(__file__).resolve().parents[2] / "risk"
POLICY_FILE = RISK_DIR / "policies" / "cn-2026-01.json"
SCORECARD_FILE = RISK_DIR / "scorecards" / "expert-1.json"


def yuan(text: str | int) -> Money:
    return Money.parse(str(text))


def policy_document() -> dict[str, Any]:
    return json.loads(POLICY_FILE.read_text(encoding="utf-8"))


def scorecard_document() -> dict[str, Any]:
    return json.loads(SCORECARD_FILE.read_text(encoding="utf-8"))


@cache
def cn_policy() -> Policy:
    return Policy.from_json(policy_document())


@cache
def expert_card() -> Scorecard:
    return Scorecard.from_json(scorecard_document())


def largest_installment(
    principal: Money, annual_rate: Decimal, installment_count: int, method: str
) -> Money:
    """Return the largest monthly installment; 30/360, half up. For tests only."""
    rate, amount = annual_rate / 12, principal.amount
    if method == "EQUAL_INSTALLMENT":
        exact = amount * rate / (1 - (1 + rate) ** -installment_count)
    elif method == "EQUAL_PRINCIPAL":
        exact = amount / installment_count + amount * rate
    elif method == "INTEREST_ONLY":
        exact = amount * (1 + rate)
    else:
        exact = amount * (1 + rate * installment_count)
    return Money.rounded(exact, rounding=Rounding.HALF_UP)


def applicant(**changes: Any) -> ApplicantFacts:
    """Return 李静: employed for four years, 9,000 a month with proof, 500 of debts, no loans."""
    facts: dict[str, Any] = {
        "age": 31,
        "identity_verified": True,
        "employment": Employment.EMPLOYED,
        "months_employed": 48,
        "stated_income": yuan(9000),
        "evidenced_income": yuan(9000),
        "proof_age_days": 20,
        "income_is_irregular": False,
        "housing_cost": yuan(1800),
        "living_costs": yuan(2000),
        "debt_payments": yuan(500),
        "household_adults": 1,
        "household_children": 0,
        "open_principal": Money.zero(),
        "open_loan_count": 0,
        "worst_days_past_due_now": 0,
        "worst_days_past_due_12m": 0,
        "loans_paid_off": 0,
        "written_off": False,
        "applications_30d": 0,
    }
    return ApplicantFacts(**(facts | changes))


def loan_request(**changes: Any) -> LoanRequest:
    """Return a request for 12,000 over 12 equal installments for a course."""
    request: dict[str, Any] = {
        "product_code": "personal",
        "amount": yuan(12000),
        "installment_count": 12,
        "method": "EQUAL_INSTALLMENT",
        "purpose_code": "EDUCATION",
        "purpose_text": "",
    }
    return LoanRequest(**(request | changes))
