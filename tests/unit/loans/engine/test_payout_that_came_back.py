"""A payout that came back: the loan is as if never paid out, and may be paid out again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loans.engine.codec import InvalidInputError
from loans.engine.events import InvalidEventError
from loans.engine.explanation import explain, explained_keys, value_of
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import (
    ChargedOff,
    Disbursed,
    Disputed,
    DueDateMoved,
    Event,
    LoanState,
    PrepaymentEffect,
    Refunded,
    Repaid,
    Reversed,
    Waived,
    replay,
)
from loans.engine.statement import statement
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_building import day, loan, money, paid, payout
from tests.unit.loans.engine.loan_laws import assert_state_is_sound, recorded_otherwise
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.money import Money

ZERO = money("0")
FEES = {"upfront_amount": "100.00", "installment_amount": "5.00"}
BACK = Reversed(event_id="back", effective_date=day("2024-02-05"), sequence=50, of="payout")


def again(some_terms: LoanTerms, on: dt.date, sequence: int = 60) -> Disbursed:
    return Disbursed(
        event_id="again", effective_date=on, sequence=sequence, amount=some_terms.principal
    )


def booked(state: LoanState) -> dict[LedgerAccount, str]:
    return {account: str(amount) for account, amount in state.balances.items() if amount}


def assert_lines_readd(state: LoanState) -> None:
    for key in explained_keys(state):
        value = value_of(state, key)
        amount = value.amount if isinstance(value, Money) else value
        assert sum(line.amount for line in explain(state, key)) == amount, key


def test_before_the_payout_the_lines_re_add_to_nothing() -> None:
    fees = loan(fees=FEES)
    for events, on in (
        ([], "2023-12-01"),
        ([payout(fees)], "2023-12-31"),
        ([payout(fees), paid("a", "2024-02-01", "993.49"), BACK], "2024-02-05"),
    ):
        state = replay(fees, events, day(on))
        assert state.status is LoanStatus.PENDING
        assert_lines_readd(state)
        for key in ("totals.scheduled.principal", "totals.scheduled.interest", "total_cost"):
            assert (value_of(state, key), explain(state, key)) == (ZERO, ())
        # Each installment of the forecast says what it will ask for.
        assert str(value_of(state, "installment.1.total")) == "993.49"


def test_everything_is_gone_and_what_was_repaid_is_held() -> None:
    fees = loan(fees=FEES)
    events = [payout(fees), paid("a", "2024-02-01", "993.49"), BACK]
    before = replay(fees, events, day("2024-02-04"))
    assert before.status is LoanStatus.ACTIVE
    assert str(before.totals.paid.total) == "993.49"
    assert booked(before)[LedgerAccount.FEE_INCOME] == "-105.00"
    state = replay(fees, events, day("2024-02-05"))
    assert (state.status, state.closed_on) == (LoanStatus.PENDING, None)
    assert (state.payoff_amount, state.next_due, state.prepaid) == (ZERO, None, ZERO)
    assert str(state.overpaid) == "993.49"
    assert booked(state) == {LedgerAccount.BANK: "993.49", LedgerAccount.BORROWER_CREDIT: "-993.49"}
    assert [str(each.credit) for each in state.repayments] == ["993.49"]
    assert str(value_of(state, "overpaid")) == "993.49"
    assert [str(line.amount) for line in explain(state, "overpaid")] == ["993.49"]


def test_what_is_held_is_given_back_and_never_more() -> None:
    plain = loan()
    refund = Refunded(
        event_id="r", effective_date=day("2024-02-06"), sequence=51, amount=money("300.00")
    )
    events = [payout(plain), paid("a", "2024-02-01", "300.00"), BACK, refund]
    assert booked(replay(plain, events, day("2024-02-06"))) == {}
    with pytest.raises(InvalidEventError, match="refunds more than is held"):
        replay(plain, [*events, replace(refund, event_id="s")], day("2024-02-06"))


def test_what_the_first_payout_brought_with_it_finds_nothing_to_change() -> None:
    plain = loan()
    name: dict[str, Any] = {"effective_date": day("2024-02-03")}
    others: list[Event] = [
        Waived(event_id="w", sequence=2, interest=money("1.00"), **name),
        DueDateMoved(event_id="m", sequence=3, number=1, payable_through=day("2024-02-20"), **name),
        Disputed(event_id="d", sequence=4, number=1, **name),
        ChargedOff(event_id="c", sequence=5, **name),
    ]
    state = replay(plain, [payout(plain), *others, BACK], day("2024-02-05"))
    assert state.without_effect == ("w", "m", "d", "c")
    assert booked(state) == {}
    # It is not as if nothing had been agreed: an event before the payout stays an error.
    with pytest.raises(InvalidEventError, match="before the payout"):
        replay(plain, [payout(plain), BACK, paid("x", "2023-12-31", "1")], day("2024-02-05"))


def test_what_is_held_counts_as_paid_ahead_after_the_next_payout() -> None:
    """30/360, 12 %: 10,000 from 10 January, 500.00 of it paid ahead."""
    plain = loan()
    back = replace(BACK, effective_date=day("2024-01-08"))
    events = [
        payout(plain),
        paid("a", "2024-01-05", "500.00", prepayment=PrepaymentEffect.SHORTEN_TERM),
        back,
        again(plain, day("2024-01-10")),
    ]
    state = replay(plain, events, day("2024-01-10"))
    assert (state.status, str(state.prepaid)) == (LoanStatus.ACTIVE, "500.00")
    assert str(state.payoff_amount) == "9500.00"
    first = replay(plain, events, day("2024-02-01")).installments[0]
    # 9,500 × 12 % × 1/12 × 22/31 = 67.42
    assert (str(first.interest), str(first.paid.total)) == ("67.42", "500.00")
    held = Repaid(
        event_id="a",
        effective_date=day("2024-01-10"),
        sequence=70,
        amount=money("500.00"),
        prepayment=PrepaymentEffect.NEXT_INSTALLMENTS,
    )
    later = replay(plain, [again(plain, day("2024-01-10")), held], day("2024-05-01"))
    folded = replay(plain, events, day("2024-05-01"))
    assert (folded.installments, folded.balances) == (later.installments, later.balances)


def test_a_loan_that_was_repaid_whole_is_repaid_by_what_is_held() -> None:
    plain = loan()
    back = replace(BACK, effective_date=day("2024-01-08"))
    events = [payout(plain), paid("a", "2024-01-05", "10012.90"), back]
    assert replay(plain, events, day("2024-01-07")).status is LoanStatus.PAID_OFF
    events.append(again(plain, day("2024-01-08")))
    state = replay(plain, events, day("2024-01-08"))
    assert (state.status, state.closed_on) == (LoanStatus.OVERPAID, day("2024-01-08"))
    assert str(state.overpaid) == "12.90"


def test_sent_again_on_the_day_on_which_it_came_back() -> None:
    plain = loan()
    back = replace(BACK, effective_date=day("2024-01-04"))
    events = [
        payout(plain),
        paid("a", "2024-01-04", "100.00", sequence=2),
        back,
        again(plain, day("2024-01-04")),
    ]
    state = replay(plain, events, day("2024-01-04"))
    assert (str(state.prepaid), str(state.totals.disbursed)) == ("100.00", "10000.00")
    told = statement(plain, events, start=day("2024-01-01"), end=day("2024-01-31"))
    assert [(line.date.day, str(line.event and line.event.kind)) for line in told.lines] == [
        (1, "DISBURSEMENT"),
        (4, "REPAYMENT"),
        (4, "REVERSAL"),
        (4, "DISBURSEMENT"),
    ]
    assert [str(line.balance.total) for line in told.lines] == [
        "10000.00",
        "9900.00",
        "-100.00",
        "9900.00",
    ]


LOANS = terms().flatmap(lambda t: st.tuples(st.just(t), histories(t)))
Loan = tuple[LoanTerms, tuple[Event, ...]]


def soundly(some_terms: LoanTerms, events: list[Event], on: dt.date) -> LoanState:
    """Return the state; a refund of more than is held is no history of such a loan."""
    try:
        state = replay(some_terms, events, on)
    except InvalidInputError as error:
        assume("refunds more than is held" not in str(error))
        raise
    return state


@settings(max_examples=150)
@given(LOANS, st.integers(0, 600), st.integers(0, 600), st.randoms())
def test_without_its_payout_a_loan_owes_nothing_and_holds_what_came(
    loan: Loan, days: int, later: int, shuffler: Any
) -> None:
    some_terms, events = loan
    start = some_terms.disbursement_date
    back = replace(BACK, effective_date=start + dt.timedelta(days=days))
    on = back.effective_date + dt.timedelta(days=later)
    state = soundly(some_terms, [*events, back], on)
    assert_state_is_sound(some_terms, state)
    assert state.status is LoanStatus.PENDING
    assert (state.payoff_amount, state.penalty_accrued, state.accrued_interest) == (ZERO,) * 3
    assert state.overpaid == state.totals.received - state.totals.refunded
    assert set(booked(state)) <= {LedgerAccount.BANK, LedgerAccount.BORROWER_CREDIT}
    agreed = replay(some_terms, [], on)
    assert (state.installments, state.outstanding) == (agreed.installments, agreed.outstanding)
    assert_lines_readd(state)
    anew = recorded_otherwise(events, shuffler)
    assert replay(some_terms, [*anew, back], on) == state


@settings(max_examples=150)
@given(LOANS, st.integers(0, 25), st.integers(0, 3), st.integers(0, 600))
def test_paid_out_again_it_is_a_loan_that_was_paid_out_later(
    loan: Loan, days: int, more: int, later: int
) -> None:
    some_terms, events = loan
    first = some_terms.disbursement_date
    back_on = first + dt.timedelta(days=days)
    again_on = back_on + dt.timedelta(days=more)
    assume(again_on < replay(some_terms, [], first).installments[0].due_date)
    second = again(some_terms, again_on, sequence=0)
    since = [event for event in events[1:] if event.effective_date > again_on]
    known = {event.event_id for event in since}
    since = [event for event in since if not isinstance(event, Reversed) or event.of in known]
    back = replace(BACK, effective_date=back_on, sequence=0, event_id="a-back")
    on = again_on + dt.timedelta(days=later)
    twice = replay(some_terms, [events[0], back, second, *since], on)
    once = replay(some_terms, [second, *since], on)
    assert replace(twice, events=()) == replace(once, events=())
    assert_state_is_sound(some_terms, twice)


def test_the_statement_shows_the_up_front_fee_apart_and_all_of_it_going() -> None:
    fees = loan(fees={"upfront_amount": "100.00"})
    events = [payout(fees), paid("a", "2024-01-20", "50.00"), BACK]
    told = statement(fees, events, start=day("2024-01-01"), end=day("2024-02-28"))
    rows = [
        (line.date.isoformat()[5:], str(line.kind), str(line.change.total), str(line.balance.total))
        for line in told.lines
    ]
    assert rows == [
        ("01-01", "EVENT", "10000.00", "10000.00"),
        ("01-01", "UPFRONT_FEE", "100.00", "10100.00"),
        ("01-20", "EVENT", "-50.00", "10050.00"),
        ("02-01", "BILLED", "99.81", "10149.81"),
        ("02-01", "CREDIT_USED", "0.00", "10149.81"),
        ("02-05", "EVENT", "-10199.81", "-50.00"),
    ]
    assert (told.charged.total, told.closing.credit) == (ZERO, money("50.00"))


def test_nothing_of_an_installment_is_owed_before_a_payout() -> None:
    """Neither before the first payout nor after one came back; the rows stay as a forecast."""
    some_terms = loan()
    back = replace(BACK, effective_date=some_terms.disbursement_date)
    for events in ([], [payout(some_terms), replace(back, of="payout")]):
        found = replay(some_terms, events, some_terms.disbursement_date)
        assert found.status is LoanStatus.PENDING
        assert {row.outstanding.total for row in found.installments} == {ZERO}
        assert (found.outstanding.total, found.payable_now, found.next_due) == (ZERO, ZERO, None)
        assert sum(row.due.principal.cents for row in found.installments) == 1_000_000
        assert [explain(found, f"installment.{n}.outstanding") for n in (1, 12)] == [(), ()]
