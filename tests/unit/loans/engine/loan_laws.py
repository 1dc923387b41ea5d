"""Laws of a loan's state, as checks that tests of every kind share."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from loans.engine.explanation import explain, explained_keys, value_of
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import (
    Event,
    InstallmentState,
    InvalidEventError,
    LoanState,
    PlanChanged,
    Repaid,
    Reversed,
    replay,
)
from loans.engine.state import Buckets
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money, round_ratio, total

ZERO, CENT = Money(0), Money(1)
NAMES = ("principal", "interest", "fees", "penalty")
CLOSED = (LoanStatus.PAID_OFF, LoanStatus.OVERPAID)


def assert_state_is_sound(terms: LoanTerms, state: LoanState) -> None:
    """Check all that one state says about itself."""
    assert_parts_readd(state)
    assert_principal_is_conserved(state)
    assert_money_is_accounted_for(state)
    assert_books_agree(state)
    assert_penalty_within_clamp(terms, state)
    assert_status_fits(state)
    assert_next_due_is_the_earliest(state)


def assert_next_due_is_the_earliest(state: LoanState) -> None:
    """Whatever the order of the rows: the earliest last day in time to come, and all till then.

    That is what is to be paid by that day beside what is late: rows of the day, and penalty that is
    left. What is to be paid now is billed and cannot be paid later; of a written-off loan it is
    all that is not suspended. Nobody is asked for what is suspended, and it is in dispute and not
    late.
    """
    suspended = [row for row in state.installments if row.suspended]
    assert all(row.disputed and not row.days_late_now for row in suspended)
    asking = [row for row in state.installments if row.outstanding.total and not row.suspended]
    to_come = [row for row in asking if row.payable_through >= state.as_of]
    if state.called:
        assert state.next_due is None
        assert state.payable_now == state.due_now.total - state.suspended
        return
    not_running = (*CLOSED, LoanStatus.PENDING)
    assert (state.next_due is not None) == bool(to_come) or state.status in not_running
    if state.next_due is not None:
        date = state.next_due.date
        assert date == min(row.payable_through for row in to_come)
        assert state.next_due.number == min(
            row.number for row in to_come if row.payable_through == date
        )
        beside = [row for row in asking if row.payable_through < date and not row.days_late_now]
        assert state.next_due.amount == total(
            row.outstanding.total
            for row in (*beside, *(row for row in to_come if row.payable_through == date))
        )
        if date == state.as_of:
            assert state.payable_now == state.overdue.total + state.next_due.amount
    assert_money_goes_where_it_is_asked(state)
    now = [row for row in asking if row.billed and row.payable_through <= state.as_of]
    assert state.payable_now == total(row.outstanding.total for row in now)
    assert state.overdue.total <= state.payable_now <= state.due_now.total


def assert_money_goes_where_it_is_asked(state: LoanState) -> None:
    """Money is held while something is billed only where that can be paid after what is to come.

    What is suspended takes money only when all else is paid.
    """
    waiting = {row.number for row in state.waiting_rows}
    assert state.due_before_choice <= state.due_now.total
    if state.prepaid and state.status not in CLOSED:
        open_now = {
            row.number for row in state.installments if row.billed and row.outstanding.total
        }
        assert open_now <= waiting


def assert_parts_readd(state: LoanState) -> None:
    for row in state.installments:
        parts = (row.paid, row.waived, row.moved, row.outstanding)
        for name in NAMES:
            amounts = [getattr(part, name) for part in parts]
            assert min(amounts) >= ZERO, (row.number, name)
            # Before a payout the rows say what will fall due, and nothing of it is owed.
            whole = getattr(row.due, name) if state.plan_events else ZERO
            assert total(amounts) == whole, (row.number, name)
        assert row.balance >= ZERO
        assert row.days_late >= 0
    for buckets in (state.outstanding, state.unbilled, state.due_now, state.overdue):
        assert min(getattr(buckets, name) for name in NAMES) >= ZERO
    for name in NAMES:
        assert getattr(state.due_now, name) >= getattr(state.overdue, name)
        for sums, column in ((state.totals.paid, "paid"), (state.totals.waived, "waived")):
            assert getattr(sums, name) >= ZERO, column
    assert state.outstanding.total == state.payoff_amount
    assert min(state.prepaid, state.overpaid) >= ZERO


def assert_principal_is_conserved(state: LoanState) -> None:
    """Repaid + waived + outstanding (or written off) = lent + refunds beyond the credit."""
    lent = state.totals.disbursed + lent_again(state)
    if not state.totals.disbursed:
        return
    rows = state.installments
    assert total(row.due.principal - row.moved.principal for row in rows) == lent
    repaid = total(part.amount.principal for each in state.repayments for part in each.parts)
    waived = total(part.amount.principal for part in state.waivers)
    owed = state.due_now.principal + state.unbilled.principal
    assert repaid + waived + owed == lent


def lent_again(state: LoanState) -> Money:
    """Return what was refunded beyond the credit."""
    return total(part.amount for part in state.refunds if part.of is None)


def assert_money_is_accounted_for(state: LoanState) -> None:
    placed = ZERO
    for repayment in state.repayments:
        parts = total(part.amount.total for part in repayment.parts)
        assert parts + repayment.credit <= repayment.amount
        if repayment.reversed:
            assert (repayment.parts, repayment.credit) == ((), ZERO)
        placed += parts
    given_back = total(part.amount for part in state.refunds if part.of is not None)
    assert placed + state.prepaid + state.overpaid + given_back == state.totals.received
    in_force = total(each.amount for each in state.repayments if not each.reversed)
    assert in_force == state.totals.received
    assert given_back + lent_again(state) == state.totals.refunded


def assert_books_agree(state: LoanState) -> None:
    books = state.balances
    assert total(books.values()) == ZERO
    totals = state.totals
    assert books[LedgerAccount.BANK] == totals.received - totals.disbursed - totals.refunded
    assert books[LedgerAccount.BORROWER_CREDIT] == -(state.prepaid + state.overpaid)
    assert books[LedgerAccount.PENALTY_INCOME] == -state.penalty_accrued
    receivable = (
        LedgerAccount.LOANS_RECEIVABLE,
        LedgerAccount.INTEREST_RECEIVABLE,
        LedgerAccount.FEES_RECEIVABLE,
        LedgerAccount.PENALTY_RECEIVABLE,
    )
    for account in receivable:
        assert books[account] >= ZERO
    if state.status is LoanStatus.CHARGED_OFF:
        assert not any(books[account] for account in receivable)
        later = total(part.amount.total for part in state.waivers if not part.counted)
        recovered = -books[LedgerAccount.RECOVERY_INCOME]
        owed = state.due_now.total + state.unbilled.total
        assert books[LedgerAccount.CHARGE_OFF_LOSS] == owed + recovered + later


def assert_penalty_within_clamp(terms: LoanTerms, state: LoanState) -> None:
    """Each day's overdue principal at the clamped rate, settled once; nothing else."""
    for row in state.installments:
        assert row.penalty - row.kept_penalty == most_penalty(terms, state, row)


