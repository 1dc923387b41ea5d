"""The twenty hard points of lending, each with exact figures, in tests that bear its number.

13 to 17 are not the engine's: one key and one posting, concurrent money on one loan, the night
beside live payments, missed days, what day it is. They stand in test_hard_points_of_money.py of
tests/integration/loans/servicing; tests/architecture/test_source_rules.py keeps the clock out of
everything below the interface.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from loans.engine.day_count import period_factor
from loans.engine.events import InvalidEventError
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.modification import defer, extend, freeze_interest, preview
from loans.engine.payoff import interest_saved
from loans.engine.schedule import build_schedule
from loans.engine.servicing import (
    ChargedOff,
    Classification,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    PrepaymentEffect,
    Recovered,
    Refunded,
    Reversed,
    Waived,
    age_bucket,
    classify,
    replay,
)
from loans.engine.terms import DayCount
from tests.unit.loans.engine.loan_building import (
    PENALTY,
    amounts,
    day,
    loan,
    money,
    paid,
    payout,
    state,
)
from zhixin.shared.calendar import add_months
from zhixin.shared.money import Money, Rounding


def totals(**terms: object) -> list[str]:
    return [str(row.total) for row in build_schedule(loan(**terms)).rows]


def test_1_the_last_installment_takes_the_residue() -> None:
    short = {"principal": "100", "annual_rate": "0.094822", "installment_count": 6}
    assert totals(**short) == ["17.13"] * 6
    schedule = build_schedule(loan())
    assert totals() == ["888.49"] * 11 + ["888.47"]
    assert schedule.totals.interest == money("661.86")
    assert totals(principal="0.01") == ["0.00"] * 11 + ["0.01"]


def test_2_rounding_never_changes_the_term() -> None:
    ceiling = {"installment_multiple": "1.00", "installment_rounding": "UP"}
    assert totals(principal="130", annual_rate="0.20")[0] == "12.04"
    assert totals(principal="130", annual_rate="0.20", **ceiling) == ["13.00"] * 11 + ["0.42"]
    free = {"principal": "100", "annual_rate": "0", "installment_count": 3}
    assert totals(**free) == ["33.33", "33.33", "33.34"]
    assert totals(**free, **ceiling) == ["34.00", "34.00", "32.00"]


@pytest.mark.parametrize(
    ("day_count", "interest"),
    [("ACTUAL_365", "299.18"), ("ACTUAL_ACTUAL", "298.64"), ("ACTUAL_360", "303.33")],
)
def test_3_leap_years_follow_the_day_count(day_count: str, interest: str) -> None:
    rows = build_schedule(
        loan(
            disbursement_date="2023-12-01",
            period={"every": 3, "unit": "MONTH"},
            installment_count=1,
            day_count=day_count,
        )
    ).rows
    assert (rows[0].days, str(rows[0].interest)) == (91, interest)


def test_3_a_year_split_gives_each_year_its_own_length() -> None:
    factor = period_factor(
        day_count=DayCount.ACTUAL_ACTUAL, start=day("2023-12-01"), end=day("2024-03-01")
    )
    assert factor == Fraction(31, 365) + Fraction(60, 366)


def test_3_a_leap_day_counts_in_a_period_that_begins_the_year_before() -> None:
    """10,000 × 12 % × (17/365 + 74/366) = 298.5134."""
    rows = build_schedule(
        loan(
            disbursement_date="2023-12-15",
            period={"every": 3, "unit": "MONTH"},
            installment_count=1,
            day_count="ACTUAL_ACTUAL",
        )
    ).rows
    assert (rows[0].days, str(rows[0].interest)) == (91, "298.51")


def test_4_a_stub_of_five_days_costs_five_days() -> None:
    rows = build_schedule(loan(first_due_date="2024-01-06")).rows
    assert (rows[0].days, rows[0].interest) == (5, money("16.67"))
    assert rows[1].due_date == day("2024-02-06")


def test_5_month_ends_are_anchored() -> None:
    rows = build_schedule(loan(disbursement_date="2023-01-31", installment_count=3)).rows
    assert [str(row.due_date) for row in rows] == ["2023-02-28", "2023-03-31", "2023-04-30"]
    assert add_months(day("2024-01-31"), 1) == day("2024-02-29")


def test_6_accrual_is_kept_unrounded() -> None:
    terms = {"method": "INTEREST_ONLY", "day_count": "ACTUAL_365", "installment_count": 2}
    thirty = state(loan(principal="1000", **terms), [], "2024-01-31")
    assert thirty.accrued_interest == money("9.86")
    assert thirty.accrued_interest_unrounded.quantize(Decimal("1e-6")) == Decimal("9.863014")
    other = state(loan(principal="137.50", annual_rate="0.10", **terms), [], "2024-02-01")
    assert other.installments[0].interest == money("1.17")


def test_7_a_backdated_repayment_takes_its_place() -> None:
    terms = loan(penalty=PENALTY)
    later = paid("later", "2024-03-20", "888.49", 1)
    earlier = paid("earlier", "2024-03-16", "888.49", 2)
    found = state(terms, [later, earlier], "2024-03-20")
    assert found.repayments[0].event_id == "earlier"
    assert [(p.number, str(p.amount.total)) for p in found.repayments[0].parts] == [
        (1, "888.49"),
    ]
    assert [(p.number, str(p.amount.total)) for p in found.repayments[1].parts] == [
        (1, "17.38"),
        (2, "871.11"),
    ]
    assert found == state(terms, [earlier, later], "2024-03-20")


def test_8_on_one_day_it_falls_due_accrues_and_is_penalized_before_it_is_paid() -> None:
    """788.49 overdue for ten days at 18 % is 3.94, and 892.43 settles it on the tenth."""
    terms = loan(penalty=PENALTY)
    on_time = state(terms, [paid("a", "2024-02-01", "888.49")], "2024-02-01")
    assert on_time.installments[0].interest == money("100.00")
    assert (on_time.due_now.total, on_time.installments[0].days_late) == (money("0"), 0)
    assert on_time.prepaid == money("0")
    settled = state(terms, [paid("a", "2024-02-11", "892.43")], "2024-02-20")
    assert (settled.due_now.total, str(settled.penalty_accrued)) == (money("0"), "3.94")
    assert (settled.days_past_due, settled.installments[0].days_late) == (0, 10)


def test_8_and_18_penalty_runs_from_the_day_after_the_due_date() -> None:
    """1,000 overdue, 18 % × 1.5 for 10 days: 7.50 (/360), 7.40 (/365)."""
    bare = {"principal": "1000", "annual_rate": "0.18", "installment_count": 1}
    rule = {"uplift": "0.5", "grace_days": 0, "annual_cap": None}
    for day_count, ten, ninety in (
        ("THIRTY_360", "7.50", "67.50"),
        ("ACTUAL_365", "7.40", "66.58"),
    ):
        terms = loan(**bare, day_count=day_count, penalty=rule)
        assert state(terms, [], "2024-02-01").penalty_accrued == money("0.00")
        assert state(terms, [], "2024-02-11").penalty_accrued == money(ten)
        assert state(terms, [], "2024-05-01").penalty_accrued == money(ninety)
    graceful = loan(**bare, penalty=rule | {"grace_days": 4})
    assert state(graceful, [], "2024-02-05").penalty_accrued == money("0.00")
    assert state(graceful, [], "2024-02-11").penalty_accrued == money("4.50")


@pytest.mark.parametrize(
    ("day_count", "cap", "penalty"),
    [
        ("ACTUAL_360", None, "22.50"),
        ("ACTUAL_365", None, "22.19"),
        ("ACTUAL_360", "0.24", "20.00"),
        ("ACTUAL_365", "0.24", "19.73"),
    ],
)
def test_18_penalty_vectors_of_conduct(day_count: str, cap: str | None, penalty: str) -> None:
    terms = loan(
        principal="1000",
        annual_rate="0.18",
        installment_count=1,
        day_count=day_count,
        penalty={"uplift": "0.5", "grace_days": 0, "annual_cap": cap},
    )
    found = state(terms, [], "2024-03-02")
    assert (found.days_past_due, str(found.penalty_accrued)) == (30, penalty)


def test_9_replay_posts_the_net_difference() -> None:
    terms = loan(penalty=PENALTY)
    first = paid("a", "2024-02-01", "888.49")
    undone = Reversed(event_id="b", effective_date=day("2024-02-20"), sequence=2, of="a")
    before = state(terms, [first], "2024-02-20").balances
    after = state(terms, [first, undone], "2024-02-20").balances
    moved = {k.value: str(after[k] - before[k]) for k in after if after[k] != before[k]}
    assert moved == {
        "BANK": "-888.49",
        "LOANS_RECEIVABLE": "788.49",
        "INTEREST_RECEIVABLE": "100.00",
        "PENALTY_RECEIVABLE": "7.49",
        "PENALTY_INCOME": "-7.49",
    }


def test_10_overpay_refund_then_undo() -> None:
    terms = loan(principal="1000", annual_rate="0", installment_count=1)
    money_in = [
        paid("a", "2024-01-05", "100", 1),
        paid("b", "2024-01-06", "500", 2),
        paid("c", "2024-01-07", "600", 3),
    ]
    found = state(terms, money_in, "2024-01-07")
    assert (found.status, found.overpaid) == (LoanStatus.OVERPAID, money("200"))
    refund = Refunded(
        event_id="r", effective_date=day("2024-01-08"), sequence=4, amount=money("200")
    )
    found = state(terms, [*money_in, refund], "2024-01-08")
    assert (found.status, found.overpaid) == (LoanStatus.PAID_OFF, money("0"))
    assert found.closed_on == day("2024-01-07")
    undone = Reversed(event_id="u", effective_date=day("2024-01-09"), sequence=5, of="a")
    found = state(terms, [*money_in, refund, undone], "2024-01-09")
    assert (found.status, found.payoff_amount) == (LoanStatus.ACTIVE, money("100"))
    assert found.closed_on is None
    assert found.days_past_due == 0


def test_11_a_charge_off_stops_accrual_and_follows_earlier_money() -> None:
    terms = loan(penalty=PENALTY)
    off = ChargedOff(event_id="off", effective_date=day("2025-02-01"), sequence=1)
    found = state(terms, [off], "2025-02-01")
    assert found.status is LoanStatus.CHARGED_OFF
    loss = found.balances[LedgerAccount.CHARGE_OFF_LOSS]
    assert loss == found.payoff_amount
    assert state(terms, [off], "2025-06-01").payoff_amount == found.payoff_amount
    recovered = Recovered(
        event_id="rec", effective_date=day("2025-03-01"), sequence=2, amount=money("500")
    )
    later = state(terms, [off, recovered], "2025-03-01")
    assert later.payoff_amount == found.payoff_amount - money("500")
    assert later.balances[LedgerAccount.RECOVERY_INCOME] == money("-500")
    assert later.balances[LedgerAccount.CHARGE_OFF_LOSS] == loss
    backdated = paid("late", "2024-02-01", "888.49", 3)
    mended = state(terms, [off, backdated], "2025-02-01")
    assert mended.balances[LedgerAccount.CHARGE_OFF_LOSS] < loss - money("888.49")


def test_11_a_charge_off_undone_lets_all_accrue_as_if_it_had_not_been() -> None:
    """Five overdue principals, 140, 111, 80, 50 and 19 days at 18 %, each rounded: 159.66."""
    terms = loan(penalty=PENALTY)
    off = ChargedOff(event_id="off", effective_date=day("2024-06-01"), sequence=1)
    stopped = state(terms, [off], "2024-06-20")
    assert str(stopped.penalty_accrued) == "121.45"
    undone = Reversed(event_id="undo", effective_date=day("2024-06-20"), sequence=2, of="off")
    again = state(terms, [off, undone], "2024-06-20")
    assert str(again.penalty_accrued) == "159.66"
    assert again == state(terms, [], "2024-06-20")
    bounced = paid("late", "2024-02-01", "888.49", 3)
    back = Reversed(event_id="back", effective_date=day("2024-06-25"), sequence=4, of="late")
    loss = state(terms, [off, bounced], "2024-06-25").balances[LedgerAccount.CHARGE_OFF_LOSS]
    whole = state(terms, [off, bounced, back], "2024-06-25").balances
    # 888.49 and the 47.70 of penalty that it had spared.
    assert whole[LedgerAccount.CHARGE_OFF_LOSS] - loss == money("936.19")


def test_12_the_delinquency_clock() -> None:
    terms = loan(penalty=PENALTY)
    assert state(terms, [], "2024-02-01").status is LoanStatus.ACTIVE
    overdue = state(terms, [], "2024-02-02")
    assert (overdue.status, overdue.days_past_due) == (LoanStatus.OVERDUE, 1)
    assert overdue.overdue_since == day("2024-02-01")
    partly = state(terms, [paid("a", "2024-02-10", "500")], "2024-02-20")
    assert partly.days_past_due == 19
    cured = state(terms, [paid("a", "2024-02-10", "892.04")], "2024-02-20")
    assert (cured.days_past_due, cured.most_days_past_due) == (0, 9)
    assert cured.installments[0].days_late == 9
    assert [age_bucket(n) for n in (0, 1, 30, 31, 150, 151)] == [
        "M0",
        "M1",
        "M1",
        "M2",
        "M5",
        "M6+",
    ]
    found = [classify(n, under_observation=False) for n in (0, 1, 90, 91, 270, 271, 360, 361)]
    normal, special, substandard, doubtful, loss = Classification
    assert found == [
        normal, special, special, substandard, substandard, doubtful, doubtful, loss,
    ]  # fmt: skip


def test_12_re_aging_clears_the_days_and_keeps_the_history() -> None:
    terms = loan(principal="750", annual_rate="0", installment_count=3, penalty=PENALTY)
    change = extend(
        terms, [payout(terms)], day("2024-05-20"), installment_count=6, annual_rate=Decimal(0)
    )
    found = replay(terms, [payout(terms), change], day("2024-05-20"))
    assert [str(row.total) for row in found.installments[3:]] == ["125.00"] * 6
    assert found.installments[3].due_date == day("2024-06-01")
    assert (found.days_past_due, found.most_days_past_due) == (0, 109)
    assert [row.days_late for row in found.installments[:3]] == [109, 80, 49]
    assert found.classification is Classification.SPECIAL_MENTION


def test_19_payoff_equals_close() -> None:
    terms = loan(principal="100", annual_rate="0.07", installment_count=6)
    first = paid("a", "2024-02-01", "17.01")
    quoted = state(terms, [first], "2024-02-15")
    assert str(quoted.accrued_interest) == "0.24"
    assert str(quoted.payoff_amount) == "83.81"
    # To come: 0.49 + 0.39 + 0.29 + 0.20 + 0.10 = 1.47, less the 0.24 of the days used.
    assert str(interest_saved(quoted)) == "1.23"
    closed = state(terms, [first, paid("b", "2024-02-15", "83.81", 2)], "2024-02-15")
    assert closed.status is LoanStatus.PAID_OFF
    assert closed.outstanding.total == interest_saved(closed) == Money(0)
    assert amounts(closed, "interest") == ["0.58", "0.24"]


def test_19_a_payoff_after_a_plan_leaves_nothing() -> None:
    """5,149.20 and 15 of the 31 days of a month at 1 %: 24.92."""
    terms = loan()
    events: list[Event] = [payout(terms)]
    events += [paid(f"p{n}", f"2024-{n:02d}-01", "888.49", n) for n in range(2, 8)]
    change = extend(
        terms, events, day("2024-07-01"), installment_count=12, annual_rate=Decimal("0.12")
    )
    quoted = replay(terms, [*events, change], day("2024-07-16"))
    assert str(quoted.payoff_amount) == "5174.12"
    last = paid("all", "2024-07-16", "5174.12", 99)
    closed = replay(terms, [*events, change, last], day("2024-07-16"))
    assert (closed.status, closed.outstanding.total) == (LoanStatus.PAID_OFF, Money(0))
    assert not any(row.outstanding.total for row in closed.installments)


def test_18_penalty_after_the_last_due_date_adds_no_installment() -> None:
    terms = loan(principal="1000", installment_count=1, penalty=PENALTY)
    for on in ("2024-02-02", "2024-12-31", "2026-01-01"):
        assert len(state(terms, [], on).installments) == 1


def test_20_interest_that_rests_for_months_comes_back_afterwards() -> None:
    """5,149.20 in six, three of them free: level 5,149.20 × 1.01³ / 6.121003 = 866.72."""
    terms = loan()
    events: list[Event] = [payout(terms)]
    events += [paid(f"p{n}", f"2024-{n:02d}-01", "888.49", n) for n in range(2, 8)]
    change = freeze_interest(terms, events, day("2024-07-01"), months=3)
    found = replay(terms, [*events, change], day("2024-07-01"))
    rows = [row for row in found.installments if row.plan == 1]
    assert [str(row.interest) for row in rows] == ["0.00"] * 3 + ["25.49", "17.08", "8.58"]
    assert [str(row.total) for row in rows] == ["866.72"] * 5 + ["866.75"]


def test_20_what_is_owed_before_is_what_is_owed_after_and_what_was_waived() -> None:
    """One installment late for 14 days: 796.37 at 18 % is 5.57 of penalty, given up."""
    terms = loan(penalty=PENALTY)
    first = paid("p2", "2024-02-01", "888.49", 2)
    before = state(terms, [first], "2024-03-15").outstanding
    change = defer(terms, [payout(terms), first], day("2024-03-15"), waived_penalty=before.penalty)
    after = state(terms, [first, change], "2024-03-15")
    assert (str(before.penalty), after.outstanding.penalty) == ("5.57", money("0"))
    assert after.totals.waived.total == before.penalty
    assert after.outstanding.principal == before.principal == money("9211.51")
    assert after.outstanding.interest == before.interest
    assert before.total == after.outstanding.total + after.totals.waived.total


def test_amounts_of_any_size_are_exact_to_the_cent() -> None:
    """Twelve digits do not fit a float's or a small context's figures."""
    assert totals(principal="12345678901.23")[0] == "1096898615.79"
    assert Money.rounded(Decimal("2.675"), rounding=Rounding.HALF_UP) == money("2.68")


def test_20_stretching_from_six_to_twelve_installments() -> None:
    """10,000 at 12 % after six payments (balance 5,149.20): 457.50 a month, 159.06 more."""
    terms = loan()
    events: list[Event] = [payout(terms)]
    events += [paid(f"p{n}", f"2024-{n:02d}-01", "888.49", n) for n in range(2, 8)]
    on = day("2024-07-01")
    assert replay(terms, events, on).payoff_amount == money("5149.20")
    change = extend(terms, events, on, installment_count=12, annual_rate=Decimal("0.12"))
    shown = preview(terms, events, change, on)
    assert (shown.old_installment, shown.new_installment) == (money("888.49"), money("457.50"))
    assert (shown.old_total, shown.difference) == (money("5330.92"), money("159.06"))
    assert (shown.old_end, shown.new_end) == (day("2025-01-01"), day("2025-07-01"))
    assert (shown.old_months, shown.new_months) == (6, 12)


def test_20_a_holiday_costs_less_than_one_with_interest_on_interest() -> None:
    """With the extra month's interest made principal it would be 897.37 and 53.30 more."""
    capitalized = build_schedule(loan(principal="5200.69", installment_count=6)).totals.total
    assert capitalized - money("5330.92") == money("53.30")
    terms = loan()
    events: list[Event] = [payout(terms)]
    events += [paid(f"p{n}", f"2024-{n:02d}-01", "888.49", n) for n in range(2, 8)]
    on = day("2024-07-01")
    change = defer(terms, events, on, months=1)
    shown = preview(terms, events, change, on)
    assert change.first_due_date == day("2024-09-01")
    assert (shown.new_installment, shown.difference) == (money("897.29"), money("52.77"))
    assert shown.new_end == day("2025-02-01")


