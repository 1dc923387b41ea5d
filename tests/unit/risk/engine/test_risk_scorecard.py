from __future__ import annotations

from decimal import Decimal

import pytest

from risk.engine.affordability import repayment_capacity
from risk.engine.facts import Employment
from risk.engine.pricing import all_in_cost, price
from risk.engine.scorecard import Score, score_features
from tests.factories.risk import applicant, cn_policy, expert_card, loan_request, yuan


def score_of(**changes: object) -> Score:
    facts = applicant(**changes)
    capacity = repayment_capacity(facts=facts, policy=cn_policy())
    return expert_card().evaluate(
        score_features(facts=facts, capacity=capacity, installment=yuan("1100.16"))
    )


@pytest.mark.parametrize(
    ("score", "pd"),
    [
        (600, "0.047619"),
        (620, "0.024390"),
        (580, "0.090909"),
        (540, "0.285714"),
        (631, "0.016789"),
    ],
)
def test_twenty_points_double_the_odds_and_600_is_twenty_to_one(score: int, pd: str) -> None:
    assert expert_card().probability_of_default(score) == Decimal(pd)


def test_the_worked_card() -> None:
    """570 + 8 + 10 + 12 + 14 + 5 + 8 + 0 + 4 + 0 + 0."""
    score = score_of()
    assert score.score == 631
    assert [line.points for line in score.lines] == [8, 10, 12, 14, 5, 8, 0, 4, 0, 0]
    assert [line.feature for line in score.by_points_lost()] == [
        "loans_paid_off",
        "installment_ratio",
        "months_employed",
    ]


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"months_employed": 2}, 601),
        ({"months_employed": 3}, 615),
        ({"months_employed": None}, 609),
        ({"months_employed": 60}, 635),
        ({"employment": Employment.UNEMPLOYED}, 583),
        ({"worst_days_past_due_12m": 1}, 611),
        ({"worst_days_past_due_12m": 30}, 583),
        ({"worst_days_past_due_12m": 90}, 543),
        ({"loans_paid_off": 3}, 647),
        ({"bureau_inquiries_6m": 6}, 607),
        # 900 / 9000 is 0.1000, no longer below 0.10.
        ({"debt_payments": yuan(900)}, 623),
        ({"debt_payments": yuan("899.99")}, 623),
        ({"debt_payments": yuan("899.00")}, 631),
    ],
)
def test_bins_begin_where_the_card_says(changes: dict[str, object], score: int) -> None:
    assert score_of(**changes).score == score


def test_protected_and_household_facts_move_no_points() -> None:
    assert score_of(age=68, household_children=0).score == score_of(age=19).score == 631


@pytest.mark.parametrize(
    ("score", "grade"),
    [(635, "A"), (634, "B"), (605, "B"), (604, "C"), (580, "C"), (579, "D"), (550, "D")],
)
def test_grades_begin_at_their_score(score: int, grade: str) -> None:
    rule = cn_policy().grade_for(score)
    assert rule is not None
    assert rule.code == grade


def test_no_grade_below_the_last() -> None:
    assert cn_policy().grade_for(549) is None


@pytest.mark.parametrize(
    ("score", "comfortable", "rate", "withheld"),
    [
        (640, True, "0.1300", False),
        (640, False, "0.18", True),
        (610, True, "0.1550", False),
        (590, True, "0.1800", False),
        (560, True, "0.1800", False),
    ],
)
def test_rate_is_list_less_the_grades_discount(
    score: int, comfortable: bool, rate: str, withheld: bool
) -> None:
    policy = cn_policy()
    grade = policy.grade_for(score)
    assert grade is not None
    result = price(
        product=policy.product("personal"),
        grade=grade,
        pd=expert_card().probability_of_default(score),
        is_comfortable=comfortable,
        thresholds=policy.thresholds,
    )
    assert (result.annual_rate, result.discount_withheld) == (Decimal(rate), withheld)


def test_floor_is_funding_plus_cost_plus_expected_loss_and_holds_the_rate() -> None:
    policy = cn_policy()
    grade = policy.grades[0]
    result = price(
        product=policy.product("shopping"),
        grade=grade,
        pd=Decimal("0.05"),
        is_comfortable=True,
        thresholds=policy.thresholds,
    )
    assert result.floor_rate == Decimal("0.1050")
    assert result.annual_rate == Decimal("0.1050")
    assert result.discount == Decimal("0.0390")


def test_all_in_cost_is_compound_unless_the_request_knows_better() -> None:
    product = cn_policy().product("personal")
    assert all_in_cost(request=loan_request(), product=product) == Decimal("0.195619")
    known = loan_request(all_in_cost=Decimal("0.24"))
    assert all_in_cost(request=known, product=product) == Decimal("0.24")
