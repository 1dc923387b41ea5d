"""Offers: exact figures of a worked case, and the laws on random loans and budgets."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collections_app.engine.hardship import (
    CreditFileEffect,
    HardshipOffer,
    Means,
    NotOffered,
    OfferKind,
    OfferLawError,
    WhyNot,
    check_offer,
    offers_for,
)
from collections_app.engine.policy import POLICY
from loans.engine.events import Disbursed, Event, Repaid, event_from_json
from loans.engine.servicing import replay
from loans.engine.terms import DayCount, FeeTerms, LoanTerms, Method, PenaltyRule, Period
from zhixin.shared.calendar import PeriodUnit, add_months
from zhixin.shared.money import Money, Rounding, total

PAID_OUT = dt.date(2026, 1, 15)
LATE_ON = dt.date(2026, 3, 20)
EARLY_ON = dt.date(2026, 3, 10)


def yuan(text: str) -> Money:
    return Money.parse(text)


def terms(**changes: object) -> LoanTerms:
    basis = LoanTerms(
        principal=yuan("10000"),
        annual_rate=Decimal("0.18"),
        method=Method.EQUAL_INSTALLMENT,
        installment_count=12,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount.THIRTY_360,
        disbursement_date=PAID_OUT,
        rounding=Rounding.HALF_EVEN,
        penalty=PenaltyRule(uplift=Decimal("0.5"), grace_days=0, annual_cap=Decimal("0.24")),
    )
    return replace(basis, **changes)  # type: ignore[arg-type]  # Values of several types.


def events(loan: LoanTerms, *, paid: str | None = "916.80") -> tuple[Event, ...]:
    payout = Disbursed(event_id="d", effective_date=PAID_OUT, sequence=1, amount=loan.principal)
    if paid is None:
        return (payout,)
    first_due = dt.date(2026, 2, 15)
    return (
        payout,
        Repaid(event_id="r", effective_date=first_due, sequence=2, amount=yuan(paid)),
    )


def ask(
    *,
    on: dt.date,
    bears: str,
    loan: LoanTerms | None = None,
    later: str | None = None,
    later_from: dt.date | None = None,
) -> tuple[dict[OfferKind, HardshipOffer], dict[OfferKind, NotOffered]]:
    loan = loan or terms()
    means = Means(now=yuan(bears), later=yuan(later) if later else None, later_from=later_from)
    offers, left_out = offers_for(loan, events(loan), on, means=means, policy=POLICY)
    return {offer.kind: offer for offer in offers}, {option.kind: option for option in left_out}


def test_three_offers_of_a_late_loan_to_the_cent() -> None:
    offers, left_out = ask(on=LATE_ON, bears="1000")
    assert left_out == {}
    figures = {
        kind: (
            str(offer.comparison.new_installment),
            str(offer.comparison.new_total),
            offer.comparison.new_months,
            offer.change.first_due_date.isoformat(),
            str(offer.annual_rate_new),
        )
        for kind, offer in offers.items()
    }
    assert figures == {
        OfferKind.DEFERRAL: ("943.01", "10372.92", 11, "2026-05-15", "0.18"),
        OfferKind.LONGER_TERM: ("778.54", "10120.76", 13, "2026-04-15", "0.1350"),
        OfferKind.INTEREST_FREEZE: ("903.94", "9943.19", 11, "2026-04-15", "0.18"),
    }
    for offer in offers.values():
        assert offer.old_installment == yuan("916.81")
        assert offer.comparison.old_total == yuan("10087.40")
        assert offer.waived_penalty == yuan("2.59")
        assert offer.credit_file is CreditFileEffect.CHANGED_AFTER_LATE


def test_help_before_the_first_missed_payment() -> None:
    offers, left_out = ask(on=EARLY_ON, bears="910")
    assert set(offers) == {OfferKind.LONGER_TERM, OfferKind.INTEREST_FREEZE}
    assert left_out[OfferKind.DEFERRAL].reason is WhyNot.ABOVE_BUDGET
    for offer in offers.values():
        assert offer.waived_penalty == Money.zero()
        assert offer.credit_file is CreditFileEffect.CHANGED_BEFORE_LATE


def test_who_can_pay_may_defer_and_does_not_get_a_cheaper_loan() -> None:
    offers, left_out = ask(on=EARLY_ON, bears="1000")
    assert set(offers) == {OfferKind.DEFERRAL}
    assert offers[OfferKind.DEFERRAL].comparison.difference > Money.zero()
    for kind in (OfferKind.LONGER_TERM, OfferKind.INTEREST_FREEZE):
        assert left_out[kind].reason is WhyNot.NOT_NEEDED


def test_a_small_budget_gets_a_term_that_fits_and_hears_why_the_rest_does_not() -> None:
    offers, left_out = ask(on=LATE_ON, bears="250")
    assert set(offers) == {OfferKind.LONGER_TERM}
    longer = offers[OfferKind.LONGER_TERM]
    assert longer.months == 49
    assert longer.comparison.new_installment == yuan("249.26")
    assert longer.comparison.difference == yuan("2115.02")
    assert left_out[OfferKind.DEFERRAL].reason is WhyNot.ABOVE_BUDGET
    assert left_out[OfferKind.DEFERRAL].installment == yuan("943.01")
    assert left_out[OfferKind.INTEREST_FREEZE].installment == yuan("893.48")


def test_the_term_is_the_shortest_that_fits() -> None:
    offers, _ = ask(on=LATE_ON, bears="249.25")
    assert offers[OfferKind.LONGER_TERM].months == 50


def test_nothing_is_offered_when_even_the_longest_term_is_too_much() -> None:
    offers, left_out = ask(on=LATE_ON, bears="100")
    assert offers == {}
    assert {option.reason for option in left_out.values()} == {WhyNot.ABOVE_BUDGET}
    assert left_out[OfferKind.LONGER_TERM].installment == yuan("214.79")


def test_nothing_is_offered_to_who_has_nothing_left() -> None:
    assert ask(on=LATE_ON, bears="0")[0] == {}


def test_a_deferral_fits_when_income_returns_before_its_first_payment() -> None:
    offers, _ = ask(on=LATE_ON, bears="0", later="1000", later_from=dt.date(2026, 5, 15))
    assert offers[OfferKind.DEFERRAL].bearable == yuan("1000")
    too_late, _ = ask(on=LATE_ON, bears="0", later="1000", later_from=dt.date(2026, 5, 16))
    assert too_late == {}


def test_income_that_falls_later_counts_too() -> None:
    offers, left_out = ask(on=LATE_ON, bears="1000", later="300", later_from=dt.date(2026, 9, 1))
    assert offers == {}
    assert left_out[OfferKind.INTEREST_FREEZE].reason is WhyNot.ABOVE_BUDGET


def test_no_freeze_without_interest() -> None:
    _, left_out = ask(on=EARLY_ON, bears="800", loan=terms(annual_rate=Decimal(0)))
    assert left_out[OfferKind.INTEREST_FREEZE].reason is WhyNot.NO_INTEREST


def test_one_big_last_payment_is_spread_by_a_longer_term() -> None:
    offers, left_out = ask(on=EARLY_ON, bears="700", loan=terms(method=Method.INTEREST_ONLY))
    assert set(offers) == {OfferKind.LONGER_TERM}
    assert offers[OfferKind.LONGER_TERM].change.method is Method.EQUAL_INSTALLMENT
    assert left_out[OfferKind.DEFERRAL].reason is WhyNot.ABOVE_BUDGET


def test_after_the_last_due_date_all_that_is_late_is_the_old_installment() -> None:
    on = dt.date(2027, 3, 1)
    offers, _ = ask(on=on, bears="600")
    state = replay(terms(), events(terms()), on)
    assert offers[OfferKind.LONGER_TERM].old_installment == state.overdue.total


def test_the_event_survives_its_json_form() -> None:
    offers, _ = ask(on=LATE_ON, bears="1000")
    for offer in offers.values():
        assert event_from_json(offer.change.to_json()) == offer.change


@pytest.mark.parametrize(
    ("breach", "law"),
    [
        ({"bearable": yuan("778.53")}, "HS-15"),
        ({"annual_rate_old": Decimal("0.1349")}, "HS-17"),
        ({"schedule": ()}, "principal is not conserved"),
    ],
)
def test_an_offer_that_breaks_a_law_is_caught(breach: dict[str, object], law: str) -> None:
    offers, _ = ask(on=LATE_ON, bears="1000")
    state = replay(terms(), events(terms()), LATE_ON)
    with pytest.raises(OfferLawError, match=law):
        check_offer(replace(offers[OfferKind.LONGER_TERM], **breach), state=state)


LOANS = st.builds(
    terms,
    principal=st.integers(min_value=50_000, max_value=5_000_000).map(Money),
    annual_rate=st.sampled_from([Decimal(text) for text in ("0", "0.05", "0.12", "0.24")]),
    method=st.sampled_from(list(Method)),
    installment_count=st.sampled_from([1, 3, 6, 12, 24]),
    fees=st.sampled_from(
        [FeeTerms(), FeeTerms(upfront_amount=yuan("30")), FeeTerms(installment_amount=yuan("5"))]
    ),
)


@settings(deadline=None)
# Money paid ahead of a fee; the longer plan takes it off the principal instead.
@example(
    loan=terms(
        principal=Money(500_00),
        annual_rate=Decimal(0),
        method=Method.BULLET,
        installment_count=24,
        fees=FeeTerms(upfront_amount=yuan("30")),
    ),
    days=424,
    bears=Money(10_39),
    paid=Money(19),
)
@given(
    loan=LOANS,
    days=st.integers(min_value=0, max_value=900),
    bears=st.integers(min_value=0, max_value=1_000_000).map(Money),
    paid=st.integers(min_value=1, max_value=400_000).map(Money),
)
def test_laws_of_offers(loan: LoanTerms, days: int, bears: Money, paid: Money) -> None:
    """Nothing above the budget, never a higher rate, principal conserved, no new charge."""
    on = PAID_OUT + dt.timedelta(days=days)
    known = tuple(event for event in events(loan, paid=str(paid)) if event.effective_date <= on)
    state = replay(loan, known, on)
    offers, left_out = offers_for(loan, known, on, means=Means(now=bears), policy=POLICY)
    assert {option.kind for option in (*offers, *left_out)} == set(OfferKind)
    for offer in offers:
        assert all(payment.total <= bears for payment in offer.schedule)
        assert offer.annual_rate_new <= state.annual_rate
        assert offer.change.first_due_date > on
        if offer.kind is OfferKind.DEFERRAL:
            # Late or not, nobody pays anything for a whole month.
            assert offer.change.first_due_date >= add_months(on, POLICY.deferral_months)
        assert total(payment.penalty for payment in offer.schedule) == Money.zero()
        principal = total(payment.principal for payment in offer.schedule)
        assert state.outstanding.principal - state.prepaid <= principal
        assert principal <= state.outstanding.principal
        after = replay(loan, (*known, offer.change), on)
        assert sum(amount.cents for amount in after.balances.values()) == 0
        assert after.days_past_due == 0
        assert after.outstanding.penalty == Money.zero()
        longest = offer.schedule[-1].due_date
        assert (longest - on).days <= 31 * 60 or offer.kind is not OfferKind.LONGER_TERM