@pytest.mark.parametrize(
    ("on", "first_due"),
    [
        ("2024-02-20", "2024-04-01"),  # not late: 1 March becomes 1 April
        ("2024-03-01", "2024-04-01"),  # due today and not late yet
        ("2024-03-02", "2024-05-01"),  # late: 1 April becomes 1 May, and 1 March waits with it
        ("2024-05-20", "2024-07-01"),  # three missed
        ("2025-02-01", "2025-04-01"),  # after the last due date, the grid goes on
    ],
)
def test_20_a_deferral_begins_a_month_after_the_next_due_date(on: str, first_due: str) -> None:
    terms = loan(penalty=PENALTY)
    events = [payout(terms), paid("p2", "2024-02-01", "888.49", 2)]
    change = defer(terms, events, day(on), months=1)
    assert change.first_due_date == day(first_due)
    assert change.installment_count == 11
    owed = state(terms, events[1:], on).outstanding
    after = state(terms, [events[1], change], on)
    assert after.outstanding == owed
    assert (after.next_due and after.next_due.date) == day(first_due)


def test_20_a_plan_keeps_penalty_apart_and_lets_it_not_grow() -> None:
    terms = loan(penalty=PENALTY)
    on = day("2024-03-15")
    before = state(terms, [], "2024-03-15")
    change = defer(terms, [payout(terms)], on)
    after = state(terms, [change], "2024-03-15")
    assert before.outstanding == after.outstanding
    assert before.outstanding.penalty == money("22.52")
    assert after.installments[-1].kept_penalty == money("22.52")
    assert state(terms, [change], "2024-04-01").penalty_accrued == before.penalty_accrued
    assert after.penalty_per_day == 0


