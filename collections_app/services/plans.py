"""What becomes of accepted plans: kept, completed, broken, replaced, taken back.

A plan breaks only after a missed payment, a notice and the cure days (conduct HS-21); until then
nobody collects (HS-05, CC-19).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from django.db import transaction

from accounts.engine.contact_rules import ContactPurpose, HoldReason
from accounts.models import ContactHold, User
from accounts.services.holds import place_hold, release_hold
from accounts.services.messages import UnableToQueueMessageError, queue_message
from collections_app.engine.policy import POLICY
from collections_app.engine.states import PLAN_LIFECYCLE, PlanEnd, PlanEvent, PlanState
from collections_app.models import HardshipPlan
from collections_app.selectors.plans import end_of
from loans.engine.events import PlanChanged
from loans.selectors.portfolio import LoanStanding, lock_standing, standings_of
from loans.selectors.reversals import is_reversed, loans_with_reversed
from zhixin.shared.actor import Actor

Clock = Callable[[], datetime.datetime]
_END_FIELDS = ("state", "end_reason", "ended_on", "ended_at", "ended_by_label")
_EVENTS = {
    PlanEnd.PAID_OFF: PlanEvent.COMPLETE,
    PlanEnd.MISSED: PlanEvent.BREAK,
    PlanEnd.WRITTEN_OFF: PlanEvent.WITHDRAW,
    PlanEnd.TAKEN_BACK: PlanEvent.WITHDRAW,
}


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
    reason: PlanEnd,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    """End the locked plan along its state table."""
    plan.state = PLAN_LIFECYCLE.after(PlanState(plan.state), event)
    plan.end_reason = reason
    plan.ended_on = business_date
    plan.ended_at = at
    plan.ended_by_label = actor.label
    plan.save(update_fields=[*_END_FIELDS])


def review_kept_plans(*, business_date: datetime.date, actor: Actor, clock: Clock) -> int:
    """End the plans that are completed, broken, taken back or overtaken; return how many changed.

    Tells of missed payments, and of plans that are not in force any more though their borrower did
    nothing. Reads the plans in force only; writes those to which something happens.
    """
    plans = dict(HardshipPlan.objects.kept().values_list("loan_id", "pk"))
    standings = standings_of(plans)
    taken_back = loans_with_reversed(plans, kind=PlanChanged.kind)
    touched = 0
    for loan_id in sorted(plans):
        standing = standings[loan_id]
        if standing.is_open and not standing.days_past_due and loan_id not in taken_back:
            continue
        with transaction.atomic():
            touched += _review(loan_id, business_date, actor, clock())
    return touched


def _review(loan_id: int, business_date: datetime.date, actor: Actor, at: datetime.datetime) -> int:
    standing = lock_standing(loan_id)
    plan = _kept_plan(loan_id)
    if plan is None:
        return 0
    person = User.objects.get(pk=standing.borrower_id)
    reason = end_of(plan, standing) or _broken(plan, standing, business_date)
    if reason is None and standing.days_past_due:
        return _notice_missed(plan, person, standing, business_date, at)
    if reason is None:
        return 0
    end_plan(
        plan=plan,
        event=_EVENTS[reason],
        reason=reason,
        business_date=business_date,
        actor=actor,
        at=at,
    )
    if reason is PlanEnd.TAKEN_BACK and _reinstate_previous(plan):
        _tell_ended(plan, person, standing, at)
        return 1
    _release(person, standing, actor, at)
    if reason in (PlanEnd.TAKEN_BACK, PlanEnd.WRITTEN_OFF):
        _tell_ended(plan, person, standing, at)
    return 1


def _kept_plan(loan_id: int) -> HardshipPlan | None:
    kept = HardshipPlan.objects.kept().select_for_update(of=("self",))
    return kept.select_related("loan_event").filter(loan_id=loan_id).first()


def _reinstate_previous(plan: HardshipPlan) -> bool:
    """Put the plan that `plan` had replaced in force again: its terms are the loan's once more."""
    previous = (
        HardshipPlan.objects.select_for_update(of=("self",))
        .select_related("loan_event")
        .filter(loan_id=plan.loan_id, pk__lt=plan.pk)
        .exclude(state=PlanState.WITHDRAWN)
        .order_by("-pk")
        .first()
    )
    if previous is None or previous.state != PlanState.REPLACED:
        return False
    if is_reversed(previous.loan_event):
        return False
    previous.state = PLAN_LIFECYCLE.after(PlanState.REPLACED, PlanEvent.REINSTATE)
    previous.end_reason, previous.ended_by_label = "", ""
    previous.ended_on = previous.ended_at = None
    previous.save(update_fields=[*_END_FIELDS])
    return True


def _missed_on(standing: LoanStanding, business_date: datetime.date) -> datetime.date:
    return business_date - datetime.timedelta(days=standing.days_past_due)


def _broken(
    plan: HardshipPlan, standing: LoanStanding, business_date: datetime.date
) -> PlanEnd | None:
    """Return that a payment stayed out longer than its borrower was told that it may."""
    if not standing.days_past_due or plan.cure_through is None:
        return None
    told = plan.missed_on == _missed_on(standing, business_date)
    return PlanEnd.MISSED if told and business_date > plan.cure_through else None


def _notice_missed(
    plan: HardshipPlan,
    person: User,
    standing: LoanStanding,
    business_date: datetime.date,
    at: datetime.datetime,
) -> int:
    """Tell of a payment that stays out, and until when it can be made good; once.

    The cure days are counted from the day of the notice, so that a payment which the bank takes
    back weeks later breaks nothing before its borrower has been told and had the time.
    """
    missed_on = _missed_on(standing, business_date)
    if plan.missed_on == missed_on and plan.cure_through is not None:
        return 0
    plan.missed_on = missed_on
    plan.cure_through = business_date + datetime.timedelta(days=POLICY.cure_days - 1)
    plan.save(update_fields=["missed_on", "cure_through"])
    return _tell_missed(person, standing, missed_on, plan.cure_through, at)


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
    person: User,
    standing: LoanStanding,
    missed_on: datetime.date,
    last_day: datetime.date,
    at: datetime.datetime,
) -> int:
    """Queue the notice of a missed payment; once for each, whatever the night repeats."""
    context = {
        "amount": standing.overdue_amount,
        "number": standing.number,
        "last_day": last_day,
        "path": f"/loans/{standing.public_id}/",
    }
    key = f"plan-missed:{standing.loan_id}:{missed_on}"
    return _tell(person, "plan_payment_missed", context, key, at)


def _tell_ended(
    plan: HardshipPlan, person: User, standing: LoanStanding, at: datetime.datetime
) -> None:
    context = {"number": standing.number, "path": f"/help/plans/{plan.public_id}/"}
    _tell(person, "plan_ended", context, f"plan-ended:{plan.public_id}", at)


def _tell(
    person: User, kind: str, context: dict[str, Any], dedup_key: str, at: datetime.datetime
) -> int:
    try:
        queue_message(
            recipient=person,
            kind=kind,
            purpose=ContactPurpose.SERVICING,
            context=context,
            dedup_key=dedup_key,
            at=at,
        )
    except UnableToQueueMessageError:
        # Somebody without an address is told on the loan's page; the night goes on.
        return 0
    return 1
