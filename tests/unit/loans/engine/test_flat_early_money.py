"""Early money on a flat loan: interest for the days used only, whatever the choice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loans.engine.explanation import explain
from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import Event, LoanState, PrepaymentEffect, Repaid, replay
from loans.engine.terms import LoanTerms, Method
from tests.unit.loans.engine.loan_building import amounts, loan, money, paid, payout, state
from tests.unit.loans.engine.loan_laws import assert_state_is_sound
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.money import Money

FLAT = loan(principal="12000.00", method="FLAT")
FLAT_TERMS = terms().map(lambda some: replace(some, method=Method.FLAT))
FLAT_LOANS = FLAT_TERMS.flatmap(lambda some: st.tuples(st.just(some), histories(some, rare=False)))


def interest(found: LoanState) -> Money:
    return found.totals.scheduled.interest


def early(effect: PrepaymentEffect | None, amount: str = "11000.00") -> Repaid:
    return paid("early", "2024-01-02", amount, prepayment=effect)


def paid_off(terms: LoanTerms, events: list[Event], found: LoanState) -> LoanState:
    last = Repaid(
        event_id="last",
        effective_date=found.as_of,
        sequence=10_000,
        amount=found.payoff_amount,
    )
    return replay(terms, [*events, last], found.as_of)


@pytest.mark.parametrize("effect", [None, *PrepaymentEffect])
def test_the_payoff_on_the_day_is_the_same_by_every_choice(effect: PrepaymentEffect | None) -> None:
    """120.00 × 1/31 = 3.87 for the day, and the 1,000.00 that are left."""
    found = state(FLAT, [early(effect)], "2024-01-02")
    assert (found.payoff_amount, found.accrued_interest) == (money("1003.87"), money("3.87"))
    end = paid_off(FLAT, [payout(FLAT), early(effect)], found)
    assert (end.status, end.payoff_amount) == (LoanStatus.PAID_OFF, money("0"))
    assert interest(end) == money("3.87")


def test_money_held_bears_no_charge_and_the_rows_keep_their_amount() -> None:
    found = state(FLAT, [early(None)], "2024-01-02")
    assert (interest(found), found.prepaid) == (money("494.38"), money("11000"))
    assert amounts(found, "interest")[:6] == ["13.55", "11.16", "12.57", "14.34", "16.67", "19.82"]
    assert amounts(found, "interest")[6:] == [
        "24.32",
        "31.24",
        "43.11",
        "67.60",
        "120.00",
        "120.00",
    ]
    assert amounts(found, "total") == ["1120.00"] * 11 + ["174.38"]


def test_a_shorter_term_scales_the_charge() -> None:
    """3.87 for the day, then 1,000 of 12,000 bear 10.00 × 30/31: one row, and no other."""
    found = state(FLAT, [early(PrepaymentEffect.SHORTEN_TERM)], "2024-01-02")
    assert amounts(found, "total") == ["12013.55"]
    assert (interest(found), amounts(found, "balance")) == (money("13.55"), ["0.00"])


def test_lower_installments_scale_the_charge_and_the_rows() -> None:
    found = state(FLAT, [early(PrepaymentEffect.LOWER_INSTALLMENT)], "2024-01-02")
    assert interest(found) == money("123.55")
    assert amounts(found, "interest") == ["13.55"] + ["10.00"] * 11


def test_exactly_one_installment_ahead() -> None:
    """10,880 of 12,000 bear the charge until the money is used; then the loan goes on as agreed."""
    found = state(FLAT, [early(None, "1120.00")], "2024-01-02")
    assert found.payoff_amount == money("10883.87")
    assert amounts(found, "interest") == ["109.16"] + ["120.00"] * 11
    assert amounts(found, "total") == ["1120.00"] * 11 + ["1109.16"]
    assert state(FLAT, [early(None, "1120.00")], "2024-02-01").prepaid == money("0")
    then = state(FLAT, [early(None, "1120.00")], "2024-03-01")
    assert [line.base for line in explain(then, "installment.2.interest")] == [money("12000")]


def test_the_lines_say_the_base_and_its_event() -> None:
    """12,000 × (12,000 - 3,000) / 12,000 = 9,000 from the day of the money on."""
    events = [paid("early", "2024-01-16", "3000.00")]
    found = state(FLAT, events, "2024-01-31")
    lines = explain(found, "accrued_interest")
    assert [(line.base, line.days, line.event_id) for line in lines if line.base] == [
        (money("12000"), 15, "payout"),
        (money("9000"), 15, "early"),
    ]
    assert sum(line.amount for line in lines) == found.accrued_interest.amount == Decimal("101.61")


def test_the_base_is_rounded_by_the_rule_of_the_terms() -> None:
    """At #2 12,000 × (11,000 - 0.46) / 11,000 = 11,999.498…, and ties go as the terms say."""
    terms = loan(principal="12000.00", method="FLAT", rounding="HALF_UP")
    events = [paid("a", "2024-02-01", "1120.46")]
    spans = state(terms, events, "2024-02-15").installments[1].interest_spans
    assert spans[0].base_cents == 1199950


@settings(max_examples=200)
@given(FLAT_LOANS, st.integers(0, 600))
def test_early_money_never_raises_the_interest_and_closes_at_nothing(
    some: tuple[LoanTerms, tuple[Event, ...]], days: int
) -> None:
    terms, events = some
    day = terms.disbursement_date + dt.timedelta(days=days)
    found = replay(terms, events, day)
    assert_state_is_sound(terms, found)
    assert interest(found) <= interest(replay(terms, events[:1], day))
    if found.payoff_amount:
        end = paid_off(terms, list(events), found)
        assert (end.payoff_amount, end.due_now.total) == (money("0"), money("0"))


def test_a_charge_of_days_is_never_more_than_the_rest_that_the_last_row_has() -> None:
    """0.115 a month is 0.12 in eleven rows, so 0.06 in the last; 30 of its 31 days are no more."""
    terms = loan(principal="11.50", method="FLAT", rounding="HALF_UP")
    assert amounts(state(terms, [], "2024-01-01"), "interest") == ["0.12"] * 11 + ["0.06"]
    found = state(terms, [], "2024-12-31")
    assert found.accrued_interest == money("0.06")
    assert [(line.rule, line.amount) for line in explain(found, "accrued_interest")] == [
        ("INTEREST", Decimal("0.11129032")),
        ("REST_OF_INTEREST", Decimal("-0.05129032")),
    ]
    end = paid_off(terms, [payout(terms)], found)
    assert interest(end) == interest(found) == money("1.38")


@settings(max_examples=200)
@given(FLAT_TERMS, st.sampled_from(PrepaymentEffect), st.integers(1, 20), st.integers(10, 99))
def test_every_choice_costs_less_than_no_early_money(
    some: LoanTerms, effect: PrepaymentEffect, days: int, percent: int
) -> None:
    """A tenth of a loan of 10,000.00 or more, five days ahead or more, saves at least a cent."""
    terms = replace(
        some,
        principal=Money(max(some.principal.cents, 1_000_000)),
        annual_rate=max(some.annual_rate, Decimal("0.05")),
        installment_multiple=None,
        first_due_date=some.disbursement_date + dt.timedelta(days=25),
    )
    money_in = Repaid(
        event_id="early",
        effective_date=terms.disbursement_date + dt.timedelta(days=days),
        sequence=1,
        amount=Money(terms.principal.cents * percent // 100),
        prepayment=effect,
    )
    without = replay(terms, [payout(terms)], money_in.effective_date)
    assert interest(replay(terms, [payout(terms), money_in], money_in.effective_date)) < interest(
        without
    )