def test_a_plan_never_raises_the_rate() -> None:
    terms = loan()
    change = extend(
        terms, [payout(terms)], day("2024-02-10"), installment_count=9, annual_rate=Decimal("0.12")
    )
    with pytest.raises(InvalidEventError, match="above the contract's"):
        state(terms, [replace(change, annual_rate=Decimal("0.13"))], "2024-02-10")


def test_prepayment_by_choice() -> None:
    """3,000 ahead on 16 February: the next installments, a shorter term, or smaller ones."""
    terms = loan()
    first = paid("a", "2024-02-01", "888.49")

    def after(effect: PrepaymentEffect) -> list[str]:
        ahead = paid("b", "2024-02-16", "3000", 2, prepayment=effect)
        found = state(terms, [first, ahead], "2024-02-16")
        assert found.payoff_amount == money("6259.16")
        return [str(row.outstanding.total) for row in found.installments]

    assert after(PrepaymentEffect.NEXT_INSTALLMENTS) == (
        ["0.00"] * 4 + ["553.96"] + ["888.49"] * 6 + ["832.55"]
    )
    assert after(PrepaymentEffect.SHORTEN_TERM) == ["0.00"] + ["888.49"] * 7 + ["269.56"]
    lowered = after(PrepaymentEffect.LOWER_INSTALLMENT)
    assert lowered == ["0.00"] + ["600.61"] * 10 + ["600.59"]