def most_penalty(terms: LoanTerms, state: LoanState, row: InstallmentState) -> Money:
    """Return the settled penalty on the row's own days, after checking days, bases and rate."""
    rule = terms.penalty
    cap = rule.annual_rate(terms.annual_rate) if rule else Decimal(0)
    assert row.penalty_rate <= cap
    if rule and rule.annual_cap is not None:
        assert row.penalty_rate <= rule.annual_cap
    grace = dt.timedelta(days=rule.grace_days if rule else 0)
    before = row.due_date + grace
    if row.payable_through < row.due_date:
        raise AssertionError("An installment is never payable for less long than agreed.")
    if row.plan_event and row.number in state.closings:
        before = min(before, row.start_date)
    units = 0
    for span in row.penalty_spans:
        assert before <= span.start < span.end <= state.as_of
        assert ZERO < Money(span.base_cents) <= row.principal
        before = span.end
        units += span.base_cents * span.units
    numerator, denominator = row.penalty_rate.as_integer_ratio()
    cents = round_ratio(
        units * numerator, denominator * row.penalty_units_a_year, rounding=terms.rounding
    )
    return Money(cents)


def assert_status_fits(state: LoanState) -> None:
    closed = state.status in CLOSED
    assert closed == (state.closed_on is not None)
    if state.totals.disbursed:
        assert closed == (not state.payoff_amount)
    assert state.days_past_due >= 0
    assert state.most_days_past_due >= state.days_past_due
    assert (state.days_past_due > 0) == (state.overdue_since is not None)
    if state.overdue_since is not None:
        assert state.as_of - state.overdue_since == dt.timedelta(days=state.days_past_due)


def assert_explanations_readd(state: LoanState) -> None:
    """Check the numbers of the whole loan; those of its parts have a test of their own."""
    for key in explained_keys(state):
        if key.startswith(("installment.", "repayment.")):
            continue
        value = value_of(state, key)
        amount = value.amount if isinstance(value, Money) else value
        lines = sum((Fraction(line.amount) for line in explain(state, key)), Fraction(0))
        assert lines == Fraction(amount), key


