"""Debits of autopay over the socket: too little money, silence after success, a lost notice."""

from __future__ import annotations

import pytest

from accounts.models import Message
from loans import tasks
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import AutopayDebit, AutopayNotice, Loan
from loans.services.autopay import collect_due
from loans.services.notices import tell_borrower_of_transfer
from tests.factories.accounts import CARD_NUMBER
from tests.factories.funded import set_business_date
from tests.integration.loans.rail.conftest import Rail, settled
from tests.integration.loans.servicing.autopay_days import (
    DUE,
    at,
    autopay_loan,
    debits,
    july,
    latest_debit,
    live,
    night,
)
from tests.integration.sandbox.sandbox_world import eventually
from zhixin.shared.actor import NIGHT

pytestmark = pytest.mark.django_db(transaction=True)


def loan_with_a_debit(rail: Rail) -> Loan:
    """Return a loan whose debit the night has ordered and nobody has sent yet."""
    rail.bank.control("balances", {"account": CARD_NUMBER, "amount": "5000.00"})
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    assert debits(loan) == [(1, 1, "2026-07-16", "1066.19", "PENDING")]
    return loan


def collects_nothing_more(loan: Loan) -> None:
    before = debits(loan)
    for day in (july(17), july(18)):
        set_business_date(day)
        collect_due(
            business_date=day,
            actor=NIGHT,
            clock=lambda: at(july(18), 0),
            report=lambda _d, _t: None,
        )
    assert debits(loan) == before


def test_the_debit_is_collected_once(rail: Rail) -> None:
    loan = loan_with_a_debit(rail)
    transfer = latest_debit(loan)
    for _ in range(2):
        tasks.send_transfer(transfer_id=transfer.pk)
    assert settled(transfer).state == TransferState.SUCCEEDED
    loan.refresh_from_db()
    assert loan.installments.get(number=1).paid_on == DUE
    assert list(rail.orders()) == [str(transfer.public_id)]
    collects_nothing_more(loan)


def test_too_little_money_is_a_failure_that_is_told(rail: Rail) -> None:
    loan = loan_with_a_debit(rail)
    rail.bank.control("balances", {"account": CARD_NUMBER, "amount": "10.00"})
    transfer = latest_debit(loan)
    tasks.send_transfer(transfer_id=transfer.pk)
    assert settled(transfer).state == TransferState.FAILED
    assert transfer.failure_code == "ACQ.BUYER_BALANCE_NOT_ENOUGH"
    tell_borrower_of_transfer(transfer_id=transfer.pk, at=at(DUE))
    body = Message.objects.get(kind="autopay_failed").body
    assert "There was not enough money in the account." in body
    assert "We try once more on" in body
    assert AutopayNotice.objects.get(attempt=2).installment_number == 1
    loan.refresh_from_db()
    assert loan.status == LoanStatus.ACTIVE


def test_silence_after_success_stays_open_and_is_not_collected_again(rail: Rail) -> None:
    loan = loan_with_a_debit(rail)
    rail.bank.fault("timeout_after_success", seconds="0.5")
    rail.bank.fault("drop_notice", count=5)
    transfer = latest_debit(loan)
    tasks.send_transfer(transfer_id=transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    collects_nothing_more(loan)

    def asked() -> bool:
        tasks.chase_open_transfers()
        transfer.refresh_from_db()
        return transfer.settled_at is not None

    eventually(asked)
    assert transfer.state == TransferState.SUCCEEDED
    assert list(rail.orders()) == [str(transfer.public_id)]
    assert AutopayDebit.objects.count() == 1


def test_a_lost_notice_is_asked_for_and_counts_once(rail: Rail) -> None:
    loan = loan_with_a_debit(rail)
    rail.bank.fault("drop_notice", count=5)
    transfer = latest_debit(loan)
    tasks.send_transfer(transfer_id=transfer.pk)
    collects_nothing_more(loan)

    def asked() -> bool:
        tasks.chase_open_transfers()
        transfer.refresh_from_db()
        return transfer.settled_at is not None

    eventually(asked)
    assert transfer.state == TransferState.SUCCEEDED
    loan.refresh_from_db()
    # It counts for the day of the debit, whenever the bank was asked.
    assert loan.installments.get(number=1).paid_on == DUE
    assert (loan.status, loan.days_past_due) == (LoanStatus.ACTIVE, 0)
    assert loan.events.filter(kind="REPAYMENT").count() == 1
