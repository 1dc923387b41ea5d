"""What can happen to one loan, as rules of a stateful machine; its state is checked after each.

A subclass says where events are recorded: in a list, or in the database by the services.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from loans.engine.events import InvalidEventError
from loans.engine.lifecycle import LoanStatus
from loans.engine.modification import UnableToModifyError, defer, extend, freeze_interest
from loans.engine.servicing import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    LoanState,
    PlanChanged,
    PrepaymentEffect,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
    replay,
)
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_laws import ZERO, assert_reversal_leaves_no_trace
from tests.unit.loans.engine.loan_strategies import terms
from zhixin.shared.money import Money, total

EventMaker = Callable[[str, int], Event]
SHARES = st.integers(1, 100)
WHICH = st.integers(0, 30)
EFFECTS = st.none() | st.sampled_from(PrepaymentEffect)
PAYMENTS = st.sampled_from(("part", "due", "several", "payoff", "over"))


class RefusedError(Exception):
    """The services refuse the event."""


class LoanRules(RuleBasedStateMachine):
    """One loan and everything that may happen to it, in the order in which we learn of it."""

    terms: LoanTerms
    events: list[Event]
    day: dt.date

    @initialize(some_terms=terms())
    def sign(self, some_terms: LoanTerms) -> None:
        self.terms = some_terms
        self.day = some_terms.disbursement_date
        self.events = []
        self.begin()
        self.record(Disbursed, amount=some_terms.principal)

    # -- what a subclass says -----------------------------------------------------------------

    def begin(self) -> None:
        """Make what stands before the payout."""

    def keep(self, make_event: EventMaker) -> Event:
        """Record the event; raise one of the refusals and change nothing when it does not fit."""
        raise NotImplementedError

    def pass_days(self, days: int) -> None:
        """Let the days pass."""
        self.day += dt.timedelta(days=days)

    def check(self, state: LoanState) -> None:
        """Check the laws after a step."""
        raise NotImplementedError

    # -- tools --------------------------------------------------------------------------------

    def state(self) -> LoanState:
        return replay(self.terms, self.events, self.day)

    def record(self, kind: type[Event], *, days_ago: int = 0, **values: Any) -> Event | None:
        """Record an event and check the laws; None when it does not fit the loan."""
        on = max(self.day - dt.timedelta(days=days_ago), self.terms.disbursement_date)

        def make_event(event_id: str, sequence: int) -> Event:
            return kind(event_id=event_id, sequence=sequence, effective_date=on, **values)

        return self.record_made(make_event)

    def record_made(self, make_event: EventMaker) -> Event | None:
        known = list(self.events)
        try:
            event = self.keep(make_event)
        except (InvalidEventError, RefusedError) as error:
            note(f"refused: {error}")
            assert self.events == known
            event = None
        else:
            self.events = [*known, event]
        self.check(self.state())
        return event

    def teardown(self) -> None:
        """Print what happened in the form that `manage.py replay` reads, should it have failed."""
        if getattr(self, "events", None):
            note(case_text(self.terms, self.events, self.day))

    # -- money --------------------------------------------------------------------------------

    def amount_of(self, kind: str, share: int) -> Money:
        state = self.state()
        upcoming = state.next_due.amount if state.next_due else ZERO
        due = state.due_now.total or upcoming
        rows = [row.outstanding.total for row in state.installments if row.outstanding.total]
        amounts = {
            "part": Money(due.cents * share // 100),
            "due": due,
            "several": total(rows[: 2 + share % 3]),
            "payoff": state.payoff_amount,
            "over": state.payoff_amount + Money(share * 10),
        }
        return max(amounts[kind], Money(1))

    @rule(kind=PAYMENTS, share=SHARES)
    def pay(self, kind: str, share: int) -> None:
        self.record(Repaid, amount=self.amount_of(kind, share))

    @rule(kind=PAYMENTS, share=SHARES, effect=EFFECTS, days_ago=st.integers(0, 60))
    def pay_by_choice(
        self, kind: str, share: int, effect: PrepaymentEffect | None, days_ago: int
    ) -> None:
        self.record(
            Repaid, days_ago=days_ago, amount=self.amount_of(kind, share), prepayment=effect
        )

    @rule(share=SHARES)
    def refund_credit(self, share: int) -> None:
        state = self.state()
        credit = state.prepaid + state.overpaid
        if credit:
            self.record(Refunded, amount=max(Money(credit.cents * share // 100), Money(1)))

    @rule(share=SHARES)
    def refund_more_than_the_credit(self, share: int) -> None:
        state = self.state()
        self.record(Refunded, amount=state.prepaid + state.overpaid + Money(share * 100))

    @rule(kind=PAYMENTS, share=SHARES)
    def recover(self, kind: str, share: int) -> None:
        if self.state().status is LoanStatus.CHARGED_OFF:
            self.record(Recovered, amount=self.amount_of(kind, share))

    # -- decisions ----------------------------------------------------------------------------

    @precondition(lambda self: len(self.events) > 1)
    @rule(which=WHICH, days_ago=st.integers(0, 10))
    def reverse(self, which: int, days_ago: int) -> None:
        undone = {event.of for event in self.events if isinstance(event, Reversed)}
        targets = [
            event
            for event in self.events[1:]
            if event.event_id not in undone and not isinstance(event, Reversed)
        ]
        if not targets:
            return
        target = targets[which % len(targets)]
        if self.record(Reversed, days_ago=days_ago, of=target.event_id) is not None:
            assert_reversal_leaves_no_trace(self.terms, self.events, target.event_id, self.state())

    @rule(shares=st.tuples(*[st.integers(0, 120)] * 4))
    def waive(self, shares: tuple[int, int, int, int]) -> None:
        due = self.state().due_now
        parts = (due.principal, due.interest, due.fees, due.penalty)
        amounts = [
            Money(part.cents * share // 100) for part, share in zip(parts, shares, strict=True)
        ]
        names = ("principal", "interest", "fees", "penalty")
        self.record(Waived, **dict(zip(names, amounts, strict=True)))

    @rule(which=WHICH, days=st.integers(0, 40))
    def move_due_date(self, which: int, days: int) -> None:
        row = self.some_row(which)
        self.record(
            DueDateMoved,
            number=row,
            payable_through=self.day + dt.timedelta(days=days),
        )

    def some_row(self, which: int) -> int:
        rows = self.state().installments
        return rows[which % len(rows)].number

    @rule(kind=st.sampled_from(("defer", "extend", "freeze")), size=st.integers(1, 6), share=SHARES)
    def change_plan(self, kind: str, size: int, share: int) -> None:
        waived = Money(self.state().outstanding.penalty.cents * share // 100)
        more: dict[str, Any] = {"waived_penalty": waived}
        known = tuple(self.events)
        try:
            if kind == "defer":
                change = defer(self.terms, known, self.day, months=size, **more)
            elif kind == "freeze":
                change = freeze_interest(self.terms, known, self.day, months=size, **more)
            else:
                rate = self.terms.annual_rate * Decimal(share) / 100
                change = extend(
                    self.terms, known, self.day, installment_count=size * 3,
                    annual_rate=min(rate, self.state().annual_rate), **more,
                )  # fmt: skip
        except UnableToModifyError as error:
            note(f"refused: {error}")
            return
        self.record_made(lambda name, sequence: _named(change, name, sequence))

    @precondition(lambda self: len(self.events) > 3)
    @rule()
    def charge_off(self) -> None:
        self.record(ChargedOff)

    @rule(which=WHICH)
    def dispute(self, which: int) -> None:
        self.record(Disputed, number=self.some_row(which))

    @rule(which=WHICH)
    def resolve(self, which: int) -> None:
        disputes = [event for event in self.events if isinstance(event, Disputed)]
        if disputes:
            self.record(DisputeResolved, of=disputes[which % len(disputes)].event_id)

    # -- time ---------------------------------------------------------------------------------

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        self.pass_days(days)
        self.check(self.state())

    @rule()
    def wait_for_the_next_due_date(self) -> None:
        upcoming = self.state().next_due
        if upcoming is not None and self.day < upcoming.date <= self.day + dt.timedelta(days=100):
            self.pass_days((upcoming.date - self.day).days)
            self.check(self.state())


def _named(change: PlanChanged, event_id: str, sequence: int) -> Event:
    return replace(change, event_id=event_id, sequence=sequence)


def case_text(terms: LoanTerms, events: list[Event], as_of: dt.date) -> str:
    """Return the history in the form that `manage.py replay` reads."""
    case = {
        "id": "found",
        "terms": terms.to_json(),
        "events": [event.to_json() for event in events],
        "as_of": as_of.isoformat(),
    }
    return json.dumps(case, ensure_ascii=False)
