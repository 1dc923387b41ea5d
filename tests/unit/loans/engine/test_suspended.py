"""An installment in dispute since before it was late has to be paid by nobody before the answer."""

from __future__ import annotations

import pytest

from loans.engine.lifecycle import LoanStatus
from loans.engine.prepayment import has_choice
from loans.engine.servicing import (
    ChargedOff,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    LoanState,
    PrepaymentEffect,
    Recovered,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, money, paid, state

NEXT, SHORTEN, LOWER = PrepaymentEffect


def terms() -> LoanTerms:
    """Return 888.49 a month from 1 February 2024 on, with penalty."""
    return loan(penalty=PENALTY)


def disputed(on: str = "2024-01-20", number: int = 1, name: str = "d") -> Disputed:
    return Disputed(event_id=name, effective_date=day(on), sequence=1, number=number)


def answered(on: str, of: str = "d") -> DisputeResolved:
    return DisputeResolved(event_id=f"answer-{of}", effective_date=day(on), sequence=90, of=of)


def pays(on: str, amount: str, effect: PrepaymentEffect | None = None) -> Repaid:
    return paid("a", on, amount, 50, prepayment=effect)


def after(on: str, *events: Event) -> LoanState:
    return state(terms(), [disputed(), *events], on)


def asked(found: LoanState) -> tuple[str, int | None, str]:
    """Return what is to be paid now, and number and amount of what is due next."""
    following = found.next_due
    if following is None:
        return str(found.payable_now), None, "0.00"
    return str(found.payable_now), following.number, str(following.amount)


def left(found: LoanState, *numbers: int) -> list[str]:
    rows = {row.number: row for row in found.installments}
    return [str(rows[number].outstanding.total) for number in numbers]


def test_nobody_is_asked_for_it_and_everything_else_is_as_it_was() -> None:
    for on in ("2024-01-25", "2024-02-01", "2024-02-27"):
        assert asked(after(on)) == ("0.00", 2, "888.49")
    found = after("2024-03-01")
    assert asked(found) == ("888.49", 2, "888.49")
    assert [line.number for line in found.explain("next_due")] == [2, 2]
    assert [row.suspended for row in found.installments[:2]] == [True, False]
    # Owed, in the payoff and in the books it is still: 888.49 + 9,211.51 + 92.12 of February.
    assert (str(found.due_now.total), str(found.due_before_choice)) == ("1776.98", "888.49")
    assert found.payoff_amount == state(terms(), [], "2024-02-01").payoff_amount + money("92.12")


def test_paid_two_days_early_the_next_installment_is_not_late_on_its_day() -> None:
    payment = pays("2024-02-28", "888.49")
    early = after("2024-02-28", payment)
    assert (early.prepaid, left(early, 1, 2)) == (money("888.49"), ["888.49", "0.00"])
    assert asked(early) == ("0.00", 3, "888.49")
    later = after("2024-03-02", payment)
    assert (later.days_past_due, left(later, 1, 2)) == (0, ["888.49", "0.00"])
    assert later.installments[1].paid_on == day("2024-02-28")


def test_paid_on_the_day_and_late() -> None:
    assert left(after("2024-03-01", pays("2024-03-01", "888.49")), 1, 2) == ["888.49", "0.00"]
    late = after("2024-03-11")
    # 796.37 × 18 % × 10 / 360
    assert (late.days_past_due, asked(late)) == (10, ("892.47", 3, "888.49"))
    mended = after("2024-03-11", pays("2024-03-11", "892.47"))
    assert (mended.days_past_due, left(mended, 1, 2, 3)) == (0, ["888.49", "0.00", "888.49"])


def test_the_other_choices_repay_principal_and_leave_it_alone() -> None:
    shorter = after("2024-02-28", pays("2024-02-28", "888.49", SHORTEN))
    assert (asked(shorter), left(shorter, 1, 2)) == (("0.00", 2, "888.49"), ["888.49", "888.49"])
    assert [str(part.amount) for part in shorter.early] == ["888.49"]
    lower = after("2024-02-28", pays("2024-02-28", "888.49", LOWER))
    assert (asked(lower), left(lower, 1, 2, 3)) == (
        ("0.00", 2, "803.58"),
        ["888.49", "803.58", "803.58"],
    )


def test_the_payoff_pays_it_too_and_a_cent_less_leaves_a_cent_of_it() -> None:
    payoff = after("2024-02-28").payoff_amount
    closed = after("2024-02-28", pays("2024-02-28", str(payoff)))
    assert (closed.status, closed.payoff_amount) == (LoanStatus.PAID_OFF, money("0"))
    short = str(payoff - money("0.01"))
    for effect in (SHORTEN, LOWER):
        found = after("2024-02-28", pays("2024-02-28", short, effect))
        assert (str(found.payoff_amount), left(found, 1, 2)) == ("0.01", ["0.01", "0.00"])
        assert (asked(found), found.running) == (("0.00", None, "0.00"), None)
    held = after("2024-02-28", pays("2024-02-28", short, NEXT))
    assert (str(held.payoff_amount), left(held, 1, 2)) == ("0.01", ["888.49", "0.00"])
    # Held it pays the installments to come, and when all are billed this one.
    end = after("2025-01-01", pays("2024-02-28", short, NEXT))
    assert (end.payoff_amount, left(end, 1)) == (money("0.01"), ["0.01"])


def test_answered_against_the_borrower_it_is_to_be_paid_by_the_day_of_the_answer() -> None:
    found = after("2024-02-11", answered("2024-02-11"))
    assert asked(found) == ("888.49", 1, "888.49")
    later = after("2024-02-15", answered("2024-02-11"))
    # 788.49 × 18 % × 4 / 360
    assert (later.days_past_due, asked(later)) == (4, ("890.07", 2, "888.49"))


def test_money_held_pays_it_on_the_day_of_the_answer() -> None:
    payment = pays("2024-02-05", "1000.00")
    before = after("2024-02-10", payment)
    assert (asked(before), left(before, 1, 2, 3)) == (
        ("0.00", 3, "776.98"),
        ["888.49", "0.00", "776.98"],
    )
    found = after("2024-02-11", payment, answered("2024-02-11"))
    assert (str(found.prepaid), asked(found)) == ("111.51", ("0.00", 2, "776.98"))
    assert left(found, 1, 2) == ["0.00", "776.98"]
    assert found.days_past_due == after("2024-02-20", payment, answered("2024-02-11")).days_past_due


def test_answered_for_the_borrower_it_is_waived_and_money_held_stays() -> None:
    waiver = Waived(
        event_id="w",
        effective_date=day("2024-02-11"),
        sequence=80,
        principal=money("788.49"),
        interest=money("100.00"),
    )
    payment = pays("2024-02-05", "1000.00")
    found = after("2024-02-11", payment, waiver, answered("2024-02-11"))
    assert (str(found.prepaid), asked(found)) == ("1000.00", ("0.00", 3, "776.98"))
    assert left(found, 1, 2) == ["0.00", "0.00"]


def test_a_dispute_that_was_never_made_places_the_money_as_if_it_had_not_been() -> None:
    payment = pays("2024-02-05", "1000.00")
    undone = Reversed(event_id="x", effective_date=day("2024-02-10"), sequence=60, of="d")
    never = state(terms(), [payment], "2024-02-10")
    found = after("2024-02-10", payment, undone)
    assert (left(found, 1, 2), found.prepaid) == (["0.00", "778.56"], never.prepaid)
    assert found.payoff_amount == never.payoff_amount


def test_the_last_installment_in_dispute_is_all_that_is_left_and_nobody_asks_for_it() -> None:
    last = disputed("2024-12-20", number=12)
    history: list[Event] = [
        paid(f"p{number}", f"2024-{number + 1:02}-01", "888.49", 2) for number in range(1, 12)
    ]
    amount = str(state(terms(), history, "2025-01-01").payable_now)
    found = state(terms(), [*history, last], "2025-02-01")
    assert (asked(found), left(found, 12)) == (("0.00", None, "0.00"), [amount])
    assert (found.days_past_due, found.status) == (0, LoanStatus.ACTIVE)
    assert str(found.payoff_amount) == amount
    # Money beyond that would go there: there is nothing to choose.
    assert not has_choice(found, money("100.00"), on_its_way=money("0"))
    part = state(terms(), [*history, last, pays("2025-02-01", "100.00")], "2025-02-01")
    assert part.payoff_amount == money(amount) - money("100.00")
    closed = state(terms(), [*history, last, pays("2025-02-01", amount)], "2025-02-01")
    assert closed.status is LoanStatus.PAID_OFF


def test_two_disputes_wait_both_and_each_answer_brings_back_its_own() -> None:
    second = disputed("2024-02-20", number=2, name="e")
    assert asked(after("2024-03-05", second)) == ("0.00", 3, "888.49")
    found = after("2024-03-05", second, answered("2024-03-05", of="e"))
    assert asked(found) == ("888.49", 2, "888.49")
    both = after("2024-03-05", second, answered("2024-03-05", of="e"), answered("2024-03-05"))
    assert asked(both) == ("1776.98", 1, "1776.98")


def test_an_installment_disputed_before_it_is_billed_is_passed_by_too() -> None:
    found = state(terms(), [disputed("2024-01-20", number=2)], "2024-01-25")
    assert asked(found) == ("0.00", 1, "888.49")
    held = pays("2024-01-25", "1776.98")
    later = state(terms(), [disputed("2024-01-20", number=2), held], "2024-04-01")
    assert left(later, 1, 2, 3) == ["0.00", "888.49", "0.00"]


def test_what_was_late_when_the_dispute_came_is_asked_for_and_paid_first() -> None:
    found = state(terms(), [disputed("2024-02-11")], "2024-03-01")
    # 788.49 × 18 % × 10 / 360; the days stand still at ten.
    assert (found.days_past_due, str(found.overdue.total)) == (10, "892.43")
    assert asked(found) == ("1780.92", 2, "888.49")
    assert not found.installments[0].suspended
    after_it = state(terms(), [disputed("2024-02-11"), pays("2024-02-28", "892.43")], "2024-02-28")
    assert left(after_it, 1, 2) == ["0.00", "888.49"]


def test_an_installment_that_may_be_paid_later_comes_before_one_that_is_suspended() -> None:
    moved = DueDateMoved(
        event_id="m",
        effective_date=day("2024-02-20"),
        sequence=3,
        number=2,
        payable_through=day("2024-04-20"),
    )
    found = after("2024-03-05", moved, pays("2024-03-05", "1000.00", SHORTEN))
    assert left(found, 1, 2, 3) == ["888.49", "0.00", "888.49"]
    assert [str(part.amount) for part in found.early] == ["111.51"]


def test_of_a_written_off_loan_it_is_asked_for_by_nobody_before_the_answer() -> None:
    off = ChargedOff(event_id="o", effective_date=day("2024-06-01"), sequence=4)
    recovered = Recovered(
        event_id="r", effective_date=day("2024-06-05"), sequence=5, amount=money("340.02")
    )
    short = loan(principal="1000.00", installment_count=3, penalty=PENALTY)
    found = state(short, [disputed(), off, recovered], "2024-06-10")
    # 705.65 are owed, of which the 340.02 in dispute are asked for by nobody.
    assert left(found, 1, 2, 3) == ["340.02", "15.33", "350.30"]
    assert (str(found.payoff_amount), str(found.suspended)) == ("705.65", "340.02")
    assert (str(found.payable_now), found.next_due) == ("365.63", None)
    assert {line.number for line in found.explain("payable_now")} == {2, 3}
    # Answered, it is asked for with all the rest; the payoff pays it before that too.
    late = state(short, [disputed(), off, recovered, answered("2024-06-10")], "2024-06-10")
    assert late.payable_now == late.payoff_amount == found.payoff_amount
    payoff = Recovered(
        event_id="all", effective_date=day("2024-06-10"), sequence=6, amount=found.payoff_amount
    )
    closed = state(short, [disputed(), off, recovered, payoff], "2024-06-10")
    assert (closed.status, closed.payoff_amount) == (LoanStatus.PAID_OFF, money("0"))


@pytest.mark.parametrize("across", ["BUCKET", "INSTALLMENT"])
def test_it_comes_last_bucket_by_bucket_too(across: str) -> None:
    rule = {
        "from_days_past_due": 1,
        "order": ["PRINCIPAL", "INTEREST", "FEES", "PENALTY"],
        "across": across,
    }
    some = loan(penalty=PENALTY, late_allocation=[rule])
    found = state(some, [disputed(), pays("2024-03-11", "892.47")], "2024-03-11")
    assert left(found, 1, 2) == ["888.49", "0.00"]
