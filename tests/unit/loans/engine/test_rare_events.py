"""Plans after a charge-off, decisions undone, disputes under a plan: nothing goes unnoticed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.modification import extend
from loans.engine.servicing import (
    ChargedOff,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    InvalidEventError,
    LoanState,
    PlanChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
    replay,
)
from loans.engine.terms import Method, Period
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, money, paid, payout, state
from zhixin.shared.calendar import PeriodUnit

TERMS = loan(penalty=PENALTY)
OFF = ChargedOff(event_id="off", effective_date=day("2024-06-01"), sequence=1)


def plan(on: str, first_due: str, *, count: int = 4, sequence: int = 2, **more: Any) -> PlanChanged:
    change = PlanChanged(
        event_id="plan",
        effective_date=day(on),
        sequence=sequence,
        annual_rate=Decimal("0.12"),
        installment_count=count,
        first_due_date=day(first_due),
        period=Period(every=1, unit=PeriodUnit.MONTH),
        method=Method.EQUAL_INSTALLMENT,
    )
    return replace(change, **more)


def undo(of: str, on: str, sequence: int = 9) -> Reversed:
    return Reversed(event_id=f"undo-{of}", effective_date=day(on), sequence=sequence, of=of)


def as_if_never_made(found: LoanState) -> LoanState:
    """Return the state without what only names reversed repayments."""
    kept = tuple(repayment for repayment in found.repayments if not repayment.reversed)
    return replace(found, repayments=kept)


def test_a_plan_after_a_charge_off_spreads_what_is_left_and_nothing_accrues() -> None:
    """On 1 June five are due: interest 100.00 + 92.12 + 84.15 + 76.11 + 67.98 = 420.36."""
    off = state(TERMS, [OFF], "2024-06-01")
    owed = off.outstanding
    assert (str(owed.principal), str(owed.interest), str(owed.penalty)) == (
        "10000.00",
        "420.36",
        "121.45",
    )
    change = plan("2024-06-10", "2024-07-10")
    found = state(TERMS, [OFF, change], "2024-06-10")
    assert (found.status, found.without_effect) == (LoanStatus.CHARGED_OFF, ())
    assert found.outstanding == owed
    rows = [row for row in found.installments if row.plan == 1]
    assert [str(row.principal) for row in rows] == ["2500.00"] * 4
    assert [str(row.interest) for row in rows] == ["105.09"] * 4
    assert [str(row.penalty) for row in rows] == ["0.00"] * 3 + ["121.45"]
    assert (found.annual_rate, found.penalty_rate, found.penalty_per_day) == (
        Decimal(0),
        Decimal(0),
        Decimal(0),
    )
    loss = found.balances[LedgerAccount.CHARGE_OFF_LOSS]
    assert loss == owed.total
    late = state(TERMS, [OFF, change], "2024-07-20")
    assert (late.days_past_due, late.penalty_accrued) == (10, found.penalty_accrued)
    kept = Recovered(
        event_id="rec", effective_date=day("2024-07-10"), sequence=3, amount=money("2605.09")
    )
    paying = state(TERMS, [OFF, change, kept], "2024-07-20")
    assert (paying.days_past_due, paying.due_now.total) == (0, money("0"))
    assert paying.balances[LedgerAccount.RECOVERY_INCOME] == money("-2605.09")
    assert paying.balances[LedgerAccount.CHARGE_OFF_LOSS] == loss


def test_a_charge_off_told_late_still_folds_under_the_plan_that_came_after_it() -> None:
    """The plan was recorded first; the charge-off of an earlier day takes its interest away."""
    change = plan("2024-06-10", "2024-07-10", sequence=1)
    before = state(TERMS, [change], "2024-06-10")
    assert before.annual_rate == Decimal("0.12")
    late_word = replace(OFF, sequence=2)
    after = state(TERMS, [change, late_word], "2024-06-10")
    assert (after.status, after.annual_rate) == (LoanStatus.CHARGED_OFF, Decimal(0))
    assert after.without_effect == ()
    assert as_if_never_made(
        state(TERMS, [change, late_word, undo("off", "2024-06-20")], "2024-06-20")
    ) == (state(TERMS, [change], "2024-06-20"))


@pytest.mark.parametrize(
    "event",
    [
        plan("2024-03-10", "2024-04-01"),
        Waived(
            event_id="waiver",
            effective_date=day("2024-03-10"),
            sequence=2,
            interest=money("50"),
            penalty=money("5"),
        ),
        ChargedOff(event_id="off", effective_date=day("2024-03-10"), sequence=2),
        Disputed(event_id="dispute", effective_date=day("2024-03-10"), sequence=2, number=1),
        DueDateMoved(
            event_id="move",
            effective_date=day("2024-02-10"),
            sequence=2,
            number=2,
            payable_through=day("2024-03-20"),
        ),
    ],
    ids=lambda event: event.kind,
)
def test_a_decision_undone_is_as_if_never_made(event: Event) -> None:
    """Before it, after it and on its day there is money, and the fold of the rest is the same."""
    around: list[Event] = [
        paid("p1", "2024-02-05", "400.00", 1),
        paid("p2", "2024-03-10", "300.00", 3),
        paid("p3", "2024-04-20", "1200.00", 4),
    ]
    assert state(TERMS, [*around, event], "2024-05-05") != state(TERMS, around, "2024-05-05")
    undone = [*around, event, undo(event.event_id, "2024-05-01")]
    assert state(TERMS, undone, "2024-05-05") == state(TERMS, around, "2024-05-05")


def test_every_order_of_recording_folds_to_the_same() -> None:
    """Six events of six days, in all 720 orders of arrival."""
    events: list[Event] = [
        paid("p1", "2024-02-05", "500.00"),
        Disputed(event_id="d", effective_date=day("2024-02-20"), sequence=1, number=1),
        plan("2024-03-15", "2024-04-15"),
        paid("p2", "2024-04-15", "2600.00"),
        ChargedOff(event_id="off", effective_date=day("2024-08-01"), sequence=1),
        undo("p1", "2024-08-02"),
    ]
    expected = state(TERMS, events, "2024-09-01")
    for order in permutations(events):
        numbered = [replace(event, sequence=n) for n, event in enumerate(order, 1)]
        assert state(TERMS, numbered, "2024-09-01") == expected


def test_a_refund_after_a_reversal_is_credit_first_and_then_principal_again() -> None:
    """1,000 without interest: 1,300 came in, 300 went back; then 1,000 of it bounced."""
    terms = loan(principal="1000", annual_rate="0", installment_count=1)
    events: list[Event] = [
        paid("a", "2024-01-05", "1000", 1),
        paid("b", "2024-01-06", "300", 2),
        Refunded(event_id="r", effective_date=day("2024-01-08"), sequence=3, amount=money("300")),
    ]
    assert state(terms, events, "2024-01-08").status is LoanStatus.PAID_OFF
    bounced = state(terms, [*events, undo("a", "2024-01-09")], "2024-01-09")
    assert (bounced.status, bounced.payoff_amount) == (LoanStatus.ACTIVE, money("1000"))
    assert (bounced.prepaid, bounced.overpaid) == (money("0"), money("0"))
    assert bounced.totals.refunded == money("300")
    again = Refunded(
        event_id="r2", effective_date=day("2024-01-10"), sequence=5, amount=money("50")
    )
    more = state(terms, [*events, undo("a", "2024-01-09"), again], "2024-01-10")
    assert more.payoff_amount == money("1050")


def test_a_plan_ends_the_dispute_of_the_rows_that_it_retires() -> None:
    """Late since 1 February, in dispute from the 6th; the plan of 15 March takes it all over."""
    fence = Disputed(event_id="d", effective_date=day("2024-02-06"), sequence=1, number=1)
    change = plan("2024-03-15", "2024-04-15", count=12)
    found = state(TERMS, [fence, change], "2024-03-15")
    assert not any(row.disputed for row in found.installments)
    assert [row.days_late for row in found.installments[:2]] == [5, 14]
    answer = DisputeResolved(event_id="e", effective_date=day("2024-03-20"), sequence=3, of="d")
    assert state(TERMS, [fence, change, answer], "2024-05-01") == replace(
        state(TERMS, [fence, change], "2024-05-01"), without_effect=("e",)
    )
    late = Disputed(event_id="x", effective_date=day("2024-03-20"), sequence=4, number=1)
    assert state(TERMS, [change, late], "2024-05-01").without_effect == ("x",)


def test_an_event_that_finds_nothing_to_do_is_named() -> None:
    everything: Event = paid("all", "2024-02-01", "10100.00", 1)
    on = day("2024-02-10")
    name: dict[str, Any] = {"effective_date": on, "sequence": 5}
    idle: list[Event] = [
        plan("2024-02-10", "2024-03-10"),
        Waived(event_id="waiver", penalty=money("1"), **name),
        ChargedOff(event_id="off", **name),
        Disputed(event_id="dispute", number=1, **name),
        DueDateMoved(event_id="move", number=1, payable_through=dt.date(2024, 3, 1), **name),
    ]
    closed = state(TERMS, [everything], "2024-02-10")
    assert (closed.status, closed.without_effect) == (LoanStatus.PAID_OFF, ())
    for event in idle:
        found = state(TERMS, [everything, event], "2024-02-10")
        assert found.without_effect == (event.event_id,)
        assert replace(found, without_effect=()) == closed
    twice = replace(OFF, event_id="again", sequence=2)
    assert state(TERMS, [OFF, twice], "2024-06-01").without_effect == ("again",)


def test_a_plan_undone_takes_its_installments_along() -> None:
    """What was decided about an installment of the plan has nothing left to change."""
    change = plan("2024-03-15", "2024-04-15", count=24)
    move = DueDateMoved(
        event_id="move",
        effective_date=day("2024-03-20"),
        sequence=3,
        number=20,
        payable_through=day("2025-12-31"),
    )
    with_plan = state(TERMS, [change, move], "2024-04-01")
    assert next(row for row in with_plan.installments if row.number == 20).payable_through == day(
        "2025-12-31"
    )
    undone = state(TERMS, [change, move, undo("plan", "2024-04-01")], "2024-04-01")
    assert undone.without_effect == ("move",)
    with pytest.raises(InvalidEventError, match="there is no installment 20"):
        state(TERMS, [move], "2024-04-01")


def test_an_extension_after_a_reversed_plan_is_the_first_plan() -> None:
    change = plan("2024-03-15", "2024-04-15")
    events: list[Event] = [payout(TERMS), change, undo("plan", "2024-03-16")]
    second = extend(
        TERMS, events, day("2024-03-16"), installment_count=18, annual_rate=Decimal("0.1")
    )
    found = replay(TERMS, [*events, second], day("2024-03-16"))
    assert (found.plan_number, found.annual_rate) == (1, Decimal("0.1"))
    assert sum(row.principal.cents for row in found.installments if row.plan == 1) == 1_000_000


def test_money_that_came_before_a_charge_off_told_late_is_a_recovery_only_after_it() -> None:
    repaid: list[Repaid] = [
        paid("before", "2024-05-20", "500.00", 1),
        paid("after", "2024-06-20", "500.00", 2),
    ]
    found = state(TERMS, [*repaid, replace(OFF, sequence=3)], "2024-07-01")
    assert found.balances[LedgerAccount.RECOVERY_INCOME] == money("-500.00")