def assert_next_day_follows(terms: LoanTerms, events: Sequence[Event], state: LoanState) -> None:
    """A day on which nothing is recorded: facts stay, days past due grow by one at most."""
    known = through(events, state.as_of)
    today = replay(terms, known, state.as_of)
    tomorrow = replay(terms, known, state.as_of + dt.timedelta(days=1))
    assert today.days_past_due <= tomorrow.days_past_due <= today.days_past_due + 1
    assert tomorrow.most_days_past_due >= today.most_days_past_due
    assert tomorrow.penalty_accrued >= today.penalty_accrued
    assert tomorrow.totals.received == today.totals.received
    assert tomorrow.totals.disbursed == today.totals.disbursed
    assert tomorrow.totals.refunded == today.totals.refunded
    assert at_most(today.totals.waived, tomorrow.totals.waived)
    income = LedgerAccount.INTEREST_INCOME
    assert tomorrow.balances[income] <= today.balances[income]
    if today.status in CLOSED:
        assert tomorrow.closed_on == today.closed_on


def at_most(some: Buckets, others: Buckets) -> bool:
    return all(getattr(some, name) <= getattr(others, name) for name in NAMES)


def assert_order_of_recording_does_not_matter(
    terms: LoanTerms, events: Sequence[Event], state: LoanState, shuffler: random.Random
) -> None:
    assert replay(terms, recorded_otherwise(events, shuffler), state.as_of) == state


def recorded_otherwise(events: Sequence[Event], shuffler: random.Random) -> list[Event]:
    """Return the events as if they had been recorded in another order.

    Events of one date keep their order: between them it decides.
    """
    numbers = list(range(len(events)))
    shuffler.shuffle(numbers)
    by_date: dict[dt.date, list[int]] = {}
    ordered = sorted(events, key=lambda event: event.sequence)
    for event, number in zip(ordered, numbers, strict=True):
        by_date.setdefault(event.effective_date, []).append(number)
    queues = {date: iter(sorted(found)) for date, found in by_date.items()}
    anew = [replace(event, sequence=next(queues[event.effective_date])) for event in ordered]
    return sorted(anew, key=lambda event: event.sequence)


def assert_paying_the_payoff_closes(
    terms: LoanTerms, events: Sequence[Event], state: LoanState
) -> None:
    """Pay what the state asks for, after all that is known by then: 0.00 remains everywhere."""
    if not state.payoff_amount or not state.totals.disbursed:
        return
    on = state.as_of
    known = through(events, on)
    before = replay(terms, known, on)
    amount = before.payoff_amount
    if not amount:
        return
    if amount > CENT:
        short = Repaid(event_id="short", effective_date=on, sequence=10**6, amount=amount - CENT)
        left = replay(terms, (*known, short), on)
        assert (left.payoff_amount, left.closed_on) == (CENT, None)
        # What is not due is not called for a payment that does not close the loan.
        assert left.due_now.total <= before.due_now.total
    paid = Repaid(event_id="payoff", effective_date=on, sequence=10**6, amount=amount)
    for later in (0, 1, 400):
        closed = replay(terms, (*known, paid), on + dt.timedelta(days=later))
        assert closed.payoff_amount == closed.due_now.total == closed.unbilled.total == ZERO
        assert all(not row.outstanding.total for row in closed.installments)
        assert closed.overpaid == closed.prepaid == ZERO
        assert closed.days_past_due == 0
        assert (closed.status, closed.closed_on) == (LoanStatus.PAID_OFF, on)


def without(events: Sequence[Event], event_id: str) -> list[Event]:
    """Return the events as if `event_id` had never been recorded, nor reversed."""
    return [
        event
        for event in events
        if event.event_id != event_id and not (isinstance(event, Reversed) and event.of == event_id)
    ]


def assert_reversal_leaves_no_trace(
    terms: LoanTerms, events: Sequence[Event], event_id: str, state: LoanState
) -> None:
    """Compare a state with one in which the reversed event was never made."""
    try:
        never = replay(terms, without(events, event_id), state.as_of)
    except InvalidEventError:
        # Later events name installments that only the plan that was taken back had laid out.
        target = next(event for event in events if event.event_id == event_id)
        assert isinstance(target, PlanChanged)
        return
    kept = tuple(each for each in state.repayments if each.event_id != event_id)
    assert replace(state, repayments=kept) == never


def through(events: Sequence[Event], on: dt.date) -> tuple[Event, ...]:
    """Return what counts by `on`; a reversal goes with what it reverses."""
    kept = {event.event_id for event in events if event.effective_date <= on}
    return tuple(
        event
        for event in events
        if event.event_id in kept and (not isinstance(event, Reversed) or event.of in kept)
    )
