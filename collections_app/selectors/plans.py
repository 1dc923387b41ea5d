"""Whether an accepted plan is in force, by the loan as it stands."""

from __future__ import annotations

from collections_app.engine.states import PlanEnd
from collections_app.models import HardshipPlan
from loans.engine.lifecycle import LoanStatus
from loans.selectors.portfolio import LoanStanding
from loans.selectors.reversals import is_reversed


def end_of(plan: HardshipPlan, standing: LoanStanding) -> PlanEnd | None:
    """Return why a kept plan is not in force any more, or None. A missed payment is no end yet."""
    if is_reversed(plan.loan_event):
        return PlanEnd.TAKEN_BACK
    if standing.status in {LoanStatus.PAID_OFF, LoanStatus.OVERPAID}:
        return PlanEnd.PAID_OFF
    return PlanEnd.WRITTEN_OFF if standing.is_written_off else None