def test_an_early_installment_is_paid_and_saves_the_days_left() -> None:
    terms = loan()
    found = state(terms, [paid("a", "2024-01-29", "888.49")], "2024-02-01")
    assert (found.due_now.total, found.days_past_due) == (money("0"), 0)
    assert found.installments[0].paid_on == day("2024-01-29")
    assert found.installments[0].interest == money("99.14")
    assert found.next_due is not None
    assert found.next_due.date == day("2024-03-01")


def test_a_dispute_fences_off_penalty_and_days() -> None:
    terms = loan(penalty=PENALTY)
    fence = Disputed(event_id="d", effective_date=day("2024-02-06"), sequence=1, number=1)
    during = state(terms, [fence], "2024-02-26")
    assert (during.days_past_due, str(during.penalty_accrued)) == (5, "1.97")
    answered = DisputeResolved(event_id="e", effective_date=day("2024-02-26"), sequence=2, of="d")
    after = state(terms, [fence, answered], "2024-02-27")
    assert (after.days_past_due, str(after.penalty_accrued)) == (6, "2.37")


def test_a_moved_due_date_costs_neither_interest_nor_days() -> None:
    terms = loan(penalty=PENALTY)
    move = DueDateMoved(
        event_id="m",
        effective_date=day("2024-01-20"),
        sequence=1,
        number=1,
        payable_through=day("2024-02-05"),
    )
    assert state(terms, [move], "2024-02-05").days_past_due == 0
    late = state(terms, [move], "2024-02-06")
    assert (late.days_past_due, late.installments[0].interest) == (1, money("100"))


