from __future__ import annotations

import json
from decimal import Decimal

import pytest

from risk.engine.documents import DocumentError, fingerprint
from risk.engine.facts import ApplicantFacts, LoanRequest
from risk.engine.policy import Policy, PolicyError
from risk.engine.scorecard import SCORE_FEATURES, Scorecard
from tests.factories.risk import (
    RISK_DIR,
    applicant,
    cn_policy,
    loan_request,
    policy_document,
    scorecard_document,
    yuan,
)


def test_facts_survive_the_way_through_json() -> None:
    facts = applicant(evidenced_income=None, bureau_inquiries_6m=3)
    text = json.dumps(facts.to_json())
    assert ApplicantFacts.from_json(json.loads(text, parse_float=Decimal)) == facts


def test_facts_read_numbers_and_texts_alike() -> None:
    text = '{"age": 30, "stated_income": 8000.5, "housing_cost": "1200", "employment": "FLEXIBLE"}'
    facts = ApplicantFacts.from_json(json.loads(text, parse_float=Decimal))
    assert (facts.stated_income, facts.housing_cost) == (yuan("8000.50"), yuan(1200))
    assert facts.living_costs is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"incom": 1}, "facts has unknown keys: 'incom'."),
        ({"age": "thirty"}, "facts.age must be a whole number, not 'thirty'."),
        ({"age": True}, "facts.age must be a whole number, not True."),
        ({"age": -1}, "facts.age must not be negative, but is -1."),
        ({"stated_income": "-5"}, "facts.stated_income must not be negative, but is -5.00."),
        ({"stated_income": 8000.1}, "facts.stated_income must be a decimal number such as"),
        ({"stated_income": "1e999999999"}, "facts.stated_income is too large or too small."),
        ({"age": 10**15}, "facts.age is too large."),
        ({"stated_income": "8000.123"}, "more than two decimal places"),
        ({"written_off": "no"}, "facts.written_off must be true or false, not 'no'."),
        ({"employment": "PIRATE"}, "facts.employment must be one of EMPLOYED, SELF_EMPLOYED"),
        ({"revolving_lines": [{"limit": 1}]}, "facts.revolving_lines[0] lacks 'minimum_due'."),
        ([], "facts must be an object."),
    ],
)
def test_facts_refuse_what_they_do_not_understand(document: object, message: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        ApplicantFacts.from_json(document)
    assert message in str(refusal.value)


def test_request_survives_the_way_through_json() -> None:
    request = loan_request(scenario="TRAVEL", all_in_cost=Decimal("0.2012"))
    assert LoanRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_request_needs_its_keys_and_more_than_nothing() -> None:
    document = loan_request().to_json()
    with pytest.raises(DocumentError, match="request lacks 'method'"):
        LoanRequest.from_json({key: document[key] for key in document if key != "method"})
    with pytest.raises(DocumentError, match="amount and term must be more than zero"):
        LoanRequest.from_json(document | {"amount": 0})


def test_every_fact_is_described() -> None:
    page = (RISK_DIR.parent / "docs" / "risk" / "facts.md").read_text(encoding="utf-8")
    keys = {*applicant().to_json(), *loan_request().to_json()}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


def test_policy_says_where_each_threshold_comes_from() -> None:
    policy = cn_policy()
    assert policy.sources["all_in_cost_max"].startswith("Notice of NFRA 2025 No. 9")
    assert [name for name, source in policy.sources.items() if len(source) < 20] == []


def test_policy_knows_its_products() -> None:
    assert list(cn_policy().products) == ["personal", "shopping", "travel", "medical", "education"]
    with pytest.raises(PolicyError, match="has no product 'yacht', only personal, shopping"):
        cn_policy().product("yacht")


def test_policy_refuses_a_document_with_something_amiss() -> None:
    document = policy_document()
    del document["thresholds"]["age_min"]
    with pytest.raises(DocumentError, match=r"policy.thresholds lacks 'age_min'"):
        Policy.from_json(document)
    document = policy_document() | {"colour": "red"}
    with pytest.raises(DocumentError, match="policy has unknown keys: 'colour'"):
        Policy.from_json(document)
    document = policy_document()
    document["grades"][0]["discount"] = "0.01"
    with pytest.raises(DocumentError, match="A must be better than B"):
        Policy.from_json(document)


def test_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": "息"}) == fingerprint({"b": "息", "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature": "sex"}, "'sex' is not among the features that may be scored"),
        ({"feature": "age"}, "'age' is not among the features that may be scored"),
        ({"bins": []}, "has no bins"),
        ({"bins": [{"below": "2", "points": 1}]}, "end with one that has no upper edge"),
        (
            {"bins": [{"below": "2", "points": 1}, {"below": "2", "points": 1}, {"points": 0}]},
            "must increase",
        ),
        ({"bins": [{"points": "7"}]}, "must be a whole number"),
        ({"bins": [{"points": 99999}]}, "must lie within 2000 points"),
        ({"missing_points": None}, "lacks 'missing_points'"),
    ],
)
def test_scorecard_refuses_a_hostile_or_broken_card(change: dict, message: str) -> None:
    document = scorecard_document()
    document["features"][1] |= change
    with pytest.raises(DocumentError) as refusal:
        Scorecard.from_json(document)
    assert message in str(refusal.value)


def test_only_these_features_may_be_scored() -> None:
    """DP-06: whoever widens this list argues here that it is no protected characteristic."""
    assert set(SCORE_FEATURES) == {
        "employment",
        "months_employed",
        "income_evidence",
        "debt_ratio",
        "installment_ratio",
        "worst_days_past_due_12m",
        "loans_paid_off",
        "applications_30d",
        "bureau_worst_days_past_due_24m",
        "bureau_inquiries_6m",
    }
