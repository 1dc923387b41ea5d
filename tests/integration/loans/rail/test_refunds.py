"""Credit that came by Alipay goes back by Alipay: once, and never more than was paid."""

from __future__ import annotations

import datetime
from decimal import Decimal

import httpx
import pytest

from loans.adapters.bank_words import BankState, RefundOrder, UnableToReuseReferenceError
from loans.adapters.bills import compare_with_bank
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import BankDifference, BankTransfer, Loan
from loans.models.transfer import TransferChannel
from loans.selectors.cashier import payment_to_refund, refundable
from loans.services.ledger import booked_balances
from loans.services.refunds import refund_closed_loan
from loans.tasks import chase_open_transfers, send_transfer
from tests.integration.loans.rail.conftest import PAYER, Rail, settled
from tests.integration.sandbox.sandbox_world import eventually
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM
from zhixin.shared.money import Money
from zhixin.shared.signing import BANK_TIME_ZONE

pytestmark = pytest.mark.django_db(transaction=True)
ON = datetime.date(2026, 6, 16)


def yuan(text: str) -> Money:
    return Money.parse(text)


@pytest.fixture
def overpaid(rail: Rail, loan: Loan) -> Loan:
    """A loan of 12,000.00 that was paid off by Alipay, with 500.00 of Alipay before it too much."""
    first = rail.order(loan, "500.00")
    address = rail.cashier_address(first)
    rail.pay(second := rail.order(loan, "12000.00"))
    settled(second)
    answer = httpx.get(address, trust_env=False)
    rail.choose(f"{rail.bank.url}{answer.headers['Location']}")
    settled(first)
    loan.refresh_from_db()
    assert loan.status == LoanStatus.OVERPAID
    return loan


def order_refund(loan: Loan) -> BankTransfer:
    refund = refund_closed_loan(loan_id=loan.pk, business_date=ON, at=clock.now())
    assert refund is not None
    return refund


def chase() -> None:
    past = clock.now() - datetime.timedelta(minutes=5)
    BankTransfer.objects.unsettled().update(created_at=past)
    chase_open_transfers()


def payer_balance(rail: Rail) -> int:
    return int(rail.bank.control("book")["balances"][PAYER])


def test_credit_goes_back_the_way_it_came(rail: Rail, overpaid: Loan) -> None:
    refund = order_refund(overpaid)
    assert (refund.channel, refund.amount) == (TransferChannel.ALIPAY_REFUND, yuan("500.00"))
    before = payer_balance(rail)
    send_transfer(transfer_id=refund.pk)
    refund.refresh_from_db()
    assert refund.state == TransferState.SUCCEEDED
    assert payer_balance(rail) == before + 500_00
    overpaid.refresh_from_db()
    assert overpaid.status == LoanStatus.PAID_OFF
    assert booked_balances(overpaid)[LedgerAccount.BORROWER_CREDIT] == Money.zero()
    assert refund_closed_loan(loan_id=overpaid.pk, business_date=ON, at=clock.now()) is None
    today = clock.now().astimezone(BANK_TIME_ZONE).date()
    rail.bank.control("bills", {"ready_through": today.isoformat()})
    bill = compare_with_bank(rail.client(), today, actor=SYSTEM, at=clock.now())
    assert (bill.line_count, bill.matched_count) == (3, 3)
    assert (bill.bank_in, bill.bank_out) == (yuan("12500.00"), yuan("500.00"))
    assert (bill.our_in, bill.our_out) == (yuan("12500.00"), yuan("500.00"))
    assert not BankDifference.objects.exists()


@pytest.mark.parametrize(
    "fault", ["timeout_after_success", "server_error", "wrong_answer_signature"]
)
def test_a_refund_whose_answer_is_lost_is_asked_about_and_done_once(
    rail: Rail, overpaid: Loan, fault: str
) -> None:
    refund = order_refund(overpaid)
    before = payer_balance(rail)
    rail.bank.fault(fault, seconds="0")
    send_transfer(transfer_id=refund.pk)
    refund.refresh_from_db()
    assert refund.state == TransferState.PENDING
    # Not found is sent again, found is settled: two rounds are enough for either.
    for _ in range(2):
        chase()
        if refund.state != TransferState.SUCCEEDED:
            send_transfer(transfer_id=refund.pk)
        refund.refresh_from_db()
    assert refund.state == TransferState.SUCCEEDED
    assert payer_balance(rail) == before + 500_00


def test_a_refund_that_the_bank_refuses_goes_to_a_person_and_then_to_the_card(
    rail: Rail, overpaid: Loan
) -> None:
    refund = order_refund(overpaid)
    assert refund.refund_of is not None
    reference = str(refund.refund_of.public_id)
    # Somebody has refunded the whole payment at the bank already.
    rail.client().send_refund(
        RefundOrder(
            client_reference="by-hand",
            payment_reference=reference,
            amount=refund.refund_of.amount,
            title="by hand",
        )
    )
    send_transfer(transfer_id=refund.pk)
    refund.refresh_from_db()
    assert (refund.state, refund.failure_code) == (
        TransferState.FAILED,
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    )
    other = payment_to_refund(overpaid, yuan("500.00"))
    assert other is None or other.pk != refund.refund_of.pk


def test_refunds_of_a_payment_never_exceed_it(rail: Rail, overpaid: Loan) -> None:
    payment = payment_to_refund(overpaid, yuan("500.00"))
    assert payment is not None
    client = rail.client()

    def order(number: str, amount: str) -> BankState:
        return client.send_refund(
            RefundOrder(
                client_reference=number,
                payment_reference=str(payment.public_id),
                amount=yuan(amount),
                title="refund",
            )
        ).state

    whole = payment.amount
    part = Money(whole.cents // 5 * 3)
    assert order("R1", str(part)) == BankState.ACCEPTED
    assert order("R1", str(part)) == BankState.ACCEPTED
    assert order("R2", str(part)) == BankState.FAILED
    with pytest.raises(UnableToReuseReferenceError):
        order("R1", "1.00")
    reference = str(payment.public_id)
    answer = client.query_refund("R1", payment_reference=reference)
    assert (answer.state, answer.amount) == (BankState.SUCCEEDED, part)
    assert client.query_refund("R2", payment_reference=reference).state == BankState.NOT_FOUND
    rest = whole - part
    assert order("R3", str(rest)) == BankState.ACCEPTED
    # Refunded whole, the trade counts as closed, and as paid all the same.
    assert client.query(reference, "DEBIT").state == BankState.SUCCEEDED
    eventually(lambda: rail.orders()[reference]["notice_state"] == "DELIVERED")
    payment.refresh_from_db()
    assert payment.state == TransferState.SUCCEEDED


def test_what_is_on_its_way_back_is_taken_off(rail: Rail, overpaid: Loan) -> None:
    refund = order_refund(overpaid)
    assert refund.refund_of is not None
    left = refund.refund_of.amount - yuan("500.00")
    assert refundable(refund.refund_of) == left
    assert Decimal(left.cents) >= 0
