"""What becomes of accepted plans: kept, completed, broken, replaced.

A plan breaks only after a missed payment, a notice and the cure days (conduct HS-21); until then
nobody collects (HS-05, CC-19).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from django.db import transaction

from accounts.engine.contact_rules import ContactPurpose, HoldReason
from accounts.models import ContactHold, User
from accounts.services.holds import place_hold, release_hold
from accounts.services.messages import UnableToQueueMessageError, queue_message
from collections_app.engine.policy import POLICY
from collections_app.engine.states import PLAN_LIFECYCLE, PlanEvent, PlanState
from collections_app.models import HardshipPlan
from loans.engine.lifecycle import LoanStatus
from loans.selectors.portfolio import LoanStanding, lock_standing, standings_of
from zhixin.shared.actor import Actor

Clock = Callable[[], datetime.datetime]


def hold_reference(public_id: object) -> str:
    """Return what the contact hold of a loan's plan is filed under."""
    return f"loan:{public_id}"


def hold_contact(
    *, person: User, standing: LoanStanding, actor: Actor, at: datetime.datetime
) -> None:
    """Stop collection contact while the plan is kept: until the night finds it ended."""
    place_hold(
        person=person,
        reason=HoldReason.PLAN_KEPT,
        until=None,
        actor=actor,
        at=at,
        reference=hold_reference(standing.public_id),
    )


def end_plan(
    *,
    plan: HardshipPlan,
    event: PlanEvent,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    """End the locked plan along its state table."""
    plan.state = PLAN_LIFECYCLE.after(PlanState(plan.state), event)
    plan.ended_on = business_date
    plan.ended_at = at
    plan.ended_by_label = actor.label
    plan.save(update_fields=["state", "ended_on", "ended_at", "ended_by_label"])


def review_kept_plans(*, business_date: datetime.date, actor: Actor, clock: Clock) -> int:
    """End the plans that are completed or broken and tell of missed payments; return how many.

    Reads the plans in force only; writes those to which something happens.
    """
    plans = dict(HardshipPlan.objects.kept().values_list("loan_id", "pk"))
    standings = standings_of(plans)
    touched = 0
    for loan_id in sorted(plans):
        standing = standings[loan_id]
        if standing.is_open and not standing.days_past_due:
            continue
        with transaction.atomic():
            touched += _review(loan_id, business_date, actor, clock())
    return touched


def _review(loan_id: int, business_date: datetime.date, actor: Actor, at: datetime.datetime) -> int:
    standing = lock_standing(loan_id)
    plan = (
        HardshipPlan.objects.kept().select_for_update(of=("self",)).filter(loan_id=loan_id).first()
    )
    if plan is None:
        return 0
    person = User.objects.get(pk=standing.borrower_id)
    event = _event_of(standing)
    if event is None:
        return _tell_missed(person, standing, business_date, at)
    end_plan(plan=plan, event=event, business_date=business_date, actor=actor, at=at)
    _release(person, standing, actor, at)
    return 1


def _event_of(standing: LoanStanding) -> PlanEvent | None:
    """Return what ends the plan of a loan that is late or no longer open, or None."""
    if standing.status in {LoanStatus.PAID_OFF, LoanStatus.OVERPAID}:
        return PlanEvent.COMPLETE
    if standing.status is LoanStatus.CHARGED_OFF or standing.days_past_due > POLICY.cure_days:
        return PlanEvent.BREAK
    return None


def _release(person: User, standing: LoanStanding, actor: Actor, at: datetime.datetime) -> None:
    reference = hold_reference(standing.public_id)
    held = ContactHold.objects.filter(
        person=person,
        reason=HoldReason.PLAN_KEPT,
        reference=reference,
        released_at__isnull=True,
    )
    if held.exists():
        release_hold(
            person=person, reason=HoldReason.PLAN_KEPT, actor=actor, at=at, reference=reference
        )


def _tell_missed(
    person: User, standing: LoanStanding, business_date: datetime.date, at: datetime.datetime
) -> int:
    """Queue the notice of a missed payment; once for each, whatever the night repeats."""
    missed_on = business_date - datetime.timedelta(days=standing.days_past_due)
    last_day = missed_on + datetime.timedelta(days=POLICY.cure_days)
    try:
        queue_message(
            recipient=person,
            kind="plan_payment_missed",
            purpose=ContactPurpose.SERVICING,
            context={
                "amount": standing.overdue_amount,
                "number": standing.number,
                "last_day": last_day,
                "path": f"/loans/{standing.public_id}/",
            },
            dedup_key=f"plan-missed:{standing.loan_id}:{missed_on}",
            at=at,
        )
    except UnableToQueueMessageError:
        # Somebody without an address is told on the loan's page; the night goes on.
        return 0
    return 1
