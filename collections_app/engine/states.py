"""States of cases and plans, and what may follow what."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from zhixin.shared.lifecycle import Lifecycle


class CaseState(StrEnum):
    """Where the work on a loan stands."""

    OPEN = "OPEN"
    CURED = "CURED"
    PLAN = "PLAN"
    CLOSED = "CLOSED"


class CaseEvent(StrEnum):
    """What ends a case."""

    CURE = "CURE"
    AGREE_PLAN = "AGREE_PLAN"
    CLOSE = "CLOSE"


CASE_LIFECYCLE: Final = Lifecycle(
    {
        (CaseState.OPEN, CaseEvent.CURE): CaseState.CURED,
        (CaseState.OPEN, CaseEvent.AGREE_PLAN): CaseState.PLAN,
        (CaseState.OPEN, CaseEvent.CLOSE): CaseState.CLOSED,
    }
)


class PlanState(StrEnum):
    """Whether an accepted plan is kept."""

    KEPT = "KEPT"
    COMPLETED = "COMPLETED"
    BROKEN = "BROKEN"
    REPLACED = "REPLACED"
    WITHDRAWN = "WITHDRAWN"


class PlanEnd(StrEnum):
    """Why a plan is not in force any more."""

    PAID_OFF = "PAID_OFF"
    MISSED = "MISSED"
    REPLACED = "REPLACED"
    WRITTEN_OFF = "WRITTEN_OFF"
    TAKEN_BACK = "TAKEN_BACK"


class PlanEvent(StrEnum):
    """What ends a plan, or puts it in force again when the one that replaced it was taken back."""

    COMPLETE = "COMPLETE"
    BREAK = "BREAK"
    REPLACE = "REPLACE"
    WITHDRAW = "WITHDRAW"
    REINSTATE = "REINSTATE"


PLAN_LIFECYCLE: Final = Lifecycle(
    {
        (PlanState.KEPT, PlanEvent.COMPLETE): PlanState.COMPLETED,
        (PlanState.KEPT, PlanEvent.BREAK): PlanState.BROKEN,
        (PlanState.KEPT, PlanEvent.REPLACE): PlanState.REPLACED,
        (PlanState.KEPT, PlanEvent.WITHDRAW): PlanState.WITHDRAWN,
        (PlanState.REPLACED, PlanEvent.REINSTATE): PlanState.KEPT,
    }
)
