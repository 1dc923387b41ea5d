"""Single rules, each with the figure that a slip in it would change."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from loans.engine.annualized_cost import (
    AmbiguousAnnualizedCostError,
    CashFlow,
    CostMethod,
    annualized_cost,
)
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.schedule import build_schedule
from loans.engine.servicing import (
    Disputed,
    DisputeResolved,
    Event,
    LoanState,
    PlanChanged,
    PrepaymentEffect,
    Refunded,
    Reversed,
    Waived,
)
from loans.engine.terms import Method, Period
from tests.unit.loans.engine.loan_building import PENALTY, amounts, day, loan, money, paid, state
from zhixin.shared.calendar import PeriodUnit

TERMS = loan(penalty=PENALTY)


@pytest.mark.parametrize(("rounding", "interest"), [("HALF_EVEN", "1.00"), ("HALF_UP", "1.01")])
@pytest.mark.parametrize("method", ["INTEREST_ONLY", "EQUAL_PRINCIPAL", "BULLET"])
def test_interest_on_a_tie_is_rounded_as_the_terms_say(
    rounding: str, interest: str, method: str
) -> None:
    """100.50 × 1 % = 1.005."""
    terms = loan(principal="100.50", installment_count=1, method=method, rounding=rounding)
    assert build_schedule(terms).rows[0].interest == money(interest)
    assert state(terms, [], "2024-02-01").due_now.interest == money(interest)


@pytest.mark.parametrize(("rounding", "five_days"), [("HALF_EVEN", "0.02"), ("HALF_UP", "0.03")])
def test_penalty_on_a_tie_is_rounded_as_the_terms_say(rounding: str, five_days: str) -> None:
    """10.00 × 18 % × 5/360 = 0.025."""
    terms = loan(principal="10.00", installment_count=1, rounding=rounding, penalty=PENALTY)
    found = state(terms, [], "2024-02-06")
    assert (found.penalty_accrued, found.due_now.penalty) == (money(five_days), money(five_days))


def test_a_reversal_counts_from_its_own_date() -> None:
    """Between the two dates the money was there: nothing was due and nothing late."""
    first = paid("a", "2024-02-01", "888.49")
    undone = Reversed(event_id="u", effective_date=day("2024-02-20"), sequence=2, of="a")
    between = state(TERMS, [first, undone], "2024-02-19")
    assert (between.status, between.days_past_due) == (LoanStatus.ACTIVE, 0)
    assert (between.due_now.total, between.penalty_accrued) == (money("0"), money("0"))
    assert not between.repayments[0].reversed
    assert between.balances == state(TERMS, [first], "2024-02-19").balances
    after = state(TERMS, [first, undone], "2024-02-20")
    assert (after.status, after.days_past_due) == (LoanStatus.OVERDUE, 19)
    assert (after.penalty_accrued, after.repayments[0].reversed) == (money("7.49"), True)


def dispute(opened: str, answered: str) -> list[Event]:
    return [
        Disputed(event_id="d", effective_date=day(opened), sequence=1, number=1),
        DisputeResolved(event_id="r", effective_date=day(answered), sequence=2, of="d"),
    ]


def test_a_dispute_from_before_the_due_date_spares_only_days_that_would_be_late() -> None:
    """Answered ten days after the due date: payable through that day, then 4 days of 788.49."""
    found = state(TERMS, dispute("2024-01-20", "2024-02-11"), "2024-02-15")
    assert found.installments[0].payable_through == day("2024-02-11")
    assert (found.days_past_due, found.penalty_accrued) == (4, money("1.58"))


def test_a_plan_that_is_late_costs_penalty_by_its_own_rate() -> None:
    """6 % × 1.5 = 9 %: 3,000 of principal thirty days late cost 22.50, not 45.00."""
    change = PlanChanged(
        event_id="p",
        effective_date=day("2024-01-16"),
        sequence=1,
        annual_rate=Decimal("0.06"),
        installment_count=1,
        first_due_date=day("2024-02-16"),
        period=Period(every=1, unit=PeriodUnit.MONTH),
        method=Method.INTEREST_ONLY,
    )
    found = state(loan(principal="3000.00", penalty=PENALTY), [change], "2024-03-17")
    assert found.penalty_rate == Decimal("0.09")
    assert (found.days_past_due, found.penalty_accrued) == (30, money("22.50"))


def test_a_waiver_forgives_the_oldest_first() -> None:
    waiver = Waived(
        event_id="w", effective_date=day("2024-03-05"), sequence=1, interest=money("150.00")
    )
    found = state(TERMS, [waiver], "2024-03-05")
    assert [row.waived.interest for row in found.installments[:2]] == [money("100"), money("50")]
    assert [row.outstanding.interest for row in found.installments[:2]] == [
        money("0"),
        money("42.12"),
    ]


def test_a_flat_charge_falls_with_the_principal_where_the_installment_is_lowered() -> None:
    """1,100 of 1,200 are left and half is repaid: 600 bear 1 % a month from that day on."""
    terms = loan(principal="1200.00", method="FLAT")
    events = [
        paid("a", "2024-02-01", "112.00"),
        paid("b", "2024-02-01", "550.00", 2, prepayment=PrepaymentEffect.LOWER_INSTALLMENT),
    ]
    found = state(terms, events, "2024-02-16")
    assert found.accrued_interest == money("3.10")  # 6.00 × 15/29
    assert found.payoff_amount == money("553.10")
    assert amounts(found, "interest")[1:3] == ["6.00", "6.00"]
    # The second row also has the 550.00 that were repaid within it.
    assert amounts(found, "total")[1:3] == ["606.00", "56.00"]
    assert found.running is not None
    assert found.running.interest_spans[0].base_cents == 60_000


@pytest.mark.parametrize(
    ("effect", "interest"),
    [
        (PrepaymentEffect.NEXT_INSTALLMENTS, "494.38"),
        (PrepaymentEffect.SHORTEN_TERM, "13.55"),
        (PrepaymentEffect.LOWER_INSTALLMENT, "123.55"),
    ],
)
def test_a_flat_charge_of_1440_falls_with_early_money_by_every_choice(
    effect: PrepaymentEffect, interest: str
) -> None:
    """11,000 of 12,000 on the second day: 3.87 for one day, and 1,003.87 closes it."""
    terms = loan(principal="12000.00", method="FLAT")
    found = state(terms, [paid("a", "2024-01-02", "11000.00", prepayment=effect)], "2024-01-02")
    assert (found.payoff_amount, found.accrued_interest) == (money("1003.87"), money("3.87"))
    assert found.totals.scheduled.interest == money(interest)


def _lowered(method: str, **changes: str) -> LoanState:
    terms = loan(method=method, installment_multiple="10.00", **changes)
    first = state(terms, [], "2024-02-01").due_now.total
    events = [
        paid("a", "2024-02-01", str(first)),
        paid("b", "2024-02-01", "3000.00", 2, prepayment=PrepaymentEffect.LOWER_INSTALLMENT),
    ]
    return state(terms, events, "2024-02-01")


@pytest.mark.parametrize(
    ("method", "rule", "total"),
    [
        ("EQUAL_INSTALLMENT", "HALF_EVEN", "600.00"),  # 598.98
        ("EQUAL_INSTALLMENT", "UP", "600.00"),
        ("FLAT", "HALF_EVEN", "630.00"),  # 930 × 6,170 / 9,170 = 625.74
        ("FLAT", "UP", "640.00"),  # 940 × 6,160 / 9,160 = 632.14
    ],
)
def test_a_lowered_installment_keeps_its_multiple(method: str, rule: str, total: str) -> None:
    found = _lowered(method, installment_rounding=rule)
    assert amounts(found, "total")[2:11] == [total] * 9
    assert amounts(found, "balance")[11] == "0.00"
    assert sum(row.principal.cents for row in found.installments) == 1_000_000


def test_an_upfront_fee_is_owed_from_the_payout_and_billed_with_what_comes_first() -> None:
    """30.00 agreed at signing: part of the payoff before the first due date, and of the books."""
    terms = loan(fees={"upfront_amount": "30.00", "installment_amount": "5.00"})
    before = state(terms, [], "2024-01-16")
    assert before.payoff_amount == money("10078.39")  # 48.39 = 100.00 × 15/31, no fee of a row.
    assert (before.outstanding.fees, before.due_now.total) == (money("30.00"), money("0"))
    assert before.balances[LedgerAccount.FEE_INCOME] == money("-30.00")
    assert [str(line.amount) for line in before.explain("outstanding.fees")] == ["30.00"]
    closed = state(terms, [paid("a", "2024-01-16", "10078.39")], "2024-01-16")
    assert (closed.status, closed.payoff_amount) == (LoanStatus.PAID_OFF, money("0"))
    assert amounts(closed, "fees") == ["30.00"]
    billed = state(terms, [], "2024-02-01")
    assert (billed.due_now.fees, billed.due_now.total) == (money("35.00"), money("923.49"))
    assert amounts(billed, "fees")[:2] == ["35.00", "5.00"]
    after = state(terms, [paid("a", "2024-02-01", "923.49")], "2024-02-02")
    assert after.outstanding.fees == money("0")


def test_an_upfront_fee_goes_into_a_plan_before_the_first_due_date() -> None:
    change = PlanChanged(
        event_id="p",
        effective_date=day("2024-01-16"),
        sequence=1,
        annual_rate=Decimal("0.12"),
        installment_count=2,
        first_due_date=day("2024-02-16"),
        period=Period(every=1, unit=PeriodUnit.MONTH),
        method=Method.EQUAL_PRINCIPAL,
    )
    found = state(loan(fees={"upfront_amount": "30.00"}), [change], "2024-01-16")
    assert amounts(found, "fees") == ["15.00", "15.00"]
    assert found.outstanding.fees == money("30.00")


def test_flows_that_sum_to_nothing_may_have_two_rates() -> None:
    """100 − 250 v + 150 v² is nothing at 0 % and at 50 %."""
    flows = [
        CashFlow(amount=money(amount), years=Fraction(year))
        for year, amount in enumerate(["100.00", "-250.00", "150.00"])
    ]
    with pytest.raises(AmbiguousAnnualizedCostError):
        annualized_cost(flows, method=CostMethod.EFFECTIVE)


def test_10_a_refund_splits_into_credit_and_receivable_when_money_is_taken_back() -> None:
    """1,200 on a debt of 1,000 and 200 refunded; then 100 of the 1,200 were never there."""
    terms = loan(principal="1000", annual_rate="0", installment_count=1)
    events: list[Event] = [
        paid("a", "2024-01-05", "100", 1),
        paid("b", "2024-01-06", "500", 2),
        paid("c", "2024-01-07", "600", 3),
        Refunded(event_id="r", effective_date=day("2024-01-08"), sequence=4, amount=money("200")),
        Reversed(event_id="u", effective_date=day("2024-01-09"), sequence=5, of="a"),
    ]

    def books(known: int, on: str) -> dict[LedgerAccount, str]:
        found = state(terms, events[:known], on)
        return {name: str(amount) for name, amount in found.balances.items() if amount}

    bank, credit = LedgerAccount.BANK, LedgerAccount.BORROWER_CREDIT
    assert books(3, "2024-01-07") == {bank: "200.00", credit: "-200.00"}
    assert books(4, "2024-01-08") == {}
    assert books(5, "2024-01-09") == {bank: "-100.00", LedgerAccount.LOANS_RECEIVABLE: "100.00"}
    found = state(terms, events, "2024-01-09")
    assert [(part.of, part.amount) for part in found.refunds] == [
        ("c", money("100")),
        (None, money("100")),
    ]


def test_12_a_dispute_stops_the_clock_and_leaves_the_days_before_it() -> None:
    """Five days late, fenced for ten, four more: nine days; 788.49 at 18 % for nine is 3.55."""
    events = dispute("2024-02-06", "2024-02-16")
    fenced = state(TERMS, events, "2024-02-15")
    assert (fenced.status, fenced.days_past_due) == (LoanStatus.OVERDUE, 5)
    assert fenced.penalty_accrued == money("1.97")
    after = state(TERMS, events, "2024-02-20")
    assert (after.days_past_due, after.penalty_accrued) == (9, money("3.55"))
    assert after.overdue_since == day("2024-02-11")


def test_12_tolerance_spares_penalty_and_not_the_days() -> None:
    """Four days of grace cost nothing and are days past due; the fifth costs one day."""
    terms = loan(penalty=PENALTY | {"grace_days": 4})
    found = state(terms, [], "2024-02-05")
    assert (found.days_past_due, found.penalty_accrued) == (4, money("0"))
    found = state(terms, [], "2024-02-06")
    assert (found.days_past_due, found.penalty_accrued) == (5, money("0.39"))
