"""Why a decision is as it is: codes with the values that their sentences need, no texts.

The sentences stand in `risk.selectors.reasons`, in the reader's language. There is no code such as
"score too low": a reason names what was measured (conduct DP-08).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """Whether a reason speaks for the applicant or against."""

    HELPFUL = "helpful"
    ADVERSE = "adverse"


class ReasonCode(StrEnum):
    """What a reason is about. SCORE_… codes are the scorecard's features."""

    # Something has to be known first.
    FACT_UNKNOWN = "FACT_UNKNOWN"
    IDENTITY_NOT_VERIFIED = "IDENTITY_NOT_VERIFIED"
    INCOME_NOT_EVIDENCED = "INCOME_NOT_EVIDENCED"
    INCOME_PROOF_STALE = "INCOME_PROOF_STALE"
    BUREAU_REPORT_MISSING = "BUREAU_REPORT_MISSING"
    # Who may borrow.
    TOO_YOUNG = "TOO_YOUNG"
    TOO_OLD_AT_END = "TOO_OLD_AT_END"
    STUDENT = "STUDENT"
    NO_INCOME = "NO_INCOME"
    # What may be borrowed, and for what.
    METHOD_NOT_OFFERED = "METHOD_NOT_OFFERED"
    TERM_NOT_OFFERED = "TERM_NOT_OFFERED"
    BULLET_TERM_TOO_LONG = "BULLET_TERM_TOO_LONG"
    AMOUNT_TOO_SMALL = "AMOUNT_TOO_SMALL"
    SCENARIO_MISSING = "SCENARIO_MISSING"
    COST_ABOVE_CAP = "COST_ABOVE_CAP"
    PRICE_BELOW_FLOOR = "PRICE_BELOW_FLOOR"
    PURPOSE_PROHIBITED = "PURPOSE_PROHIBITED"
    PURPOSE_NEEDS_REVIEW = "PURPOSE_NEEDS_REVIEW"
    PURPOSE_REPAYS_DEBT = "PURPOSE_REPAYS_DEBT"
    PURPOSE_UNKNOWN = "PURPOSE_UNKNOWN"
    # History.
    ARREARS_NOW = "ARREARS_NOW"
    ARREARS_RECENT = "ARREARS_RECENT"
    WRITTEN_OFF = "WRITTEN_OFF"
    MANY_APPLICATIONS = "MANY_APPLICATIONS"
    MANY_OPEN_LOANS = "MANY_OPEN_LOANS"
    BUREAU_ARREARS = "BUREAU_ARREARS"
    # What can be repaid.
    DEBT_RATIO_ALREADY_HIGH = "DEBT_RATIO_ALREADY_HIGH"
    INSTALLMENT_RATIO = "INSTALLMENT_RATIO"
    ALL_DEBT_RATIO = "ALL_DEBT_RATIO"
    SURPLUS_TOO_SMALL = "SURPLUS_TOO_SMALL"
    STRESS_FAILS = "STRESS_FAILS"
    # How much.
    LIMIT_BY_PRODUCT = "LIMIT_BY_PRODUCT"
    LIMIT_BY_LAW = "LIMIT_BY_LAW"
    LIMIT_BY_INCOME = "LIMIT_BY_INCOME"
    LIMIT_USED = "LIMIT_USED"
    # At what price.
    DISCOUNT_FOR_GRADE = "DISCOUNT_FOR_GRADE"
    DISCOUNT_WITHHELD = "DISCOUNT_WITHHELD"
    AFFORDABLE_WITH_ROOM = "AFFORDABLE_WITH_ROOM"
    # What the score measures.
    SCORE_EMPLOYMENT = "SCORE_EMPLOYMENT"
    SCORE_TIME_EMPLOYED = "SCORE_TIME_EMPLOYED"
    SCORE_INCOME_EVIDENCE = "SCORE_INCOME_EVIDENCE"
    SCORE_DEBT_RATIO = "SCORE_DEBT_RATIO"
    SCORE_INSTALLMENT_RATIO = "SCORE_INSTALLMENT_RATIO"
    SCORE_OWN_ARREARS = "SCORE_OWN_ARREARS"
    SCORE_LOANS_REPAID = "SCORE_LOANS_REPAID"
    SCORE_APPLICATIONS = "SCORE_APPLICATIONS"
    SCORE_BUREAU_ARREARS = "SCORE_BUREAU_ARREARS"
    SCORE_BUREAU_INQUIRIES = "SCORE_BUREAU_INQUIRIES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason: a code, its direction, and the values (as text) for its sentence."""

    code: ReasonCode
    effect: Effect
    detail: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the reason as JSON holds it."""
        return {"code": self.code.value, "effect": self.effect.value, "detail": dict(self.detail)}


def adverse(code: ReasonCode, **detail: object) -> Reason:
    """Return a reason that speaks against the applicant."""
    return Reason(code=code, effect=Effect.ADVERSE, detail=_texts(detail))


def helpful(code: ReasonCode, **detail: object) -> Reason:
    """Return a reason that speaks for the applicant."""
    return Reason(code=code, effect=Effect.HELPFUL, detail=_texts(detail))


def _texts(detail: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(value)) for key, value in detail.items())
