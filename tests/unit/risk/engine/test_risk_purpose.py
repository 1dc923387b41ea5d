from __future__ import annotations

import pytest

from risk.engine.policy import PurposeOutcome
from risk.engine.purpose import check_purpose
from risk.engine.reasons import ReasonCode
from tests.factories.risk import cn_policy

PROHIBITED = [
    "HOUSE_PURCHASE",
    "DOWN_PAYMENT",
    "MORTGAGE_PAYMENT",
    "SHARES",
    "BONDS_AND_FUNDS",
    "FUTURES_AND_DERIVATIVES",
    "ASSET_MANAGEMENT",
    "EQUITY_INVESTMENT",
    "FIXED_ASSETS",
    "CRYPTO_ASSETS",
    "INVESTMENT",
    "GAMBLING",
]


@pytest.mark.parametrize("code", PROHIBITED)
def test_prohibited_purposes_are_refused_with_reason_and_lesson(code: str) -> None:
    verdict = check_purpose(code, "", cn_policy())
    assert verdict.outcome is PurposeOutcome.REFUSE
    assert verdict.reason is ReasonCode.PURPOSE_PROHIBITED
    assert verdict.lesson_slug == "borrow-for-what"


@pytest.mark.parametrize(
    ("text", "reason", "lesson"),
    [
        ("想用来炒股", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("炒 股", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("交首付", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("买房", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("買房", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("买理财", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("Ｂｉｔｃｏｉｎ!", "PURPOSE_NEEDS_REVIEW", "borrow-for-what"),
        ("还其他贷款", "PURPOSE_REPAYS_DEBT", "talk-early"),
        ("还-信用卡", "PURPOSE_REPAYS_DEBT", "talk-early"),
        ("to repay my other loan", "PURPOSE_REPAYS_DEBT", "talk-early"),
    ],
)
def test_screened_words_send_the_case_to_a_person(text: str, reason: str, lesson: str) -> None:
    verdict = check_purpose("EDUCATION", text, cn_policy())
    assert verdict.outcome is PurposeOutcome.REFER
    assert (verdict.reason, verdict.lesson_slug) == (ReasonCode(reason), lesson)


@pytest.mark.parametrize("text", ["", "英语培训课程", "stockings and shoes", "fund my school fees"])
def test_ordinary_words_pass(text: str) -> None:
    assert check_purpose("EDUCATION", text, cn_policy()).outcome is PurposeOutcome.ACCEPT


def test_unknown_and_other_purposes_are_looked_at() -> None:
    assert check_purpose("YACHT", "", cn_policy()).reason is ReasonCode.PURPOSE_UNKNOWN
    assert check_purpose("OTHER", "", cn_policy()).outcome is PurposeOutcome.REFER
    debt = check_purpose("REPAY_OTHER_DEBT", "", cn_policy())
    assert (debt.outcome, debt.lesson_slug) == (PurposeOutcome.REFER, "talk-early")
