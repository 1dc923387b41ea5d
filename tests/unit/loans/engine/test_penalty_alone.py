"""A loan that owes nothing but penalty: to be paid, and late no more."""

from __future__ import annotations

from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import Classification, Waived, replay
from tests.unit.loans.engine.loan_building import PENALTY, day, loan, money, paid, payout, state

ONE = {"principal": "1000.00", "installment_count": 1, "penalty": PENALTY}
PENALTY_LAST = ["PRINCIPAL", "INTEREST", "FEES", "PENALTY"]


def test_a_loan_that_owes_only_penalty_is_not_late() -> None:
    """1,000 ten days late at 18 % cost 5.00; 1,010.00 paid principal and interest."""
    terms = loan(**ONE, allocation=PENALTY_LAST)
    found = state(terms, [paid("a", "2024-02-11", "1010.00")], "2024-02-25")
    assert (found.status, found.days_past_due, found.bucket) == (LoanStatus.ACTIVE, 0, "M0")
    assert (found.overdue.total, found.overdue_since) == (money("0"), None)
    assert (found.due_now.total, found.due_now.penalty) == (money("5.00"), money("5.00"))
    assert found.payoff_amount == money("5.00")
    assert found.classification is Classification.NORMAL
    assert found.explain("overdue.total") == ()
    row = found.installments[0]
    assert (row.days_late, row.days_late_now, row.paid_on) == (10, 0, None)
    assert found.most_days_past_due == 10


def test_the_days_stand_as_they_were_when_the_penalty_is_paid_or_waived() -> None:
    terms = loan(**ONE, allocation=PENALTY_LAST)
    first = paid("a", "2024-02-11", "1010.00")
    closed = state(terms, [first, paid("b", "2024-02-25", "5.00", 2)], "2024-02-25")
    assert (closed.status, closed.installments[0].days_late) == (LoanStatus.PAID_OFF, 10)
    waived = Waived(
        event_id="w", effective_date=day("2024-02-25"), sequence=2, penalty=money("5.00")
    )
    forgiven = replay(terms, [payout(terms), first, waived], day("2024-02-25"))
    assert (forgiven.status, forgiven.installments[0].days_late) == (LoanStatus.PAID_OFF, 10)


def test_days_count_from_the_row_that_is_late_and_not_from_penalty() -> None:
    """The first row was paid nine days late but for its 3.55; the second is late since 1 March."""
    terms = loan(penalty=PENALTY, allocation=PENALTY_LAST)
    found = state(terms, [paid("a", "2024-02-10", "888.49")], "2024-03-04")
    assert (found.status, found.days_past_due) == (LoanStatus.OVERDUE, 3)
    assert found.overdue_since == day("2024-03-01")
    assert [row.days_late for row in found.installments[:2]] == [9, 3]
    assert found.overdue.total == money("889.68")
    assert found.due_now.penalty == money("4.74")


def test_an_order_for_late_loans_waits_for_days_that_are_late_now() -> None:
    """Paid 40 days late but for its penalty, the loan is on time: 90.00 pays the penalty first."""
    late = [{"from_days_past_due": 30, "order": PENALTY_LAST, "across": "BUCKET"}]
    order = ["PENALTY", "FEES", "INTEREST", "PRINCIPAL"]
    terms = loan(penalty=PENALTY, late_allocation=late, allocation=order)
    events = [paid("a", "2024-03-12", "1776.98"), paid("b", "2024-03-13", "90.00", 2)]
    found = state(terms, events, "2024-03-13")
    assert found.repayments[1].parts[0].amount.penalty == found.repayments[1].parts[0].amount.total


def test_penalty_that_is_left_is_paid_after_an_installment_that_can_be_late() -> None:
    """Ten days on 788.49 at 18 % are 3.94; the second asks 888.49 on 1 March."""
    terms = loan(penalty=PENALTY, allocation=PENALTY_LAST)
    late = paid("a", "2024-02-11", "888.49")
    found = state(terms, [late], "2024-02-20")
    assert found.payable_now == found.installments[0].outstanding.total == money("3.94")
    assert found.next_due is not None
    # Before the first of March money pays the penalty first, so that is asked for too.
    assert (found.next_due.number, found.next_due.amount) == (2, money("892.43"))
    assert sum(line.amount for line in found.explain("next_due")) == money("892.43").amount
    for amount, left in (("888.49", "3.94"), ("892.43", "0.00")):
        after = state(terms, [late, paid("b", "2024-03-01", amount, 2)], "2024-03-02")
        assert (after.days_past_due, after.due_now.total) == (0, money(left))
    ahead = state(terms, [late, paid("b", "2024-02-20", "892.43", 2)], "2024-03-02")
    assert (ahead.days_past_due, ahead.due_now.total) == (0, money("0"))
