"""Laws that hold for every loan, whatever happens and in whatever order we learn of it."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loans.engine.events import InvalidEventError, event_from_json
from loans.engine.lifecycle import LoanStatus
from loans.engine.modification import UnableToModifyError, defer, extend, freeze_interest
from loans.engine.schedule import build_schedule
from loans.engine.servicing import (
    ChargedOff,
    Disbursed,
    Event,
    LoanState,
    Repaid,
    Reversed,
    replay,
)
from loans.engine.terms import LoanTerms, Method
from tests.unit.loans.engine.loan_laws import (
    assert_next_day_follows,
    assert_reversal_leaves_no_trace,
    assert_state_is_sound,
    recorded_otherwise,
)
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.calendar import add_months
from zhixin.shared.money import Money, total

LOANS = terms().flatmap(lambda t: st.tuples(st.just(t), histories(t)))
PLAIN_LOANS = terms().flatmap(lambda t: st.tuples(st.just(t), histories(t, rare=False)))
DAYS = st.integers(0, 700)
Loan = tuple[LoanTerms, tuple[Event, ...]]


def day_of(loan: Loan, days: int) -> dt.date:
    return loan[0].disbursement_date + dt.timedelta(days=days)


def through(events: tuple[Event, ...], on: dt.date) -> tuple[Event, ...]:
    """Return what counts by `on`; a reversal goes with what it reverses."""
    kept = {event.event_id for event in events if event.effective_date <= on}
    return tuple(
        event
        for event in events
        if event.event_id in kept and (not isinstance(event, Reversed) or event.of in kept)
    )


@given(terms())
def test_a_schedule_repays_the_principal_keeps_its_term_and_has_no_negative_part(
    some_terms: LoanTerms,
) -> None:
    schedule = build_schedule(some_terms)
    expected = 1 if some_terms.method is Method.BULLET else some_terms.installment_count
    assert len(schedule.rows) == expected
    assert schedule.totals.principal == some_terms.principal
    assert schedule.rows[-1].balance == Money(0)
    for row in schedule.rows:
        assert min(row.principal, row.interest, row.fees) >= Money(0)
        assert row.total == row.principal + row.interest + row.fees


@given(terms())
def test_terms_survive_json(some_terms: LoanTerms) -> None:
    assert LoanTerms.from_json(some_terms.to_json()) == some_terms


@given(LOANS)
def test_events_survive_json(loan: Loan) -> None:
    for event in loan[1]:
        assert event_from_json(event.to_json()) == event


@given(terms())
def test_a_fold_without_repayments_shows_the_agreed_schedule(some_terms: LoanTerms) -> None:
    payout = Disbursed(
        event_id="payout",
        effective_date=some_terms.disbursement_date,
        sequence=0,
        amount=some_terms.principal,
    )
    state = replay(some_terms, [payout], some_terms.disbursement_date)
    rows = build_schedule(some_terms).rows
    assert len(rows) == len(state.installments)
    for agreed, folded in zip(rows, state.installments, strict=True):
        assert (agreed.due_date, agreed.days) == (folded.due_date, folded.days)
        assert (agreed.principal, agreed.interest) == (folded.principal, folded.interest)
        assert (agreed.fees, agreed.balance) == (folded.fees, folded.balance)


@settings(max_examples=300)
@given(LOANS, DAYS)
def test_parts_readd_and_no_bucket_is_negative(loan: Loan, days: int) -> None:
    state = replay(*loan, day_of(loan, days))
    for row in state.installments:
        parts = [row.paid, row.waived, row.moved, row.outstanding]
        for name in ("principal", "interest", "fees", "penalty"):
            amounts = [getattr(part, name) for part in parts]
            assert min(amounts) >= Money(0)
            assert total(amounts) == getattr(row.due, name)
        assert row.balance >= Money(0)
    owed = state.outstanding
    assert min(owed.principal, owed.interest, owed.fees, owed.penalty) >= Money(0)
    assert owed.total == state.payoff_amount
    assert sum(state.balances.values(), Money(0)) == Money(0)
    assert min(state.prepaid, state.overpaid) >= Money(0)
    closed = state.status in (LoanStatus.PAID_OFF, LoanStatus.OVERPAID)
    assert closed == (state.closed_on is not None)
    assert closed == (not state.payoff_amount)
    assert state.due_now.total >= state.overdue.total
    assert (state.days_past_due > 0) == (state.overdue_since is not None)


@settings(max_examples=200)
@given(LOANS, DAYS)
def test_every_repayment_is_accounted_for(loan: Loan, days: int) -> None:
    state = replay(*loan, day_of(loan, days))
    allocated = Money(0)
    for repayment in state.repayments:
        placed = total(part.amount.total for part in repayment.parts)
        assert placed + repayment.credit <= repayment.amount
        if repayment.reversed:
            assert (repayment.parts, repayment.credit) == ((), Money(0))
        allocated += placed
    if not any(event.kind == "REFUND" for event in loan[1]):
        received = total(r.amount for r in state.repayments if not r.reversed)
        assert allocated + state.prepaid + state.overpaid == received


@settings(max_examples=150)
@given(LOANS, DAYS, st.randoms())
def test_the_order_of_recording_does_not_matter(
    loan: Loan, days: int, shuffler: random.Random
) -> None:
    events = list(loan[1])
    shuffler.shuffle(events)
    on = day_of(loan, days)
    assert replay(loan[0], events, on) == replay(*loan, on)


@settings(max_examples=150)
@given(LOANS, DAYS, st.randoms())
def test_the_numbers_of_recording_do_not_matter_between_dates(
    loan: Loan, days: int, shuffler: random.Random
) -> None:
    on = day_of(loan, days)
    anew = recorded_otherwise(loan[1], shuffler)
    assert replay(loan[0], anew, on) == replay(*loan, on)


@settings(max_examples=200)
@given(LOANS, DAYS, st.integers(0, 20), st.integers(0, 30))
def test_any_event_but_the_payout_can_be_reversed_without_a_trace(
    loan: Loan, days: int, which: int, later: int
) -> None:
    some_terms, events = loan
    undone = {event.of for event in events if isinstance(event, Reversed)}
    targets = [
        event
        for event in events[1:]
        if not isinstance(event, Reversed) and event.event_id not in undone
    ]
    assume(targets)
    target = targets[which % len(targets)]
    on = day_of(loan, days)
    reversal = Reversed(
        event_id="undo",
        effective_date=min(target.effective_date + dt.timedelta(days=later), on),
        sequence=200,
        of=target.event_id,
    )
    try:
        state = replay(some_terms, (*events, reversal), on)
    except InvalidEventError:
        # What came after it does not fit without it; then it cannot be reversed.
        assume(False)
        return
    assert_reversal_leaves_no_trace(some_terms, (*events, reversal), target.event_id, state)


@settings(max_examples=200)
@given(LOANS, DAYS)
def test_a_state_is_sound_and_the_next_day_follows_from_it(loan: Loan, days: int) -> None:
    state = replay(*loan, day_of(loan, days))
    assert_state_is_sound(loan[0], state)
    assert_next_day_follows(*loan, state)


@settings(max_examples=100)
@given(LOANS, DAYS, st.integers(1, 900_000))
def test_a_question_changes_nothing(loan: Loan, days: int, cents: int) -> None:
    some_terms, events = loan
    on = day_of(loan, days)
    before, known = replay(some_terms, events, on), list(events)
    paid = Repaid(event_id="if", effective_date=on, sequence=300, amount=Money(cents))
    asked = replay(some_terms, (*events, paid), on)
    assert replay(some_terms, [*events, paid], on) == asked
    assert (list(events), replay(some_terms, events, on)) == (known, before)
    assert asked.totals.received == before.totals.received + Money(cents)


@settings(max_examples=150)
@given(LOANS, DAYS, st.integers(1, 400), st.integers(1, 900_000))
def test_a_reversal_leaves_the_state_as_if_never_made(
    loan: Loan, days: int, paid_after: int, cents: int
) -> None:
    some_terms, events = loan
    paid = Repaid(
        event_id="bounced",
        effective_date=day_of(loan, paid_after),
        sequence=100,
        amount=Money(cents),
    )
    undone = Reversed(
        event_id="bounce", effective_date=paid.effective_date, sequence=101, of="bounced"
    )
    on = day_of(loan, days)
    without = replay(some_terms, events, on)
    with_both = replay(some_terms, (*events, paid, undone), on)
    kept = tuple(r for r in with_both.repayments if r.event_id != "bounced")
    assert replace(with_both, repayments=kept) == without


@settings(max_examples=250)
@given(LOANS, DAYS)
def test_paying_the_payoff_closes_at_zero(loan: Loan, days: int) -> None:
    on = day_of(loan, days)
    events = through(loan[1], on)
    before = replay(loan[0], events, on)
    if not before.payoff_amount:
        return
    amount = before.payoff_amount
    paid = Repaid(event_id="payoff", effective_date=on, sequence=1000, amount=amount)
    state = replay(loan[0], [*events, paid], on)
    assert state.status is LoanStatus.PAID_OFF
    assert state.payoff_amount == state.due_now.total == state.overpaid == Money(0)
    assert all(not row.outstanding.total for row in state.installments)
    assert state.closed_on == on
    later = replay(loan[0], [*events, paid], on + dt.timedelta(days=400))
    assert later.payoff_amount == Money(0)
    assert later.penalty_accrued == state.penalty_accrued


@settings(max_examples=150)
@given(LOANS, DAYS, st.integers(1, 10_000))
def test_paying_more_than_the_payoff_is_a_credit(loan: Loan, days: int, more: int) -> None:
    on = day_of(loan, days)
    events = through(loan[1], on)
    quote = replay(loan[0], events, on).payoff_amount
    assume(quote)
    amount = quote + Money(more)
    paid = Repaid(event_id="payoff", effective_date=on, sequence=1000, amount=amount)
    state = replay(loan[0], [*events, paid], on)
    assert (state.status, state.overpaid) == (LoanStatus.OVERPAID, Money(more))


@settings(max_examples=150)
@given(LOANS, DAYS)
def test_penalty_stays_within_its_clamp(loan: Loan, days: int) -> None:
    """Simple interest at the clamped rate on the principal due, and half a cent of rounding."""
    some_terms = loan[0]
    on = day_of(loan, days)
    state = replay(*loan, on)
    rule = some_terms.penalty
    rate = rule.annual_rate(some_terms.annual_rate) if rule else Decimal(0)
    for row in state.installments:
        late = max((on - row.due_date).days, 0)
        most = row.principal.amount * rate * late / 360 + Decimal("0.005")
        assert (row.penalty - row.kept_penalty).amount <= most
        for span in row.penalty_spans:
            assert span.base_cents <= row.principal.cents


@settings(max_examples=200)
@given(PLAIN_LOANS, DAYS, st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 24))
def test_a_plan_change_conserves_what_is_owed(
    loan: Loan, days: int, waived_penalty: int, waived_interest: int, count: int
) -> None:
    on = day_of(loan, days)
    some_terms, events = loan
    events = through(events, on)
    before = replay(some_terms, events, on)
    try:
        change = extend(
            some_terms,
            events,
            on,
            installment_count=count,
            annual_rate=some_terms.annual_rate,
        )
    except UnableToModifyError:
        return
    change = replace(
        change, waived_penalty=Money(waived_penalty), waived_interest=Money(waived_interest)
    )
    after = replay(some_terms, (*events, change), on)
    _assert_conserved(before, after, change.waived_penalty, change.waived_interest)
    assert after.days_past_due == 0
    assert after.most_days_past_due == before.most_days_past_due


def _assert_conserved(before: LoanState, after: LoanState, penalty: Money, interest: Money) -> None:
    old, new = before.outstanding, after.outstanding
    assert new.principal == old.principal
    assert new.fees == old.fees
    owed_interest = before.due_now.interest + before.unbilled.interest
    assert new.interest == max(owed_interest - interest, Money(0)) - (owed_interest - old.interest)
    assert new.penalty == max(old.penalty - penalty, Money(0))


@settings(max_examples=100)
@given(PLAIN_LOANS, DAYS, st.integers(1, 6))
def test_modifications_give_plans_that_can_be_folded(loan: Loan, days: int, months: int) -> None:
    on = day_of(loan, days)
    some_terms, events = loan
    events = through(events, on)
    try:
        changes = [
            defer(some_terms, events, on, months=months),
            freeze_interest(some_terms, events, on, months=months),
        ]
    except UnableToModifyError:
        return
    coming = [
        row.due_date
        for row in replay(some_terms, events, on).installments
        if row.outstanding.total and row.due_date >= on
    ]
    deferral, freeze = changes
    assert deferral.first_due_date >= add_months(on, months)
    if coming:
        assert deferral.first_due_date == add_months(coming[0], months)
    else:
        assert deferral.first_due_date == add_months(freeze.first_due_date, months)
    for change in changes:
        state = replay(some_terms, (*events, change), on)
        assert state.days_past_due == 0
        assert change.first_due_date > on
        last = replay(some_terms, (*events, change), state.installments[-1].due_date)
        assert last.unbilled.total == Money(0)


@settings(max_examples=100)
@given(PLAIN_LOANS, st.integers(1, 600), st.integers(1, 100))
def test_after_a_charge_off_nothing_accrues(loan: Loan, days: int, more: int) -> None:
    on = day_of(loan, days)
    some_terms, events = loan
    off = ChargedOff(event_id="off", effective_date=on, sequence=99)
    known = through(events, on)
    state = replay(some_terms, (*known, off), on)
    later = replay(some_terms, (*known, off), on + dt.timedelta(days=more))
    assert later.payoff_amount == state.payoff_amount
    assert later.balances == state.balances
