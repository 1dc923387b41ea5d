from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from risk.engine.decision import Counterfactual, Decision, Outcome, decide
from risk.engine.facts import ApplicantFacts, Employment
from risk.engine.knockouts import Result, Rule
from risk.engine.policy import PolicyError
from risk.engine.reasons import Effect, ReasonCode
from tests.factories.risk import (
    applicant,
    cn_policy,
    expert_card,
    largest_installment,
    loan_request,
    yuan,
)
from zhixin.shared.money import Money

REQUEST_FIELDS = {
    "product_code",
    "amount",
    "installment_count",
    "method",
    "purpose_code",
    "purpose_text",
    "scenario",
    "all_in_cost",
}


def decision(**changes: Any) -> Decision:
    asked = {key: value for key, value in changes.items() if key in REQUEST_FIELDS}
    known = {key: value for key, value in changes.items() if key not in REQUEST_FIELDS}
    return decide(
        facts=applicant(**known),
        request=loan_request(**asked),
        policy=cn_policy(),
        scorecard=expert_card(),
        installment_for=largest_installment,
    )


def result_of(made: Decision, rule: Rule) -> Result:
    return next(verdict.result for verdict in made.verdicts if verdict.rule is rule)


def codes(made: Decision, effect: Effect = Effect.ADVERSE) -> list[str]:
    return [reason.code.value for reason in made.reasons if reason.effect is effect]


def test_a_good_request_is_approved_in_full() -> None:
    made = decision()
    assert made.outcome is Outcome.APPROVE
    assert (made.score.score, made.grade) == (631, "B")
    assert made.approved_amount == yuan(12000)
    assert made.annual_rate == Decimal("0.1550")
    assert made.installment == yuan("1085.93")
    # 3,420 a month carries 37,303 over 12 months at 18%.
    assert made.limit == yuan(37300)
    assert made.counterfactual is None
    assert codes(made, Effect.HELPFUL) == [
        "DISCOUNT_FOR_GRADE",
        "AFFORDABLE_WITH_ROOM",
        "SCORE_DEBT_RATIO",
    ]


def test_every_rule_leaves_its_verdict_whatever_the_others_say() -> None:
    for made in (decision(), decision(age=17, written_off=True), decision(method="FLAT")):
        assert [verdict.rule for verdict in made.verdicts] == list(Rule)


