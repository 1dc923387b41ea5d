"""Assessments in words: why, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from risk.engine.affordability import LineCode
from risk.engine.decision import Outcome
from risk.engine.knockouts import Result, Rule
from risk.engine.reasons import Effect, ReasonCode
from risk.models import Assessment
from risk.selectors.reasons import (
    FEATURE_LABELS,
    LINE_LABELS,
    RESULT_LABELS,
    RULE_LABELS,
    Text,
    sentence,
)
from zhixin.shared.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionExplanation:
    """A decision for the person it is about, in the language in force.

    On a decline or referral `adverse` says why; on an approval what held it back and `helpful` what
    helped. `changes` says what would lead to the full amount. `lesson_slugs` explain more.
    """

    outcome: Outcome
    requested_amount: Money
    approved_amount: Money | None
    limit: Money
    annual_rate: Decimal | None
    adverse: tuple[str, ...]
    helpful: tuple[str, ...]
    changes: tuple[str, ...]
    lesson_slugs: tuple[str, ...]

    @property
    def is_smaller_offer(self) -> bool:
        """Return whether less than the request was approved."""
        return self.approved_amount is not None and self.approved_amount < self.requested_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One rule's verdict for staff."""

    label: Text
    result: Result
    result_label: Text
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRow:
    """One line of the affordability sum for staff."""

    label: Text
    amount: Money
    formula: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One feature's points for staff; `value` is None when it was missing."""

    label: Text
    value: str | None
    points: int
    best_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentSheet:
    """Everything behind a decision, for the people who answer for it."""

    assessment: Assessment
    explanation: DecisionExplanation
    pd: Decimal
    score_base: int
    score_rows: tuple[ScoreRow, ...]
    amount_rows: tuple[AmountRow, ...]
    rule_rows: tuple[RuleRow, ...]

    @property
    def telling_rules(self) -> tuple[RuleRow, ...]:
        """Return the rules that say something: all that are not quiet."""
        return tuple(row for row in self.rule_rows if row.result not in _QUIET)

    @property
    def quiet_rules(self) -> tuple[RuleRow, ...]:
        """Return the rules that passed, or that do not apply to this request."""
        return tuple(row for row in self.rule_rows if row.result in _QUIET)


_QUIET = frozenset({Result.PASS, Result.NOT_APPLICABLE})


def latest_assessment(subject_id: int) -> Assessment | None:
    """Return the person's newest assessment."""
    return Assessment.objects.filter(subject_id=subject_id).order_by("-decided_at", "-pk").first()


def explain_assessment(assessment: Assessment) -> DecisionExplanation:
    """Return the decision in sentences that name what truly drove it, four adverse at most."""
    decision: dict[str, Any] = assessment.decision
    reasons = decision["reasons"]
    lessons = [reason["detail"]["lesson"] for reason in reasons if "lesson" in reason["detail"]]
    return DecisionExplanation(
        outcome=Outcome(assessment.outcome),
        requested_amount=Money.parse(assessment.request["amount"]),
        approved_amount=assessment.approved_amount,
        limit=assessment.limit,
        annual_rate=assessment.annual_rate,
        adverse=_sentences(reasons, Effect.ADVERSE),
        helpful=_sentences(reasons, Effect.HELPFUL),
        changes=_changes(decision["counterfactual"]),
        lesson_slugs=tuple(dict.fromkeys(lessons)),
    )


def assessment_sheet(assessment: Assessment) -> AssessmentSheet:
    """Return rules, points and sums of an assessment with their labels."""
    decision: dict[str, Any] = assessment.decision
    return AssessmentSheet(
        assessment=assessment,
        explanation=explain_assessment(assessment),
        pd=Decimal(decision["pd"]),
        score_base=decision["score_base"],
        score_rows=tuple(
            ScoreRow(
                label=FEATURE_LABELS[line["feature"]],
                value=line["value"],
                points=line["points"],
                best_points=line["best_points"],
            )
            for line in decision["score_lines"]
        ),
        amount_rows=tuple(
            AmountRow(
                label=LINE_LABELS[LineCode(line["code"])],
                amount=Money.parse(line["amount"]),
                formula=line["formula"],
            )
            for line in decision["affordability"]
        ),
        rule_rows=tuple(
            RuleRow(
                label=RULE_LABELS[Rule(verdict["rule"])],
                result=Result(verdict["result"]),
                result_label=RESULT_LABELS[Result(verdict["result"])],
                sentences=_sentences(verdict["reasons"], Effect.ADVERSE),
            )
            for verdict in decision["verdicts"]
        ),
    )


def _sentences(reasons: list[dict[str, Any]], effect: Effect) -> tuple[str, ...]:
    return tuple(
        sentence(ReasonCode(reason["code"]), effect, reason["detail"])
        for reason in reasons
        if reason["effect"] == effect
    )


def _changes(counterfactual: Mapping[str, Any] | None) -> tuple[str, ...]:
    if counterfactual is None:
        return ()
    changes = []
    if counterfactual["amount"] is not None:
        amount = f"¥{Money.parse(counterfactual['amount']).amount:,.2f}"
        changes.append(_("With %(amount)s instead: yes.") % {"amount": amount})
    if counterfactual["term"] is not None:
        changes.append(
            _("With %(term)s installments instead: yes, but it costs more in all.")
            % {"term": counterfactual["term"]}
        )
    return tuple(changes)
