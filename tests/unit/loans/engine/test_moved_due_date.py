"""A moved due date changes the order in which installments are to be paid, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from loans.engine.autopay import (
    AutopayRules,
    Mandate,
    Notice,
    announcement,
    day_after_our_delay,
    decide,
    planned_debit,
)
from loans.engine.lifecycle import LoanStatus
from loans.engine.modification import defer, extend
from loans.engine.servicing import (
    ChargedOff,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    LoanState,
    PrepaymentEffect,
    Waived,
)
from loans.engine.state import NextDue
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, money, paid, state

RULES = AutopayRules(notice_days=3, ahead_days=5, retry_days=3)
# 888.49 a month from 3 October 2026 on; the first two are paid.
PAID = [paid("a", "2026-10-03", "888.49"), paid("b", "2026-11-03", "888.49")]


def terms() -> LoanTerms:
    return loan(disbursement_date="2026-09-03", first_due_date="2026-10-03", penalty=PENALTY)


def moved(on: str, through: str, number: int = 3) -> DueDateMoved:
    return DueDateMoved(
        event_id="m",
        effective_date=day(on),
        sequence=9,
        number=number,
        payable_through=day(through),
    )


def third_moved(as_of: str, *more: Event) -> LoanState:
    """Return the loan whose third installment, due 3 December, can be paid through 20 January."""
    return state(terms(), [*PAID, moved("2026-12-01", "2027-01-20"), *more], as_of)


def next_due(found: LoanState) -> tuple[int, str, str]:
    assert isinstance(found.next_due, NextDue)
    return found.next_due.number, str(found.next_due.date), str(found.next_due.amount)


def mandate(*notices: Notice) -> Mandate:
    return Mandate(granted_on=day("2026-09-03"), ended=False, debits=(), notices=notices)


def test_the_next_due_date_is_the_earliest_not_that_of_the_first_row() -> None:
    for on in ("2026-12-02", "2026-12-25", "2027-01-03"):
        assert next_due(third_moved(on)) == (4, "2027-01-03", "888.49")
    fourth = paid("c", "2027-01-03", "888.49")
    assert next_due(third_moved("2027-01-03", fourth)) == (3, "2027-01-20", "888.49")


def test_autopay_debits_the_earliest_and_only_that() -> None:
    planned = planned_debit(third_moved("2026-12-25"), mandate(), rules=RULES)
    assert planned is not None
    assert (planned.installment, planned.due_on) == (4, day("2027-01-03"))
    on_the_day = third_moved("2027-01-03")
    assert (on_the_day.due_now.total, on_the_day.payable_now) == (
        money("1776.98"),
        money("888.49"),
    )
    told = Notice(
        installment=4,
        attempt=1,
        debit_on=day("2027-01-03"),
        amount=money("1776.98"),
        told_on=day("2026-12-29"),
    )
    decision = decide(
        state=on_the_day,
        mandate=mandate(told),
        in_flight=money("0"),
        plan_waits=False,
        rules=RULES,
    )
    assert (decision.hold, decision.amount) == (None, money("888.49"))


def test_money_pays_first_what_can_wait_least() -> None:
    """Who pays what the page asks for on 3 January is not late on the 4th."""
    found = third_moved("2027-01-04", paid("c", "2027-01-03", "888.49"))
    assert (found.days_past_due, found.overdue.total) == (0, money("0"))
    third, fourth = found.installments[2], found.installments[3]
    assert (third.outstanding.total, fourth.outstanding.total) == (money("888.49"), money("0"))
    assert fourth.paid_on == day("2027-01-03")


def test_what_is_billed_and_can_wait_is_not_to_be_paid_now() -> None:
    found = third_moved("2026-12-25")
    assert (found.due_now.total, found.payable_now) == (money("888.49"), money("0"))
    assert third_moved("2027-01-20").payable_now == money("1783.89")  # the 4th is late by then


def test_a_row_that_was_late_is_not_late_after_the_move_and_its_penalty_stays() -> None:
    late = state(terms(), PAID, "2026-12-13")
    assert (late.days_past_due, str(late.penalty_accrued)) == (10, "4.02")
    after = state(terms(), [*PAID, moved("2026-12-13", "2027-01-20")], "2027-01-02")
    assert (after.days_past_due, after.overdue.total) == (0, money("0"))
    assert str(after.installments[2].due.penalty) == "4.02"
    assert (after.most_days_past_due, after.payable_now) == (10, money("0"))


def test_a_loan_that_is_charged_off_has_no_next_due_and_all_is_to_be_paid() -> None:
    off = ChargedOff(event_id="off", effective_date=day("2026-12-25"), sequence=10)
    found = third_moved("2026-12-25", off)
    assert found.next_due is None
    assert found.payable_now == found.due_now.total == found.payoff_amount
    change = extend(
        terms(),
        found.events,
        day("2026-12-26"),
        installment_count=5,
        annual_rate=terms().annual_rate,
    )
    spread = third_moved("2026-12-26", off, replace(change, sequence=11))
    assert spread.status is LoanStatus.CHARGED_OFF
    assert next_due(spread)[1] == "2027-01-03"
    assert spread.payable_now == money("0")


def test_a_dispute_that_is_over_moves_the_row_behind_those_that_can_wait_less() -> None:
    opened = Disputed(event_id="d", effective_date=day("2026-12-03"), sequence=9, number=3)
    over = DisputeResolved(event_id="r", effective_date=day("2027-01-08"), sequence=10, of="d")
    found = state(terms(), [*PAID, opened, over], "2027-01-08")
    assert [row.payable_through for row in found.installments[2:4]] == [
        day("2027-01-08"),
        day("2027-01-03"),
    ]
    part = state(
        terms(), [*PAID, opened, over, paid("c", "2027-01-08", "100.00", 11)], "2027-01-08"
    )
    assert part.installments[3].paid.total == money("100.00")


def delay(as_of: str, today: str, *notices: Notice, granted: str = "2026-09-03") -> str | None:
    """Return through when the third installment is payable when its notice was given late."""
    found = state(terms(), PAID, as_of)
    held = Mandate(granted_on=day(granted), ended=False, debits=(), notices=notices)
    decision = decide(
        state=found, mandate=held, in_flight=money("0"), plan_waits=False, rules=RULES
    )
    through = day_after_our_delay(
        decision,
        held,
        due_date=day("2026-12-03"),
        as_of=found.as_of,
        today=day(today),
        rules=RULES,
    )
    return None if through is None else str(through)


def test_a_notice_that_is_late_by_our_fault_gives_time_from_the_day_it_can_be_sent() -> None:
    assert delay("2026-12-03", "2026-12-03") == "2026-12-06"
    # Caught up on the 20th.
    assert delay("2026-12-03", "2026-12-20") == "2026-12-23"
    # Before the last day in time nothing is missed, after it the installment is late already.
    assert delay("2026-12-02", "2026-12-02") is None
    assert delay("2026-12-04", "2026-12-04") is None
    # Two months on it is for people to decide.
    assert delay("2026-12-03", "2027-01-29") == "2027-02-01"
    assert delay("2026-12-03", "2027-01-30") is None


def test_what_is_not_our_fault_gives_no_time() -> None:
    def notice(told_on: str | None, *, lost: bool) -> Notice:
        return Notice(
            installment=3,
            attempt=1,
            debit_on=day("2026-12-03"),
            amount=money("888.49"),
            told_on=None if told_on is None else day(told_on),
            lost=lost,
        )

    assert delay("2026-12-03", "2026-12-03", granted="2026-12-01") is None
    assert delay("2026-12-03", "2026-12-03", notice(None, lost=True)) is None
    # Told in time it is collected; one that still waits to be sent is our delay.
    assert delay("2026-12-03", "2026-12-03", notice("2026-11-28", lost=False)) is None
    assert delay("2026-12-03", "2026-12-03", notice(None, lost=False)) == "2026-12-06"


def test_a_deferral_counts_from_the_earliest_last_day_not_from_the_moved_row() -> None:
    found = third_moved("2026-12-25")
    change = defer(terms(), found.events, day("2026-12-25"))
    assert change.first_due_date == day("2027-02-03")


def test_a_dispute_about_an_installment_that_can_wait_holds_no_debit_of_another() -> None:
    opened = Disputed(event_id="d", effective_date=day("2026-12-10"), sequence=10, number=3)
    told = Notice(
        installment=4,
        attempt=1,
        debit_on=day("2027-01-03"),
        amount=money("888.49"),
        told_on=day("2026-12-29"),
    )
    announced = announcement(
        state_on=lambda on: third_moved(str(on), opened),
        mandate=mandate(),
        in_flight=money("0"),
        as_of=day("2026-12-29"),
        rules=RULES,
    )
    assert announced is not None
    assert (announced.installment, announced.amount) == (4, money("888.49"))
    decision = decide(
        state=third_moved("2027-01-03", opened),
        mandate=mandate(told),
        in_flight=money("0"),
        plan_waits=False,
        rules=RULES,
    )
    assert (decision.hold, decision.amount) == (None, money("888.49"))


# --- Money before the next one is billed ------------------------------------------------------


def ahead(on: str, amount: str, effect: str = "NEXT_INSTALLMENTS") -> LoanState:
    payment = paid("c", on, amount, 10, prepayment=PrepaymentEffect(effect))
    return third_moved(on, payment)


def test_money_paid_ahead_is_kept_for_what_has_to_be_paid_before_the_moved_one() -> None:
    """Asked on 25 December is the fourth, due 3 January; the third waits until 20 January."""
    found = ahead("2026-12-25", "888.49")
    assert (found.prepaid, found.due_now.total) == (money("888.49"), money("888.49"))
    assert [row.number for row in found.waiting_rows] == [3]
    assert next_due(found) == (3, "2027-01-20", "888.49")
    later = third_moved("2027-01-04", paid("c", "2026-12-25", "888.49", 10))
    assert (later.days_past_due, later.installments[3].outstanding.total) == (0, money("0"))
    assert later.installments[3].paid_on == day("2026-12-25")
    assert later.installments[2].outstanding.total == money("888.49")


def test_money_held_beyond_the_next_one_pays_the_moved_one_as_soon_as_it_waits_no_more() -> None:
    payment = paid("c", "2026-12-25", "1776.98", 10)
    assert third_moved("2026-12-25", payment).due_now.total == money("888.49")
    found = third_moved("2027-01-03", payment)
    assert (found.due_now.total, found.payable_now) == (money("0"), money("0"))
    assert next_due(found)[0] == 5


def test_principal_repaid_early_pays_the_moved_one_first() -> None:
    for effect in ("SHORTEN_TERM", "LOWER_INSTALLMENT"):
        found = ahead("2026-12-25", "1000.00", effect)
        assert (found.due_now.total, found.prepaid) == (money("0"), money("0"))
        assert sum(part.amount.cents for part in found.early) == 11151
        less = ahead("2026-12-25", "500.00", effect)
        assert (less.due_now.total, less.early) == (money("388.49"), ())


def test_the_payoff_pays_what_waits_too() -> None:
    asked = third_moved("2026-12-25").payoff_amount
    closed = ahead("2026-12-25", str(asked))
    assert (closed.status, closed.payoff_amount) == (LoanStatus.PAID_OFF, money("0"))
    held = ahead("2026-12-25", str(asked - money("0.01")))
    assert (held.payoff_amount, held.due_now.total) == (money("0.01"), money("888.49"))


def test_a_waiver_of_what_waits_closes_a_loan_whose_money_held_covers_the_rest() -> None:
    asked = third_moved("2026-12-25").payoff_amount - money("500.00")
    waived = Waived(
        event_id="w", effective_date=day("2026-12-25"), sequence=11, principal=money("812.04")
    )
    found = third_moved("2026-12-25", paid("c", "2026-12-25", str(asked), 10), waived)
    assert found.status is LoanStatus.OVERPAID
    assert (found.payoff_amount, found.closed_on) == (money("0"), day("2026-12-25"))


def test_two_installments_of_one_last_day_are_asked_for_together() -> None:
    found = state(terms(), [*PAID, moved("2026-12-01", "2027-01-03")], "2026-12-25")
    assert next_due(found) == (3, "2027-01-03", "1776.98")
    assert sum(line.amount for line in found.explain("next_due")) == money("1776.98").amount
    paid_on_the_day = paid("c", "2027-01-03", "1776.98", 10)
    after = state(
        terms(), [*PAID, moved("2026-12-01", "2027-01-03"), paid_on_the_day], "2027-01-04"
    )
    assert (after.days_past_due, after.due_now.total) == (0, money("0"))


def test_money_goes_to_a_row_in_dispute_after_one_that_can_be_late() -> None:
    opened = Disputed(event_id="d", effective_date=day("2026-12-03"), sequence=9, number=3)
    found = state(terms(), [*PAID, opened, paid("c", "2027-01-03", "888.49", 10)], "2027-01-04")
    assert (found.days_past_due, found.installments[3].outstanding.total) == (0, money("0"))
    assert found.installments[2].outstanding.total == money("888.49")
    assert (found.payable_now, next_due(found)) == (money("0"), (5, "2027-02-03", "888.49"))


def test_a_row_disputed_when_it_was_late_is_paid_before_one_disputed_in_time() -> None:
    in_time = Disputed(event_id="d", effective_date=day("2026-12-03"), sequence=9, number=3)
    late = Disputed(event_id="e", effective_date=day("2027-01-05"), sequence=10, number=4)
    before = state(terms(), [*PAID, in_time, late], "2027-01-06")
    overdue = before.overdue.total
    assert before.days_past_due == 2
    assert before.installments[3].outstanding.total == overdue
    after = state(
        terms(), [*PAID, in_time, late, paid("c", "2027-01-06", str(overdue), 11)], "2027-01-06"
    )
    assert (after.days_past_due, after.installments[3].outstanding.total) == (0, money("0"))


def to_national_day(calendar: str | None) -> tuple[LoanTerms, list[Event]]:
    moved = DueDateMoved(
        event_id="m",
        effective_date=day("2024-09-20"),
        sequence=1,
        number=1,
        payable_through=day("2024-10-05"),
    )
    terms = loan(
        disbursement_date="2024-08-21", installment_count=2, penalty=PENALTY, calendar=calendar
    )
    return terms, [moved]


def test_a_due_date_moved_onto_a_rest_day_is_in_time_on_the_next_business_day() -> None:
    """1 to 7 October are National Day; the move to the 5th is one to the 8th."""
    in_time = state(*to_national_day("CN"), "2024-10-08")
    assert in_time.installments[0].payable_through == day("2024-10-08")
    assert in_time.next_due is not None
    assert in_time.next_due.date == day("2024-10-08")
    assert (in_time.days_past_due, in_time.penalty_accrued) == (0, money("0"))
    late = state(*to_national_day("CN"), "2024-10-09")
    assert (late.days_past_due, late.penalty_accrued) == (1, money("2.49"))
    assert state(*to_national_day(None), "2024-10-08").days_past_due == 3


def test_a_dispute_answered_on_a_rest_day_leaves_until_the_next_business_day() -> None:
    """It came in time, so it is not late before the answer; one that came late stays as late."""
    terms = to_national_day("CN")[0]
    found = {}
    for opened in ("2024-09-20", "2024-09-25"):
        events = [
            Disputed(event_id="d", effective_date=day(opened), sequence=1, number=1),
            DisputeResolved(event_id="r", effective_date=day("2024-10-05"), sequence=2, of="d"),
        ]
        found[opened] = state(terms, events, "2024-10-08")
    assert found["2024-09-20"].installments[0].payable_through == day("2024-10-08")
    # Two days late on 25 September, after Monday the 23rd, and three from 5 to 8 October.
    assert [each.days_past_due for each in found.values()] == [0, 5]