@pytest.mark.parametrize(
    ("changes", "rule", "result", "code"),
    [
        ({"age": 17}, Rule.AGE_MIN, Result.DECLINE, "TOO_YOUNG"),
        ({"age": 18}, Rule.AGE_MIN, Result.PASS, None),
        ({"age": 69}, Rule.AGE_AT_END, Result.PASS, None),
        ({"age": 70}, Rule.AGE_AT_END, Result.DECLINE, "TOO_OLD_AT_END"),
        ({"age": 69, "installment_count": 18}, Rule.AGE_AT_END, Result.DECLINE, "TOO_OLD_AT_END"),
        ({"employment": Employment.STUDENT}, Rule.OCCUPATION, Result.DECLINE, "STUDENT"),
        ({"identity_verified": False}, Rule.IDENTITY, Result.REFER, "IDENTITY_NOT_VERIFIED"),
        ({"purpose_code": "SHARES"}, Rule.PURPOSE, Result.DECLINE, "PURPOSE_PROHIBITED"),
        ({"purpose_text": "还其他贷款"}, Rule.PURPOSE, Result.REFER, "PURPOSE_REPAYS_DEBT"),
        ({"method": "FLAT"}, Rule.METHOD, Result.DECLINE, "METHOD_NOT_OFFERED"),
        ({"installment_count": 7}, Rule.TERM, Result.DECLINE, "TERM_NOT_OFFERED"),
        ({"installment_count": 72}, Rule.TERM, Result.DECLINE, "TERM_NOT_OFFERED"),
        ({"method": "BULLET", "amount": yuan(2000)}, Rule.BULLET_TERM, Result.PASS, None),
        (
            {"method": "INTEREST_ONLY", "amount": yuan(2000), "installment_count": 18},
            Rule.BULLET_TERM,
            Result.DECLINE,
            "BULLET_TERM_TOO_LONG",
        ),
        ({"amount": yuan(1000)}, Rule.AMOUNT_MIN, Result.PASS, None),
        ({"amount": yuan("999.99")}, Rule.AMOUNT_MIN, Result.DECLINE, "AMOUNT_TOO_SMALL"),
        ({"product_code": "travel"}, Rule.SCENARIO, Result.REFER, "SCENARIO_MISSING"),
        ({"product_code": "travel", "scenario": "TRAVEL"}, Rule.SCENARIO, Result.PASS, None),
        ({"all_in_cost": Decimal("0.24")}, Rule.COST_CAP, Result.PASS, None),
        ({"all_in_cost": Decimal("0.240001")}, Rule.COST_CAP, Result.DECLINE, "COST_ABOVE_CAP"),
        ({"written_off": True}, Rule.WRITE_OFF, Result.DECLINE, "WRITTEN_OFF"),
        ({"worst_days_past_due_now": 1}, Rule.ARREARS_NOW, Result.REFER, "ARREARS_NOW"),
        ({"worst_days_past_due_now": 89}, Rule.ARREARS_NOW, Result.REFER, "ARREARS_NOW"),
        ({"worst_days_past_due_now": 90}, Rule.ARREARS_NOW, Result.DECLINE, "ARREARS_NOW"),
        ({"worst_days_past_due_12m": 59}, Rule.ARREARS_12M, Result.PASS, None),
        ({"open_loan_count": 2}, Rule.OPEN_LOANS, Result.PASS, None),
        ({"open_loan_count": 3}, Rule.OPEN_LOANS, Result.REFER, "MANY_OPEN_LOANS"),
        ({"applications_30d": 3}, Rule.APPLICATIONS, Result.PASS, None),
        ({"applications_30d": 4}, Rule.APPLICATIONS, Result.REFER, "MANY_APPLICATIONS"),
        ({"bureau_report_age_days": 30}, Rule.BUREAU_REPORT, Result.PASS, None),
        ({"bureau_report_age_days": 31}, Rule.BUREAU_REPORT, Result.REFER, "BUREAU_REPORT_MISSING"),
        (
            {"bureau_worst_days_past_due_24m": 90},
            Rule.BUREAU_ARREARS,
            Result.DECLINE,
            "BUREAU_ARREARS",
        ),
        ({"stated_income": Money.zero()}, Rule.INCOME, Result.DECLINE, "NO_INCOME"),
        ({"proof_age_days": 90}, Rule.INCOME_EVIDENCE, Result.PASS, None),
        ({"proof_age_days": 91}, Rule.INCOME_EVIDENCE, Result.REFER, "INCOME_PROOF_STALE"),
        ({"debt_payments": yuan(4950)}, Rule.DEBT_RATIO, Result.PASS, None),
        (
            {"debt_payments": yuan("4950.01")},
            Rule.DEBT_RATIO,
            Result.DECLINE,
            "DEBT_RATIO_ALREADY_HIGH",
        ),
    ],
)
def test_each_knockout_at_its_boundary(
    changes: dict[str, Any], rule: Rule, result: Result, code: str | None
) -> None:
    made = decision(**changes)
    assert result_of(made, rule) is result
    if code is not None:
        assert code in codes(made)
        expected = Outcome.DECLINE if result is Result.DECLINE else Outcome.REFER
        assert made.outcome is expected


def test_income_without_proof_is_enough_for_small_amounts_only() -> None:
    unproven = {"evidenced_income": None, "proof_age_days": None, "stated_income": yuan(20000)}
    small = decision(**unproven, amount=yuan(20000))
    assert (small.outcome, small.approved_amount) == (Outcome.APPROVE, yuan(20000))
    large = decision(**unproven, amount=yuan("20000.01"))
    assert large.outcome is Outcome.REFER
    assert codes(large) == ["INCOME_NOT_EVIDENCED"]
    assert large.counterfactual == Counterfactual(amount=yuan(20000), installment_count=None)


@pytest.mark.parametrize(
    "fact",
    [
        "age",
        "identity_verified",
        "employment",
        "months_employed",
        "stated_income",
        "income_is_irregular",
        "housing_cost",
        "living_costs",
        "debt_payments",
        "household_adults",
        "household_children",
        "open_principal",
        "open_loan_count",
        "worst_days_past_due_now",
        "worst_days_past_due_12m",
        "loans_paid_off",
        "written_off",
        "applications_30d",
        "proof_age_days",
    ],
)
def test_an_unknown_fact_goes_to_a_person_and_is_named(fact: str) -> None:
    made = decision(**{fact: None})
    assert made.outcome is Outcome.REFER
    assert made.approved_amount is None
    unknown = made.reasons[0]
    assert (unknown.code, dict(unknown.detail)) == (ReasonCode.FACT_UNKNOWN, {"facts": fact})


def test_knowing_nothing_goes_to_a_person_too() -> None:
    made = decide(
        facts=ApplicantFacts(),
        request=loan_request(),
        policy=cn_policy(),
        scorecard=expert_card(),
        installment_for=largest_installment,
    )
    assert (made.outcome, result_of(made, Rule.SCORE)) == (Outcome.REFER, Result.UNKNOWN)
    assert codes(made) == ["FACT_UNKNOWN"]
    assert made.limit == Money.zero()


