"""Laws of a decision, over random people and requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.engine.affordability import repayment_capacity
from risk.engine.decision import Decision, Outcome, decide
from risk.engine.facts import ApplicantFacts, Employment, LoanRequest
from tests.factories.risk import cn_policy, expert_card, largest_installment, yuan
from zhixin.shared.money import Money

RANK = {Outcome.DECLINE: 0, Outcome.REFER: 1, Outcome.APPROVE: 2}
LAWS = settings(max_examples=150, deadline=None)


def amounts(most: int) -> st.SearchStrategy[Money]:
    return st.integers(0, most * 100).map(Money)


@st.composite
def people(draw: st.DrawFn) -> ApplicantFacts:
    income = draw(amounts(30000))
    proven = draw(st.booleans())
    return ApplicantFacts(
        age=draw(st.integers(17, 71)),
        identity_verified=True,
        employment=draw(st.sampled_from([kind for kind in Employment if kind != "STUDENT"])),
        months_employed=draw(st.integers(0, 200)),
        stated_income=income,
        evidenced_income=draw(amounts(30000)) if proven else None,
        proof_age_days=draw(st.integers(0, 95)) if proven else None,
        income_is_irregular=draw(st.booleans()),
        housing_cost=draw(amounts(4000)),
        living_costs=draw(amounts(4000)),
        debt_payments=draw(amounts(4000)),
        household_adults=draw(st.integers(1, 3)),
        household_children=draw(st.integers(0, 3)),
        open_principal=draw(st.just(Money.zero()) | amounts(50000)),
        open_loan_count=draw(st.integers(0, 3)),
        worst_days_past_due_now=draw(st.sampled_from([0, 0, 0, 0, 1, 30, 90])),
        worst_days_past_due_12m=draw(st.sampled_from([0, 0, 0, 5, 30, 60, 120])),
        loans_paid_off=draw(st.integers(0, 4)),
        written_off=draw(st.sampled_from([False, False, False, True])),
        applications_30d=draw(st.integers(0, 5)),
        bureau_inquiries_6m=draw(st.none() | st.integers(0, 8)),
    )


@st.composite
def requests(draw: st.DrawFn) -> LoanRequest:
    return LoanRequest(
        product_code="personal",
        amount=yuan(draw(st.integers(10, 800)) * 100),
        installment_count=draw(st.sampled_from([3, 6, 12, 24, 36])),
        method=draw(st.sampled_from(["EQUAL_INSTALLMENT", "EQUAL_PRINCIPAL", "BULLET"])),
        purpose_code="MEDICAL",
    )


def decided(facts: ApplicantFacts, request: LoanRequest) -> Decision:
    return decide(
        facts=facts,
        request=request,
        policy=cn_policy(),
        scorecard=expert_card(),
        installment_for=largest_installment,
    )


def assert_no_worse(better: Decision, worse: Decision) -> None:
    assert RANK[better.outcome] >= RANK[worse.outcome]
    assert better.score.score >= worse.score.score
    if worse.outcome is Outcome.APPROVE:
        assert better.approved_amount is not None
        assert worse.approved_amount is not None
        assert better.approved_amount >= worse.approved_amount
        assert better.limit >= worse.limit
        assert better.annual_rate is not None
        assert worse.annual_rate is not None
        assert better.annual_rate <= worse.annual_rate


def _raised(facts: ApplicantFacts, name: str, by: Any) -> ApplicantFacts:
    return replace(facts, **{name: getattr(facts, name) + by})


IMPROVEMENTS: dict[str, Callable[[ApplicantFacts], ApplicantFacts]] = {
    "stated income": lambda facts: _raised(facts, "stated_income", yuan(1234)),
    "evidenced income": lambda facts: (
        facts
        if facts.evidenced_income is None
        else _raised(facts, "evidenced_income", yuan("987.65"))
    ),
    "both incomes": lambda facts: replace(
        facts,
        stated_income=(facts.stated_income or Money.zero()) + yuan(2000),
        evidenced_income=(
            None if facts.evidenced_income is None else facts.evidenced_income + yuan(2000)
        ),
    ),
    "regular income": lambda facts: replace(facts, income_is_irregular=False),
    "no debts": lambda facts: replace(facts, debt_payments=Money.zero()),
    "fewer debts": lambda facts: replace(
        facts, debt_payments=Money((facts.debt_payments or Money.zero()).cents // 2)
    ),
    "cheaper home": lambda facts: replace(facts, housing_cost=Money.zero()),
    "smaller household": lambda facts: replace(facts, household_children=0),
    "longer employed": lambda facts: _raised(facts, "months_employed", 7),
    "not late now": lambda facts: replace(facts, worst_days_past_due_now=0),
    "never late": lambda facts: replace(facts, worst_days_past_due_12m=0),
    "not written off": lambda facts: replace(facts, written_off=False),
    "one more repaid": lambda facts: _raised(facts, "loans_paid_off", 1),
    "nothing open": lambda facts: replace(facts, open_principal=Money.zero(), open_loan_count=0),
    "no applications": lambda facts: replace(facts, applications_30d=0),
}


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
@LAWS
@given(facts=people(), request_=requests())
def test_better_facts_never_worsen_a_decision(
    improvement: str, facts: ApplicantFacts, request_: LoanRequest
) -> None:
    better = IMPROVEMENTS[improvement](facts)
    assert_no_worse(decided(better, request_), decided(facts, request_))


@LAWS
@given(facts=people(), request_=requests())
def test_same_facts_same_decision(facts: ApplicantFacts, request_: LoanRequest) -> None:
    again = ApplicantFacts.from_json(facts.to_json())
    assert decided(again, request_).to_json() == decided(facts, request_).to_json()


@LAWS
@given(facts=people(), request_=requests())
def test_an_approved_offer_is_within_every_bound(
    facts: ApplicantFacts, request_: LoanRequest
) -> None:
    made = decided(facts, request_)
    if made.outcome is not Outcome.APPROVE:
        assert made.approved_amount is None
        assert made.outcome is not Outcome.DECLINE or made.limit == Money.zero()
        assert any(reason.effect == "adverse" for reason in made.reasons)
        return
    capacity = repayment_capacity(facts=facts, policy=cn_policy())
    assert made.approved_amount is not None
    assert made.installment is not None
    assert made.annual_rate is not None
    assert made.price is not None
    assert capacity is not None
    assert yuan(1000) <= made.approved_amount <= min(request_.amount, made.limit)
    assert made.limit + (facts.open_principal or Money.zero()) <= yuan(200000)
    assert made.installment <= capacity.largest_installment_in_stress
    assert made.price.floor_rate <= made.annual_rate <= Decimal("0.18")
    assert (made.approved_amount == request_.amount) or any(
        verdict.result == "LIMITS" for verdict in made.verdicts
    )


@LAWS
@given(facts=people(), request_=requests())
def test_what_would_change_it_is_true(facts: ApplicantFacts, request_: LoanRequest) -> None:
    change = decided(facts, request_).counterfactual
    if change is not None and change.amount is not None:
        smaller = replace(request_, amount=change.amount)
        assert decided(facts, smaller).approved_amount == change.amount < request_.amount
    if change is not None and change.installment_count is not None:
        longer = replace(request_, installment_count=change.installment_count)
        assert decided(facts, longer).approved_amount == request_.amount


@LAWS
@given(facts=people(), request_=requests(), data=st.data())
def test_an_unknown_fact_never_leads_to_approval(
    facts: ApplicantFacts, request_: LoanRequest, data: st.DataObject
) -> None:
    optional = {"evidenced_income", "proof_age_days", "revolving_lines"}
    names = [
        name for name in facts.to_json() if name not in optional and not name.startswith("bureau")
    ]
    unknown = data.draw(st.sets(st.sampled_from(names), min_size=1))
    blurred = replace(facts, **dict.fromkeys(unknown))
    assert decided(blurred, request_).outcome is not Outcome.APPROVE