def test_a_waiver_forgives_what_is_billed_and_no_more() -> None:
    terms = loan(penalty=PENALTY)
    waived = Waived(
        event_id="w", effective_date=day("2024-02-11"), sequence=1, penalty=money("100")
    )
    found = state(terms, [waived], "2024-02-11")
    assert found.outstanding.penalty == money("0")
    assert found.balances[LedgerAccount.WAIVERS] == money("3.94")


def test_events_that_do_not_fit_are_refused() -> None:
    terms = loan()
    with pytest.raises(InvalidEventError, match="before the payout"):
        state(terms, [paid("a", "2023-12-31", "1")], "2024-01-01")
    with pytest.raises(InvalidEventError, match="paid out already"):
        state(terms, [replace(payout(terms), event_id="again")], "2024-01-02")
    with pytest.raises(InvalidEventError, match="occurs twice"):
        state(terms, [paid("a", "2024-01-02", "1"), paid("a", "2024-01-03", "1")], "2024-01-02")
    short = replace(payout(terms), amount=money("9000"))
    with pytest.raises(InvalidEventError, match="nothing is held back"):
        replay(terms, [short], day("2024-01-02"))
    undone = Reversed(event_id="u", effective_date=day("2024-01-02"), sequence=1, of="none")
    with pytest.raises(InvalidEventError, match="not an event that can be reversed"):
        state(terms, [undone], "2024-01-02")


def test_before_the_payout_nothing_is_owed() -> None:
    terms = loan()
    found = replay(terms, [payout(terms)], day("2023-12-31"))
    assert (found.status, found.payoff_amount) == (LoanStatus.PENDING, money("0"))
    assert amounts(found, "total") == ["888.49"] * 11 + ["888.47"]
    assert not any(found.balances.values())


def test_lowering_the_installment_during_grace_leaves_the_last_row_to_repay() -> None:
    """Found by the laws: grace covered the one row that was left, and nothing could be spread."""
    terms = loan(principal="0.01", annual_rate="0", installment_count=2, grace_principal_periods=1)
    ahead = [paid(f"e{number}", "2024-01-01", "0.01", number) for number in range(2, 9)]
    refund = Refunded(
        event_id="r", effective_date=day("2024-01-01"), sequence=9, amount=money("0.08")
    )
    lower = paid("e1", "2024-01-02", "0.01", 1, prepayment=PrepaymentEffect.LOWER_INSTALLMENT)
    found = state(terms, [lower, *ahead, refund], "2024-03-01")
    assert found.outstanding.total == found.payoff_amount
    assert found.totals.disbursed == money("0.01")
