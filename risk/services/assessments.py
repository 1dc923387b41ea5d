"""Decides on a request and keeps everything that led to the decision."""

from __future__ import annotations

from datetime import date, datetime

from accounts.models import User
from risk.engine.decision import InstallmentMath, decide
from risk.engine.facts import ApplicantFacts, LoanRequest
from risk.models import Assessment
from risk.selectors.policies import policy_in_force
from zhixin.shared.actor import Actor


def assess(
    *,
    subject: User,
    facts: ApplicantFacts,
    request: LoanRequest,
    installment_for: InstallmentMath,
    on: date,
    at: datetime,
    actor: Actor,
) -> Assessment:
    """Decide by the policy in force on `on` and store the assessment.

    `installment_for` is the lender's own schedule arithmetic (see `risk.engine.decision`).
    Raises NoPolicyError when no policy is in force, PolicyError for a product that it has not.
    """
    rules = policy_in_force(on)
    decision = decide(
        facts=facts,
        request=request,
        policy=rules.policy,
        scorecard=rules.scorecard,
        installment_for=installment_for,
    )
    return Assessment.objects.create(
        subject=subject,
        facts=facts.to_json(),
        request=request.to_json(),
        policy_id=rules.policy_id,
        scorecard_id=rules.scorecard_id,
        decision=decision.to_json(),
        outcome=decision.outcome,
        score=decision.score.score,
        grade=decision.grade or "",
        limit=decision.limit,
        approved_amount=decision.approved_amount,
        annual_rate=decision.annual_rate,
        decision_date=on,
        decided_at=at,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
    )
