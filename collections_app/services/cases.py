"""Open, refresh and end cases. Lock order: loan → case → person."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection

from django.db import transaction

from collections_app.engine.states import CASE_LIFECYCLE, CaseEvent, CaseState
from collections_app.models import Case, CaseChange, HardshipPlan
from collections_app.services.plans import review_kept_plans
from loans.engine.lifecycle import LoanStatus
from loans.selectors.portfolio import LoanStanding, lock_standing, overdue_standings, standings_of
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money

Clock = Callable[[], datetime.datetime]
Report = Callable[[int, int], None]


def open_and_close_cases(
    *, business_date: datetime.date, actor: Actor, clock: Clock, report: Report
) -> int:
    """Bring plans and cases into line with the loans of `business_date`; return how many changed.

    A step of the night, after the loans have been aged and before reminders are queued. Ends plans
    that are completed or broken, opens a case for each loan newly overdue, takes over the figures
    of the rest, and cures cases whose loan owes nothing late. While a plan is being kept or within
    its cure days its loan has no case (conduct HS-05, HS-21). Safe to run again.
    """
    reviewed = review_kept_plans(business_date=business_date, actor=actor, clock=clock)
    standings = {standing.loan_id: standing for standing in overdue_standings()}
    opened = _open_new(standings, business_date, actor, clock, report)
    refreshed = _refresh(standings, business_date)
    cured = _cure(standings, business_date, actor, clock)
    return reviewed + opened + refreshed + cured


def open_case(
    *,
    standing: LoanStanding,
    business_date: datetime.date,
    reason: str,
    actor: Actor,
    at: datetime.datetime,
) -> Case:
    """Return the open case of the loan, opened now if there is none. The caller has the lock."""
    case = Case.objects.open().for_update().filter(loan_id=standing.loan_id).first()
    if case is not None:
        return case
    case = Case.objects.create(
        loan_id=standing.loan_id,
        opened_on=business_date,
        refreshed_on=business_date,
        days_past_due=standing.days_past_due,
        overdue_amount=standing.overdue_amount,
        next_action_on=business_date,
    )
    _record(case, from_state="", date=business_date, reason=reason, actor=actor, at=at)
    return case


def end_case(
    *,
    case: Case,
    event: CaseEvent,
    business_date: datetime.date,
    reason: str,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    """End the locked case along its state table."""
    before = case.state
    case.state = CASE_LIFECYCLE.after(CaseState(before), event)
    case.closed_on = business_date
    case.next_action_on = None
    case.person_asked_at = None
    case.save(update_fields=["state", "closed_on", "next_action_on", "person_asked_at"])
    _record(case, from_state=before, date=business_date, reason=reason, actor=actor, at=at)


def _open_new(
    standings: dict[int, LoanStanding],
    business_date: datetime.date,
    actor: Actor,
    clock: Clock,
    report: Report,
) -> int:
    known = set(Case.objects.open().values_list("loan_id", flat=True))
    tolerated = _with_kept_plan(standings)
    new = [loan_id for loan_id in standings if loan_id not in known and loan_id not in tolerated]
    opened = 0
    for done, loan_id in enumerate(new, start=1):
        with transaction.atomic():
            # Looked at again under the lock: a payment or a plan may have come in between.
            standing = lock_standing(loan_id)
            plan = HardshipPlan.objects.kept().filter(loan_id=loan_id).exists()
            if standing.is_late and not plan:
                open_case(
                    standing=standing,
                    business_date=business_date,
                    reason="OVERDUE",
                    actor=actor,
                    at=clock(),
                )
                opened += 1
        report(done, len(new))
    return opened


def _with_kept_plan(loan_ids: Collection[int]) -> set[int]:
    """Return the loans whose plan is in force: the review has just ended those that are broken."""
    kept = HardshipPlan.objects.kept().filter(loan_id__in=list(loan_ids))
    return set(kept.values_list("loan_id", flat=True))


def _refresh(standings: dict[int, LoanStanding], business_date: datetime.date) -> int:
    """Write today's figures into the open cases of overdue loans; one pass over them."""
    with transaction.atomic():
        cases = list(Case.objects.open().for_update().filter(loan_id__in=standings))
        changed = [case for case in cases if case.refreshed_on != business_date]
        for case in changed:
            standing = standings[case.loan_id]
            case.days_past_due = standing.days_past_due
            case.overdue_amount = standing.overdue_amount
            case.refreshed_on = business_date
        Case.objects.bulk_update(
            changed, ["days_past_due", "overdue_amount", "refreshed_on"], batch_size=1000
        )
    return len(changed)


def _cure(late: Collection[int], business_date: datetime.date, actor: Actor, clock: Clock) -> int:
    """End the cases of loans that owe nothing late, unless their borrower waits for a person.

    The case of a loan that was written off ends too: it is owed still, but nobody presses for it.
    """
    ended = 0
    loan_ids = list(
        Case.objects.open().exclude(loan_id__in=list(late)).values_list("loan_id", flat=True)
    )
    standings = standings_of(loan_ids)
    for loan_id in sorted(loan_ids):
        if standings[loan_id].is_late:
            continue
        with transaction.atomic():
            ended += _cure_one(loan_id, business_date, actor, clock)
    return ended


def _cure_one(loan_id: int, business_date: datetime.date, actor: Actor, clock: Clock) -> int:
    standing = lock_standing(loan_id)
    case = Case.objects.open().for_update().filter(loan_id=loan_id).first()
    if case is None or standing.is_late:
        return 0
    case.days_past_due = 0
    case.overdue_amount = Money.zero()
    case.refreshed_on = business_date
    case.save(update_fields=["days_past_due", "overdue_amount", "refreshed_on"])
    if case.person_asked_at is not None and (standing.is_open or standing.is_written_off):
        return 0
    is_written_off = standing.status is LoanStatus.CHARGED_OFF
    end_case(
        case=case,
        event=CaseEvent.CLOSE if is_written_off else CaseEvent.CURE,
        business_date=business_date,
        reason="WRITTEN_OFF" if is_written_off else "NOTHING_LATE",
        actor=actor,
        at=clock(),
    )
    return 1


def _record(
    case: Case,
    *,
    from_state: str,
    date: datetime.date,
    reason: str,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    CaseChange.objects.create(
        case=case,
        from_state=from_state,
        to_state=case.state,
        business_date=date,
        reason=reason,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )
