"""What our journal took back and the bank did not: found, counted, and settled by the bank."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

import pytest

from loans.adapters.bank_words import RefundOrder
from loans.adapters.bills import compare_with_bank
from loans.engine.lifecycle import TransferState
from loans.models import BankBill, BankDifference, BankTransfer, Loan, LoanEvent
from loans.models.reconciliation import DifferenceKind
from loans.selectors.bank_days import bank_days
from loans.services.reversals import reverse_event
from tests.factories.corrections import assert_books_agree, how, make_servicer
from tests.integration.loans.rail.conftest import Rail, settled
from tests.integration.loans.rail.test_bank_days import compare, only, sums, yuan
from tests.integration.loans.rail.test_difference_queue import act, make_staff
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM
from zhixin.shared.money import Money
from zhixin.shared.signing import BANK_TIME_ZONE

pytestmark = pytest.mark.django_db(transaction=True)
ONE_DAY = datetime.timedelta(days=1)
NOTHING = Money.zero()
PAID = yuan("500.00")


@pytest.fixture
def today(rail: Rail) -> datetime.date:
    """The bank's day of now; its bill and tomorrow's are ready."""
    day = clock.now().astimezone(BANK_TIME_ZONE).date()
    rail.bank.control("bills", {"ready_through": (day + ONE_DAY).isoformat()})
    return day


@pytest.fixture
def paid(rail: Rail, loan: Loan) -> BankTransfer:
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    return settled(transfer)


def reverse(paid: BankTransfer, *, days_later: int = 0) -> LoanEvent:
    """Reverse the payment's event by hand, although the bank has done nothing."""
    manner = how(make_servicer(), reason="Bounced.")
    manner["at"] = clock.now() + days_later * ONE_DAY
    event = paid.events.get(kind="REPAYMENT")
    return reverse_event(loan_id=paid.loan_id, event_id=event.event_id, **manner)


def take_back(rail: Rail, paid: BankTransfer, amount: str = "500.00") -> None:
    """Have the bank send the payment back by an order that is not ours."""
    order = RefundOrder(
        client_reference=str(uuid4()),
        payment_reference=str(paid.public_id),
        amount=yuan(amount),
        title="bounced",
    )
    rail.client().send_refund(order)


def steps_of(found: BankDifference) -> list[tuple[str, str]]:
    return list(found.steps.order_by("pk").values_list("kind", "actor_label"))


def test_a_reversal_without_the_bank_is_found_and_counted(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    reverse(paid)
    bill = compare(rail, today)
    assert (bill.line_count, bill.matched_count) == (1, 0)
    assert sums(bill) == (PAID, PAID, NOTHING, PAID)
    found = only()
    assert (found.kind, found.transfer, found.on_date) == (DifferenceKind.TAKEN_BACK, paid, today)
    assert (found.bank_amount, found.our_amount) == (PAID, NOTHING)
    assert found.bank_side["商户订单号"] == str(paid.public_id)
    [day] = [each for each in bank_days(through=today) if each.day == today]
    assert (day.difference_in, day.difference_out, day.open_count) == (NOTHING, -PAID, 1)
    # The same difference found again is the same row.
    compare(rail, today)
    assert only() == found
    assert_books_agree(paid.loan)


def test_a_reversal_on_a_later_day_stands_in_that_day(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    first = compare(rail, today)
    assert (first.matched_count, sums(first)) == (1, (PAID, PAID, NOTHING, NOTHING))
    reverse(paid, days_later=1)
    later = compare(rail, today + ONE_DAY)
    assert (later.line_count, sums(later)) == (0, (NOTHING, NOTHING, NOTHING, PAID))
    found = only()
    assert (found.kind, found.bill, found.on_date) == (
        DifferenceKind.TAKEN_BACK,
        later,
        today + ONE_DAY,
    )
    assert found.bank_side["out_trade_no"] == str(paid.public_id)
    # The day of the payment, compared again, finds the same; its own sums are as they were.
    again = compare(rail, today)
    assert (again.matched_count, sums(again)) == (0, (PAID, PAID, NOTHING, NOTHING))
    assert only() == found


def test_the_banks_own_return_settles_it(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    reverse(paid, days_later=1)
    compare(rail, today + ONE_DAY)
    found = only()
    take_back(rail, paid)
    bill = compare(rail, today)
    assert (bill.line_count, bill.matched_count) == (2, 2)
    assert sums(bill) == (PAID, PAID, PAID, NOTHING)
    assert steps_of(found) == [("CAME_BACK", "bank")]
    assert found.steps.get().body["商户订单号"] == str(paid.public_id)
    paid.refresh_from_db()
    assert paid.state == TransferState.REVERSED
    for day in (today, today + ONE_DAY):
        compare(rail, day)
    assert not BankDifference.objects.waiting().exists()
    assert BankDifference.objects.count() == 1
    # Over both days the two sides moved alike.
    newest = [BankBill.objects.filter(bill_date=today + n * ONE_DAY).last() for n in (0, 1)]
    both = [sums(each) for each in newest if each is not None]
    assert sum((each[2] for each in both), NOTHING) == PAID
    assert sum((each[3] for each in both), NOTHING) == PAID


def test_what_came_back_at_the_bank_first_agrees_once_it_is_reversed(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    take_back(rail, paid)
    compare(rail, today)
    found = only()
    assert (found.kind, found.transfer) == (DifferenceKind.RETURNED, paid)
    reverse(paid, days_later=1)
    later = compare(rail, today + ONE_DAY)
    assert sums(later) == (NOTHING, NOTHING, NOTHING, PAID)
    assert compare(rail, today).matched_count == 2
    assert only() == found


def test_a_part_that_came_back_settles_nothing(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    reverse(paid)
    take_back(rail, paid, "200.00")
    compare(rail, today)
    kinds = BankDifference.objects.waiting().values_list("kind", "bank_amount")
    assert sorted(kinds) == [
        (DifferenceKind.RETURNED, yuan("200.00")),
        (DifferenceKind.TAKEN_BACK, PAID),
    ]
    paid.refresh_from_db()
    assert paid.state == TransferState.SUCCEEDED


def test_staff_explain_it_and_cannot_book_it_by_the_banks_word(
    rail: Rail, today: datetime.date, paid: BankTransfer, client: Any
) -> None:
    reverse(paid)
    compare_with_bank(rail.client(), today, actor=SYSTEM, at=clock.now())
    found = only()
    client.force_login(make_staff("clerk", "view_bankdifference", "resolve_difference"))
    page = act(client, found, "claim").content.decode()
    assert "Our journal took back what the bank did not" in page
    assert 'value="book"' not in page
    assert "A reversal took it out of the books." in act(client, found, "book").content.decode()
    assert paid.loan.events.filter(kind="REPAYMENT").count() == 1
    act(client, found, "explain", reason="Booked again at the desk.")
    assert [kind for kind, _who in steps_of(found)] == ["CLAIMED", "EXPLAINED"]
    # A line of the bank that comes after that is no second settlement.
    take_back(rail, paid)
    compare(rail, today)
    assert [kind for kind, _who in steps_of(found)] == ["CLAIMED", "EXPLAINED"]
