"""Every number of every loan explains itself: its lines re-add to it and name known events."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, localcontext
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loans.engine.explanation import (
    UnknownNumberError,
    explain,
    explain_signed_cost,
    explained_keys,
    main_keys,
    value_of,
)
from loans.engine.schedule import build_schedule
from loans.engine.servicing import Event, Line, LoanState, Reversed, replay
from loans.engine.terms import LoanTerms, Method
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.money import Money

LOANS = terms().flatmap(lambda t: st.tuples(st.just(t), histories(t)))
DAYS = st.integers(0, 700)
Loan = tuple[LoanTerms, tuple[Event, ...]]
BUCKETS = ("principal", "interest", "fees", "penalty", "total")
NAMES = {"penalty_per_day", "accrued_interest_unrounded"}
ELSEWHERE = {
    "due_now": "due_now.total",
    "overdue": "overdue.total",
    "next_due": "next_due.amount",
    "disbursed": "totals.disbursed",
    "received": "totals.received",
    "refunded": "totals.refunded",
}


def state_on(loan: Loan, days: int) -> LoanState:
    return replay(*loan, loan[0].disbursement_date + dt.timedelta(days=days))


def sum_of(lines: tuple[Line, ...]) -> Decimal:
    """Return the sum; what is not rounded yet has up to forty digits."""
    with localcontext(prec=60):
        return sum((line.amount for line in lines), Decimal(0))


def exact(value: Money | Decimal) -> Decimal:
    return value.amount if isinstance(value, Money) else value


def field_of(state: LoanState, key: str) -> Money | Decimal:
    """Return the state's own field behind a key, found without the module under test."""
    head, _, rest = key.partition(".")
    if head == "installment":
        number, name = rest.split(".")
        row = next(row for row in state.installments if row.number == int(number))
        whole = {"paid", "waived", "moved", "outstanding"}
        found: Money | Decimal = attrgetter(f"{name}.total" if name in whole else name)(row)
        return found
    if head == "repayment":
        return next(each.amount for each in state.repayments if each.event_id == rest)
    if key == "total_cost":
        sums = state.totals.scheduled
        return sums.interest + sums.fees + sums.penalty
    whole_state: Money | Decimal = attrgetter(ELSEWHERE.get(key, key))(state)
    return whole_state


@settings(max_examples=400)
@given(LOANS, DAYS)
def test_the_lines_of_every_number_readd_to_it(loan: Loan, days: int) -> None:
    state = state_on(loan, days)
    for key in explained_keys(state):
        lines = explain(state, key)
        value = value_of(state, key)
        assert sum_of(lines) == exact(value), key
        assert value == field_of(state, key), key
        assert state.explain(key) == lines


@settings(max_examples=200)
@given(LOANS, DAYS)
def test_lines_name_events_that_counted_by_then(loan: Loan, days: int) -> None:
    state = state_on(loan, days)
    dates = {event.event_id: event.effective_date for event in loan[1]}
    for key in explained_keys(state):
        for line in explain(state, key):
            if line.event_id is not None:
                assert dates[line.event_id] <= state.as_of, key


@settings(max_examples=200)
@given(LOANS, DAYS)
def test_what_has_a_cause_names_it(loan: Loan, days: int) -> None:
    """Days of interest and penalty, shares of payments and what plans left all have an event."""
    caused = {"INTEREST", "PENALTY", "ALLOCATION", "PAID_AHEAD", "WAIVER", "MOVED", "RECEIVED"}
    caused |= {"REFUND", "LENT_AGAIN", "PAID_EARLY", "REVERSED", "CARRIED_INTEREST", "KEPT_PENALTY"}
    state = state_on(loan, days)
    if not state.plan_events:
        return
    for key in explained_keys(state):
        for line in explain(state, key):
            assert (line.event_id is not None) or line.rule not in caused | {"PAYOUT"}, key


@settings(max_examples=200)
@given(LOANS, DAYS)
def test_rounding_closes_no_more_than_a_cent(loan: Loan, days: int) -> None:
    state = state_on(loan, days)
    for key in explained_keys(state):
        for line in explain(state, key):
            if line.rule == "ROUNDING":
                assert abs(line.amount) <= Decimal("0.01"), key
            if line.rule == "REST_OF_INTEREST":
                assert loan[0].method is Method.FLAT
                assert abs(line.amount) < Decimal("0.01") * len(state.installments), key


@settings(max_examples=100)
@given(LOANS, DAYS)
def test_every_amount_of_a_state_has_a_key(loan: Loan, days: int) -> None:
    state = state_on(loan, days)
    keys = set(explained_keys(state))
    assert len(keys) == len(explained_keys(state))
    assert set(main_keys(state)) <= keys
    assert {f"{field}.{name}" for field in ("outstanding", "unbilled") for name in BUCKETS} <= keys
    names = [
        "principal",
        "interest",
        "fees",
        "penalty",
        "total",
        "paid",
        "waived",
        "moved",
        "outstanding",
        "balance",
    ]
    rows = {f"installment.{row.number}.{name}" for row in state.installments for name in names}
    payments = {f"repayment.{each.event_id}" for each in state.repayments}
    assert rows | payments | NAMES | {"payoff_amount", "prepaid", "overpaid", "total_cost"} <= keys
    assert ("next_due" in keys) is (state.next_due is not None)


@settings(max_examples=100)
@given(LOANS, DAYS)
def test_a_reversed_event_sets_no_base(loan: Loan, days: int) -> None:
    state = state_on(loan, days)
    undone = {
        event.of
        for event in loan[1]
        if isinstance(event, Reversed) and event.effective_date <= state.as_of
    }
    for key in explained_keys(state):
        assert not undone & {line.event_id for line in explain(state, key)}, key


@given(terms())
def test_the_signed_flows_readd_to_the_total_cost(some_terms: LoanTerms) -> None:
    totals = build_schedule(some_terms).totals
    cost = totals.interest + totals.fees
    assert sum_of(explain_signed_cost(some_terms)) == cost.amount


@given(LOANS, DAYS, st.text(max_size=12))
def test_an_unknown_number_is_refused_with_the_nearest(loan: Loan, days: int, text: str) -> None:
    state = state_on(loan, days)
    keys = explained_keys(state)
    if text in keys:
        return
    for ask in (explain, value_of):
        with pytest.raises(UnknownNumberError) as caught:
            ask(state, text)
        assert caught.value.nearest
        assert set(caught.value.nearest) <= set(keys)
        assert repr(text) in str(caught.value)
