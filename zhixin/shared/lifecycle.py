"""State tables: a state changes only along a transition that its table names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


class IllegalTransitionError(Exception):
    """The event is not allowed in the present state."""


@dataclass(frozen=True, slots=True)
class Lifecycle(Generic[State, Event]):
    """A table of the transitions that may happen, by (state, event)."""

    transitions: Mapping[tuple[State, Event], State]

    def after(self, state: State, event: Event) -> State:
        """Return the state that `event` leads to; raise IllegalTransitionError if none."""
        try:
            return self.transitions[state, event]
        except KeyError:
            raise IllegalTransitionError(f"{event} is not possible in state {state}.") from None

    def events_from(self, state: State) -> frozenset[Event]:
        """Return the events that may happen in `state`."""
        return frozenset(event for origin, event in self.transitions if origin == state)