def test_a_smaller_affordable_offer_comes_before_a_decline() -> None:
    made = decision(amount=yuan(50000))
    assert made.outcome is Outcome.APPROVE
    assert made.approved_amount == made.limit == yuan(37300)
    assert made.annual_rate == Decimal("0.18")
    assert codes(made)[:4] == [
        "INSTALLMENT_RATIO",
        "ALL_DEBT_RATIO",
        "SURPLUS_TOO_SMALL",
        "STRESS_FAILS",
    ]
    # Over 18 months the installment of 3,190.29 fits a bad month as well.
    assert made.counterfactual == Counterfactual(amount=yuan(37300), installment_count=18)


def test_when_no_amount_fits_the_request_is_declined() -> None:
    made = decision(housing_cost=yuan(5000), living_costs=yuan(2600))
    assert made.outcome is Outcome.DECLINE
    assert (made.limit, made.annual_rate, made.approved_amount) == (Money.zero(), None, None)
    assert codes(made) == ["SURPLUS_TOO_SMALL"]


def test_when_only_a_bad_month_is_in_the_way_a_person_decides() -> None:
    """Surplus 9000 - 6700 - 500 - 900 = 900; bad month 8100 - 7370 - 500 = 230."""
    made = decision(housing_cost=yuan(4700), installment_count=3, amount=yuan(2500))
    assert result_of(made, Rule.AFFORDABILITY) is Result.PASS
    assert result_of(made, Rule.STRESS) is Result.REFER
    assert made.outcome is Outcome.REFER
    assert codes(made) == ["STRESS_FAILS"]
    assert made.limit == yuan(2600)
    assert made.counterfactual == Counterfactual(amount=None, installment_count=12)


def test_the_legal_cap_counts_what_is_open_already() -> None:
    rich = {
        "stated_income": yuan(80000),
        "evidenced_income": yuan(80000),
        "loans_paid_off": 3,
        "installment_count": 36,
        "amount": yuan(200000),
    }
    assert decision(**rich).approved_amount == yuan(200000)
    assert decision(**rich | {"amount": yuan(250000)}).approved_amount == yuan(200000)
    reduced = decision(**rich, open_principal=yuan("15050.00"), open_loan_count=1)
    assert reduced.approved_amount == yuan(184900)
    assert codes(reduced)[:2] == ["LIMIT_BY_PRODUCT", "LIMIT_USED"]


def test_the_limit_is_a_multiple_of_income_by_grade() -> None:
    """Grade C: four times 5,000; affordability alone would give more over 36 months."""
    made = decision(
        stated_income=yuan(5000),
        evidenced_income=yuan(5000),
        housing_cost=yuan(300),
        living_costs=yuan(900),
        debt_payments=Money.zero(),
        months_employed=2,
        applications_30d=2,
        installment_count=36,
        amount=yuan(30000),
    )
    assert made.grade == "C"
    assert made.approved_amount == yuan(20000)
    assert codes(made)[0] == "LIMIT_BY_INCOME"


def test_no_discount_where_the_installment_only_just_fits() -> None:
    """Comfort ends at 3,350 a month; 36,600 asks 3,355.47 at the list rate."""
    roomy, tight = decision(amount=yuan(36500)), decision(amount=yuan(36600))
    assert (roomy.annual_rate, tight.annual_rate) == (Decimal("0.1550"), Decimal("0.18"))
    assert "DISCOUNT_WITHHELD" in codes(tight)
    assert "DISCOUNT_WITHHELD" not in codes(roomy)


def test_a_score_decline_names_what_cost_the_points() -> None:
    made = decision(
        employment=Employment.UNEMPLOYED,
        months_employed=1,
        applications_30d=3,
        evidenced_income=None,
        proof_age_days=None,
    )
    assert made.outcome is Outcome.DECLINE
    assert (made.score.score, made.grade) == (513, None)
    assert codes(made) == [
        "SCORE_EMPLOYMENT",
        "SCORE_TIME_EMPLOYED",
        "SCORE_APPLICATIONS",
        "SCORE_INCOME_EVIDENCE",
    ]


def test_the_middle_band_is_looked_at_by_a_person() -> None:
    made = decision(worst_days_past_due_12m=45, employment=Employment.FLEXIBLE)
    assert (made.score.score, made.grade) == (571, "D")
    assert (made.outcome, result_of(made, Rule.SCORE)) == (Outcome.REFER, Result.REFER)


def test_no_more_than_four_adverse_reasons() -> None:
    made = decision(
        age=17,
        employment=Employment.STUDENT,
        purpose_code="SHARES",
        written_off=True,
        worst_days_past_due_now=100,
    )
    assert codes(made) == ["TOO_YOUNG", "STUDENT", "PURPOSE_PROHIBITED", "WRITTEN_OFF"]


def test_a_product_that_is_not_in_the_policy_is_an_error() -> None:
    with pytest.raises(PolicyError, match="has no product 'yacht'"):
        decision(product_code="yacht")
