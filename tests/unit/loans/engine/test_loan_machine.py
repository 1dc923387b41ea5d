"""Thousands of random histories of one loan; every law holds after each step.

`make soak` runs many more of them (docs/performance.md).
"""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from loans.engine.servicing import Event, LoanState, replay
from tests.unit.loans.engine.loan_laws import (
    assert_explanations_readd,
    assert_next_day_follows,
    assert_order_of_recording_does_not_matter,
    assert_paying_the_payoff_closes,
    assert_state_is_sound,
)
from tests.unit.loans.engine.loan_machine import EventMaker, LoanRules


class PureLoan(LoanRules):
    """A loan whose events lie in a list."""

    def keep(self, make_event: EventMaker) -> Event:
        number = len(self.events)
        event = make_event(f"e{number}", number)
        replay(self.terms, [*self.events, event], self.day)
        return event

    def check(self, state: LoanState) -> None:
        events = tuple(self.events)
        assert_state_is_sound(self.terms, state)
        assert_next_day_follows(self.terms, events, state)
        assert_paying_the_payoff_closes(self.terms, events, state)
        shuffler = random.Random(len(events))  # noqa: S311 - it only has to be another order.
        assert_order_of_recording_does_not_matter(self.terms, events, state, shuffler)
        assert_explanations_readd(state)
        # What was asked above was hypothetical.
        assert tuple(self.events) == events
        assert replay(self.terms, events, self.day) == state


def test_every_law_holds_after_every_step() -> None:
    run_state_machine_as_test(
        PureLoan, settings=settings(max_examples=150, stateful_step_count=20, deadline=None)
    )
