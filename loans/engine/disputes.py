"""Which disputes stand, and which ended with a plan. No business of figures: the fold does those.

Rules: docs/formulas/plan_change.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from loans.engine.events import Disputed, DisputeResolved, Event, PlanChanged, Reversed
from loans.engine.state import LoanState


def open_disputes(events: Iterable[Event], state: LoanState) -> tuple[Disputed, ...]:
    """Return the disputes that are neither answered nor reversed nor ended by a plan."""
    return _sorted_out(events, state)[0]


def disputes_ended_by_plans(
    events: Iterable[Event], state: LoanState
) -> Mapping[str, tuple[Disputed, ...]]:
    """Return the disputes that ended with a plan which took their installments over, by its id."""
    return _sorted_out(events, state)[1]


def _sorted_out(
    events: Iterable[Event], state: LoanState
) -> tuple[tuple[Disputed, ...], dict[str, tuple[Disputed, ...]]]:
    known = sorted(events, key=lambda event: (event.effective_date, event.sequence))
    undone = {event.of for event in known if isinstance(event, Reversed)}
    # A plan takes over what is not paid; the dispute about what is paid goes on.
    paid = {row.number for row in state.installments if row.paid_on and not row.moved.total}
    standing: dict[str, Disputed] = {}
    ended: dict[str, tuple[Disputed, ...]] = {}
    for event in known:
        if event.event_id in undone:
            continue
        if isinstance(event, Disputed):
            standing[event.event_id] = event
        elif isinstance(event, DisputeResolved):
            standing.pop(event.of, None)
        elif isinstance(event, PlanChanged) and event.event_id not in state.without_effect:
            over = [each for each in standing.values() if each.number not in paid]
            ended[event.event_id] = tuple(over)
            for each in over:
                del standing[each.event_id]
    return tuple(standing.values()), ended
