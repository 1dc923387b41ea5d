"""The rules that can stop a request by themselves. All of them run; every verdict is kept.

A rule whose facts are unknown says UNKNOWN, which sends the case to a person and never approves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from risk.engine.affordability import NEEDED_FACTS, Capacity
from risk.engine.facts import ApplicantFacts, Employment, LoanRequest
from risk.engine.policy import Policy, ProductRule, PurposeOutcome, Thresholds
from risk.engine.pricing import MONTHS, all_in_cost
from risk.engine.purpose import check_purpose
from risk.engine.reasons import Reason, ReasonCode, adverse
from zhixin.shared.money import Money, Rounding


class Rule(StrEnum):
    """The rules, in the order in which they are told."""

    COMPLETENESS = "COMPLETENESS"
    IDENTITY = "IDENTITY"
    AGE_MIN = "AGE_MIN"
    AGE_AT_END = "AGE_AT_END"
    OCCUPATION = "OCCUPATION"
    PURPOSE = "PURPOSE"
    METHOD = "METHOD"
    TERM = "TERM"
    BULLET_TERM = "BULLET_TERM"
    AMOUNT_MIN = "AMOUNT_MIN"
    SCENARIO = "SCENARIO"
    COST_CAP = "COST_CAP"
    WRITE_OFF = "WRITE_OFF"
    ARREARS_NOW = "ARREARS_NOW"
    ARREARS_12M = "ARREARS_12M"
    OPEN_LOANS = "OPEN_LOANS"
    APPLICATIONS = "APPLICATIONS"
    BUREAU_REPORT = "BUREAU_REPORT"
    BUREAU_ARREARS = "BUREAU_ARREARS"
    INCOME = "INCOME"
    INCOME_EVIDENCE = "INCOME_EVIDENCE"
    DEBT_RATIO = "DEBT_RATIO"
    # These follow in `decision`, which has the score and the offer.
    SCORE = "SCORE"
    AFFORDABILITY = "AFFORDABILITY"
    STRESS = "STRESS"
    LIMIT = "LIMIT"
    PRICE = "PRICE"


class Result(StrEnum):
    """What one rule says. LIMITS makes the offer smaller but stops nothing."""

    PASS = "PASS"  # noqa: S105 - not a password.
    LIMITS = "LIMITS"
    REFER = "REFER"
    DECLINE = "DECLINE"
    UNKNOWN = "UNKNOWN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule said, with its reasons unless it passed."""

    rule: Rule
    result: Result
    reasons: tuple[Reason, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the verdict as JSON holds it."""
        return {
            "rule": self.rule.value,
            "result": self.result.value,
            "reasons": [reason.to_json() for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the rules look at."""

    facts: ApplicantFacts
    request: LoanRequest
    policy: Policy
    product: ProductRule
    capacity: Capacity | None

    @property
    def limits(self) -> Thresholds:
        """Return the policy's numbers."""
        return self.policy.thresholds


Finding = tuple[Result, Reason | None]
_PASS: Finding = (Result.PASS, None)
_UNKNOWN: Finding = (Result.UNKNOWN, None)
_NOT_APPLICABLE: Finding = (Result.NOT_APPLICABLE, None)

# What has to be known; income evidence and the bureau have rules of their own.
_NEEDED = (
    "age",
    "identity_verified",
    "employment",
    "months_employed",
    *NEEDED_FACTS,
    "open_principal",
    "open_loan_count",
    "worst_days_past_due_now",
    "worst_days_past_due_12m",
    "loans_paid_off",
    "written_off",
    "applications_30d",
)


def run_knockouts(case: Case) -> tuple[Verdict, ...]:
    """Return the verdict of every rule, in the order of `Rule`."""
    verdicts = []
    for rule, check in _CHECKS.items():
        result, reason = check(case)
        reasons = () if reason is None else (reason,)
        verdicts.append(Verdict(rule=rule, result=result, reasons=reasons))
    return tuple(verdicts)


def _decline(code: ReasonCode, **detail: object) -> Finding:
    return Result.DECLINE, adverse(code, **detail)


def _refer(code: ReasonCode, **detail: object) -> Finding:
    return Result.REFER, adverse(code, **detail)


def _completeness(case: Case) -> Finding:
    unknown = [name for name in _NEEDED if getattr(case.facts, name) is None]
    if not unknown:
        return _PASS
    return Result.UNKNOWN, adverse(ReasonCode.FACT_UNKNOWN, facts=",".join(unknown))


def _identity(case: Case) -> Finding:
    if case.facts.identity_verified is None:
        return _UNKNOWN
    return _PASS if case.facts.identity_verified else _refer(ReasonCode.IDENTITY_NOT_VERIFIED)


def _age_min(case: Case) -> Finding:
    if case.facts.age is None:
        return _UNKNOWN
    if case.facts.age >= case.limits.age_min:
        return _PASS
    return _decline(ReasonCode.TOO_YOUNG, minimum=case.limits.age_min)


def _age_at_end(case: Case) -> Finding:
    if case.facts.age is None:
        return _UNKNOWN
    years = -(-case.request.installment_count // MONTHS)
    if case.facts.age + years <= case.limits.age_at_end_max:
        return _PASS
    return _decline(ReasonCode.TOO_OLD_AT_END, maximum=case.limits.age_at_end_max)


def _occupation(case: Case) -> Finding:
    if case.facts.employment is None:
        return _UNKNOWN
    return _decline(ReasonCode.STUDENT) if case.facts.employment is Employment.STUDENT else _PASS


def _purpose(case: Case) -> Finding:
    verdict = check_purpose(case.request.purpose_code, case.request.purpose_text, case.policy)
    if verdict.outcome is PurposeOutcome.ACCEPT or verdict.reason is None:
        return _PASS
    refused = verdict.outcome is PurposeOutcome.REFUSE
    detail = {"purpose": case.request.purpose_code}
    if verdict.word is not None:
        detail["word"] = verdict.word
    if verdict.lesson_slug is not None:
        detail["lesson"] = verdict.lesson_slug
    return Result.DECLINE if refused else Result.REFER, adverse(verdict.reason, **detail)


def _method(case: Case) -> Finding:
    offered = case.request.method in case.product.methods
    return _PASS if offered else _decline(ReasonCode.METHOD_NOT_OFFERED)


def _term(case: Case) -> Finding:
    term = case.request.installment_count
    if term in case.product.terms and term <= case.limits.term_max:
        return _PASS
    return _decline(ReasonCode.TERM_NOT_OFFERED, term=term)


def _bullet_term(case: Case) -> Finding:
    if case.request.method not in case.policy.bullet_methods:
        return _NOT_APPLICABLE
    if case.request.installment_count <= case.limits.bullet_term_max:
        return _PASS
    return _decline(ReasonCode.BULLET_TERM_TOO_LONG, maximum=case.limits.bullet_term_max)


def _amount_min(case: Case) -> Finding:
    if case.request.amount >= case.product.amount_min:
        return _PASS
    return _decline(ReasonCode.AMOUNT_TOO_SMALL, minimum=case.product.amount_min)


def _scenario(case: Case) -> Finding:
    if not case.product.scenario_required:
        return _NOT_APPLICABLE
    return _PASS if case.request.scenario else _refer(ReasonCode.SCENARIO_MISSING)


def _cost_cap(case: Case) -> Finding:
    cost = all_in_cost(request=case.request, product=case.product)
    if cost <= case.limits.all_in_cost_max:
        return _PASS
    return _decline(ReasonCode.COST_ABOVE_CAP, cost=cost, maximum=case.limits.all_in_cost_max)


def _write_off(case: Case) -> Finding:
    if case.facts.written_off is None:
        return _UNKNOWN
    return _decline(ReasonCode.WRITTEN_OFF) if case.facts.written_off else _PASS


def _arrears_now(case: Case) -> Finding:
    days = case.facts.worst_days_past_due_now
    if days is None:
        return _UNKNOWN
    if days >= case.limits.arrears_now_decline_days:
        return _decline(ReasonCode.ARREARS_NOW, days=days)
    if days >= case.limits.arrears_now_refer_days:
        return _refer(ReasonCode.ARREARS_NOW, days=days)
    return _PASS


def _arrears_12m(case: Case) -> Finding:
    days = case.facts.worst_days_past_due_12m
    if days is None:
        return _UNKNOWN
    late = days >= case.limits.arrears_12m_refer_days
    return _refer(ReasonCode.ARREARS_RECENT, days=days) if late else _PASS


def _open_loans(case: Case) -> Finding:
    number = case.facts.open_loan_count
    if number is None:
        return _UNKNOWN
    many = number > case.limits.open_loans_max
    return _refer(ReasonCode.MANY_OPEN_LOANS, number=number) if many else _PASS


def _applications(case: Case) -> Finding:
    number = case.facts.applications_30d
    if number is None:
        return _UNKNOWN
    many = number > case.limits.applications_30d_max
    return _refer(ReasonCode.MANY_APPLICATIONS, number=number) if many else _PASS


def _bureau_report(case: Case) -> Finding:
    age = case.facts.bureau_report_age_days
    if age is None and not case.limits.bureau_report_required:
        return _NOT_APPLICABLE
    fresh = age is not None and age <= case.limits.bureau_report_days
    return _PASS if fresh else _refer(ReasonCode.BUREAU_REPORT_MISSING)


def _bureau_arrears(case: Case) -> Finding:
    days = case.facts.bureau_worst_days_past_due_24m
    if days is None:
        return _NOT_APPLICABLE
    late = days >= case.limits.bureau_arrears_decline_days
    return _decline(ReasonCode.BUREAU_ARREARS, days=days) if late else _PASS


def _income(case: Case) -> Finding:
    if case.capacity is None:
        return _UNKNOWN
    return _PASS if case.capacity.income > Money.zero() else _decline(ReasonCode.NO_INCOME)


def _income_evidence(case: Case) -> Finding:
    if case.facts.evidenced_income is None:
        maximum = case.limits.unevidenced_amount_max
        if case.request.amount <= maximum:
            return _NOT_APPLICABLE
        return _refer(ReasonCode.INCOME_NOT_EVIDENCED, maximum=maximum)
    age, oldest = case.facts.proof_age_days, case.limits.income_proof_days
    if age is None:
        return _UNKNOWN[0], adverse(ReasonCode.FACT_UNKNOWN, facts="proof_age_days")
    return _PASS if age <= oldest else _refer(ReasonCode.INCOME_PROOF_STALE, days=oldest)


def _debt_ratio(case: Case) -> Finding:
    if case.capacity is None:
        return _UNKNOWN
    share = case.limits.all_debt_ratio_max
    cap = Money.rounded(case.capacity.income.amount * share, rounding=Rounding.DOWN)
    if case.capacity.debt <= cap:
        return _PASS
    return _decline(
        ReasonCode.DEBT_RATIO_ALREADY_HIGH, debt=case.capacity.debt, maximum=max(cap, Money.zero())
    )


_CHECKS: dict[Rule, Callable[[Case], Finding]] = {
    Rule.COMPLETENESS: _completeness,
    Rule.IDENTITY: _identity,
    Rule.AGE_MIN: _age_min,
    Rule.AGE_AT_END: _age_at_end,
    Rule.OCCUPATION: _occupation,
    Rule.PURPOSE: _purpose,
    Rule.METHOD: _method,
    Rule.TERM: _term,
    Rule.BULLET_TERM: _bullet_term,
    Rule.AMOUNT_MIN: _amount_min,
    Rule.SCENARIO: _scenario,
    Rule.COST_CAP: _cost_cap,
    Rule.WRITE_OFF: _write_off,
    Rule.ARREARS_NOW: _arrears_now,
    Rule.ARREARS_12M: _arrears_12m,
    Rule.OPEN_LOANS: _open_loans,
    Rule.APPLICATIONS: _applications,
    Rule.BUREAU_REPORT: _bureau_report,
    Rule.BUREAU_ARREARS: _bureau_arrears,
    Rule.INCOME: _income,
    Rule.INCOME_EVIDENCE: _income_evidence,
    Rule.DEBT_RATIO: _debt_ratio,
}
