"""A statement leads from its opening to its closing, whatever happened to the loan."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from loans.engine.events import Event, Reversed
from loans.engine.ledger import LedgerAccount
from loans.engine.servicing import replay
from loans.engine.statement import (
    NO_CHANGE,
    LineKind,
    Position,
    Statement,
    StatementLine,
    position_of,
    statement,
)
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, money, paid, payout
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.money import Money

LOANS = terms().flatmap(lambda t: st.tuples(st.just(t), histories(t)))
DAYS = st.integers(0, 700)


def sum_of(found: Statement) -> Position:
    position = found.opening
    for line in found.lines:
        position += line.change
        assert line.balance == position
    return position


@given(LOANS, DAYS, DAYS)
def test_opening_and_movements_are_the_closing_in_every_bucket(
    some: tuple[LoanTerms, tuple[Event, ...]], first: int, length: int
) -> None:
    some_terms, events = some
    start = some_terms.disbursement_date + dt.timedelta(days=first)
    end = start + dt.timedelta(days=length)
    found = statement(some_terms, events, start=start, end=end)
    assert sum_of(found) == found.closing
    assert found.closing == position_of(replay(some_terms, events, end))
    assert found.opening == position_of(replay(some_terms, events, start - dt.timedelta(days=1)))


@given(LOANS, DAYS, DAYS, DAYS)
def test_two_statements_in_a_row_tell_the_same_as_one(
    some: tuple[LoanTerms, tuple[Event, ...]], first: int, middle: int, last: int
) -> None:
    some_terms, events = some
    start = some_terms.disbursement_date + dt.timedelta(days=first)
    cut = start + dt.timedelta(days=middle)
    end = cut + dt.timedelta(days=last + 1)
    one = statement(some_terms, events, start=start, end=end)
    early = statement(some_terms, events, start=start, end=cut)
    late = statement(some_terms, events, start=cut + dt.timedelta(days=1), end=end)
    assert early.closing == late.opening
    assert (early.opening, late.closing) == (one.opening, one.closing)
    told = [line for line in one.lines if line.kind is LineKind.EVENT]
    assert [line.event for line in told] == [
        line.event for part in (early, late) for line in part.lines if line.kind is LineKind.EVENT
    ]


@given(LOANS, DAYS)
def test_the_balance_and_what_accrues_are_the_payoff_less_what_is_held_on_a_closed_loan(
    some: tuple[LoanTerms, tuple[Event, ...]], days: int
) -> None:
    some_terms, events = some
    state = replay(some_terms, events, some_terms.disbursement_date + dt.timedelta(days=days))
    owed = position_of(state).total + state.accrued_interest
    assert owed == state.payoff_amount - state.overpaid


@given(LOANS, DAYS)
def test_the_late_charges_explain_themselves_to_the_cent(
    some: tuple[LoanTerms, tuple[Event, ...]], days: int
) -> None:
    some_terms, events = some
    start = some_terms.disbursement_date
    found = statement(some_terms, events, start=start, end=start + dt.timedelta(days=days))
    for line in found.lines:
        if line.kind is LineKind.LATE_CHARGE:
            assert sum((part.amount for part in line.because), Decimal(0)) == (
                line.change.penalty.amount
            )


@given(LOANS, DAYS)
def test_whatever_is_charged_or_comes_back_explains_itself_to_the_cent(
    some: tuple[LoanTerms, tuple[Event, ...]], days: int
) -> None:
    some_terms, events = some
    start = some_terms.disbursement_date
    found = statement(some_terms, events, start=start, end=start + dt.timedelta(days=days))
    for line in found.lines:
        is_reversal = line.kind is LineKind.EVENT and isinstance(line.event, Reversed)
        if is_reversal or line.kind in (LineKind.INTEREST_TO_DATE, LineKind.UPFRONT_FEE):
            assert explained(line) == line.change.total.amount
        if is_reversal:
            assert "REST_OF_REVERSAL" not in {part.rule for part in line.because}


def explained(line: StatementLine) -> Decimal:
    return sum((part.amount for part in line.because), Decimal(0))


@given(LOANS, DAYS)
def test_the_position_is_what_the_journal_holds_until_a_charge_off(
    some: tuple[LoanTerms, tuple[Event, ...]], days: int
) -> None:
    some_terms, events = some
    plain = [event for event in events if event.kind != "CHARGE_OFF"]
    known = {event.event_id for event in plain}
    plain = [e for e in plain if not isinstance(e, Reversed) or e.of in known]
    state = replay(some_terms, plain, some_terms.disbursement_date + dt.timedelta(days=days))
    found, books = position_of(state), state.balances
    assert found == Position(
        principal=books[LedgerAccount.LOANS_RECEIVABLE],
        interest=books[LedgerAccount.INTEREST_RECEIVABLE],
        fees=books[LedgerAccount.FEES_RECEIVABLE],
        penalty=books[LedgerAccount.PENALTY_RECEIVABLE],
        credit=-books[LedgerAccount.BORROWER_CREDIT],
    )


def told(found: Statement) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (
            line.date.isoformat(),
            line.event.kind if line.kind is LineKind.EVENT and line.event else line.kind.value,
            str(line.change.principal),
            str(line.change.interest),
            str(line.change.penalty),
            str(line.balance.total),
        )
        for line in found.lines
    ]


def test_a_payment_that_the_bank_took_back_stands_in_it_twice() -> None:
    terms_ = loan(penalty=PENALTY)
    events = [
        payout(terms_),
        paid("first", "2024-02-01", "888.49"),
        Reversed(event_id="back", effective_date=day("2024-02-05"), sequence=2, of="first"),
    ]
    found = statement(terms_, events, start=day("2024-01-01"), end=day("2024-02-11"))
    assert told(found) == [
        ("2024-01-01", "DISBURSEMENT", "10000.00", "0.00", "0.00", "10000.00"),
        ("2024-02-01", "BILLED", "0.00", "100.00", "0.00", "10100.00"),
        ("2024-02-01", "REPAYMENT", "-788.49", "-100.00", "0.00", "9211.51"),
        # Late as if it had never been paid: four days at 18 % on 788.49.
        ("2024-02-05", "REVERSAL", "788.49", "100.00", "1.58", "10101.58"),
        ("2024-02-11", "LATE_CHARGE", "0.00", "0.00", "2.36", "10103.94"),
    ]
    assert (found.charged.interest, found.charged.penalty) == (money("100.00"), money("3.94"))
    back = [
        (part.rule, part.number, str(part.amount), part.days) for part in found.lines[3].because
    ]
    assert back == [
        ("NO_LONGER_PAID", 1, "788.49", None),
        ("NO_LONGER_PAID", 1, "100.00", None),
        ("PENALTY", 1, "1.57698000", 4),
        ("ROUNDING", 1, "0.00302000", None),
    ]
    late = found.lines[-1].because
    assert [(str(line.base), line.days) for line in late if line.base] == [("788.49", 6)]


def test_paying_all_of_it_early_costs_interest_for_the_days_used() -> None:
    terms_ = loan()
    state = replay(terms_, [payout(terms_)], day("2024-01-16"))
    events = [payout(terms_), paid("all", "2024-01-16", str(state.payoff_amount))]
    found = statement(terms_, events, start=day("2024-01-10"), end=day("2024-12-31"))
    assert found.opening.total == money("10000.00")
    assert told(found) == [
        ("2024-01-16", "INTEREST_TO_DATE", "0.00", "48.39", "0.00", "10048.39"),
        ("2024-01-16", "REPAYMENT", "-10000.00", "-48.39", "0.00", "0.00"),
    ]
    because = found.lines[0].because
    assert sum((line.amount for line in because), Decimal(0)) == Decimal("48.39")
    assert found.closing == NO_CHANGE


def test_money_paid_ahead_is_used_when_the_installment_is_due() -> None:
    terms_ = loan(prepayment="NEXT_INSTALLMENTS")
    events = [payout(terms_), paid("ahead", "2024-01-20", "500.00")]
    found = statement(terms_, events, start=day("2024-01-15"), end=day("2024-02-01"))
    kinds = [line.kind for line in found.lines]
    assert kinds == [LineKind.EVENT, LineKind.BILLED, LineKind.CREDIT_USED]
    assert found.lines[0].change.credit == money("500.00")
    used = found.lines[2].change
    assert (used.credit, used.total) == (money("-500.00"), Money(0))
    # What it asks is told whole: what was paid ahead is taken off by the line after it.
    asked = found.lines[1].asked
    assert asked is not None
    assert asked.total == money("888.49")
    assert (asked.interest, used.interest) == (money("98.06"), money("-98.06"))


def test_what_is_repaid_early_is_not_asked_for_again() -> None:
    terms_ = loan(prepayment="SHORTEN_TERM")
    events = [payout(terms_), paid("early", "2024-01-16", "500.00")]
    found = statement(terms_, events, start=day("2024-01-10"), end=day("2024-02-01"))
    assert found.lines[-1].kind is LineKind.BILLED
    asked = found.lines[-1].asked
    assert asked is not None
    assert (asked.principal, asked.interest) == (money("791.07"), money("97.42"))


def test_interest_that_comes_back_with_more_days_is_told_by_its_new_days() -> None:
    terms_ = loan(penalty=PENALTY, prepayment="SHORTEN_TERM")
    events = [
        payout(terms_),
        # Half of the principal early: the first installment's interest falls for the rest of it.
        paid("early", "2024-01-16", "5000.00"),
        paid("first", "2024-02-01", "863.49"),
        Reversed(event_id="back", effective_date=day("2024-02-05"), sequence=3, of="early"),
    ]
    found = statement(terms_, events, start=day("2024-01-01"), end=day("2024-02-05"))
    line = found.lines[-1]
    assert [(each.rule, str(each.amount), each.days) for each in line.because] == [
        ("NO_LONGER_PAID", "5025.81", None),
        ("PAID_INSTEAD", "-25.81", None),
        ("INTEREST", "100.00000000", 31),
        ("AS_BEFORE", "-74.19", None),
    ]
    assert explained(line) == line.change.total.amount


def test_a_statement_of_nothing_has_no_lines() -> None:
    terms_ = loan()
    found = statement(terms_, [payout(terms_)], start=day("2024-01-02"), end=day("2024-01-20"))
    assert found.lines == ()
    assert found.opening == found.closing
