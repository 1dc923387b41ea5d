"""Payouts that do not arrive, through the bank's socket, the borrower's page and the staff's."""

from __future__ import annotations

import datetime

import pytest
from django.test import Client

from accounts.models import BorrowerProfile, User
from loans.adapters.payouts import ask_about_payouts
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import BankBill, BankDifference, BankTransfer, Loan, LoanEvent
from loans.models.transfer import TransferPurpose
from loans.tasks import ask_about_payouts as ask_each_night
from loans.tasks import chase_open_transfers, send_transfer
from tests.factories.collections_app import make_staff
from tests.factories.funded import funded_loan, signed_loan
from tests.integration.loans.rail.conftest import Rail, settled
from tests.integration.loans.rail.test_bank_days import compare
from tests.integration.sandbox.sandbox_world import eventually
from zhixin.shared import clock
from zhixin.shared.signing import BANK_TIME_ZONE

pytestmark = pytest.mark.django_db(transaction=True)
OTHER_CARD = "6217000010001234567"


def sent(rail: Rail, *faults: str) -> tuple[Loan, BankTransfer]:
    """Return a loan whose payout is settled at the bank, its borrower signed in."""
    loan, payout = signed_loan()
    rail.borrower.force_login(User.objects.get(pk=loan.borrower_id))
    for fault in faults:
        rail.bank.fault(fault)
    send_transfer(transfer_id=payout.pk)
    return loan, settled(payout)


def newest(loan: Loan) -> BankTransfer:
    payout = loan.transfers.filter(purpose=TransferPurpose.DISBURSEMENT).order_by("-pk").first()
    assert payout is not None
    return payout


def page(rail: Rail, loan: Loan) -> str:
    answer = rail.borrower.get(f"/loans/{loan.public_id}/", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    return str(answer.content.decode())


def press(rail: Rail, loan: Loan, payout: BankTransfer) -> str:
    """Press the button of the borrower's page; return the page that follows."""
    address = f"/loans/{loan.public_id}/payout/"
    body = {"payout": str(payout.public_id)}
    headers = {"Accept-Language": "en"}
    return str(rail.borrower.post(address, body, follow=True, headers=headers).content.decode())


def came_back(rail: Rail, payout: BankTransfer, *faults: str) -> None:
    for fault in faults:
        rail.bank.fault(fault)
    rail.bank.control("returns", {"client_reference": str(payout.public_id)})


def undone(payout: BankTransfer) -> bool:
    payout.refresh_from_db()
    return payout.state == TransferState.REVERSED


@pytest.mark.parametrize("fault", ["reject", "fail_order"])
def test_the_page_says_what_is_true_and_stops_asking(rail: Rail, fault: str) -> None:
    loan, payout = sent(rail, fault)
    assert payout.state == TransferState.FAILED
    shown = page(rail, loan)
    assert "Your money is on its way" not in shown
    assert 'hx-trigger="every' not in shown
    assert "The bank did not pay out your money" in shown
    assert "You owe nothing and no interest runs." in shown
    assert "Not paid out" in shown
    assert "Not paid out" in rail.borrower.get("/loans/").content.decode()
    BorrowerProfile.objects.filter(user=loan.borrower).update(bank_card_number=OTHER_CARD)
    assert "ending in 4567" in page(rail, loan)
    assert "being sent again" in press(rail, loan, payout)
    second = newest(loan)
    assert (second.pk != payout.pk, second.card_number) == (True, OTHER_CARD)
    assert "Your money is on its way" in page(rail, loan)
    # The same press again is the same order.
    press(rail, loan, payout)
    assert loan.transfers.count() == 2
    send_transfer(transfer_id=second.pk)
    settled(second)
    loan.refresh_from_db()
    assert loan.status == LoanStatus.ACTIVE
    orders = rail.orders()
    assert {str(payout.public_id), str(second.public_id)} <= set(orders)
    assert orders[str(second.public_id)]["state"] == "SUCCEEDED"


def test_nothing_is_sent_while_the_bank_does_not_answer(rail: Rail) -> None:
    loan, payout = sent(rail, "fail_order")
    rail.bank.fault("wrong_answer_signature")
    assert "not said for certain" in press(rail, loan, payout)
    rail.bank.fault("server_error")
    assert "not said for certain" in press(rail, loan, payout)
    rail.bank.kill()
    assert "not said for certain" in press(rail, loan, payout)
    assert loan.transfers.count() == 1


def test_nothing_is_sent_when_the_bank_has_paid_after_all(rail: Rail) -> None:
    loan, payout = sent(rail)
    BankTransfer.objects.filter(pk=payout.pk).update(state=TransferState.FAILED)
    Loan.objects.filter(pk=loan.pk).update(status=LoanStatus.PENDING, disbursed_on=None)
    assert "says that the payout was done" in press(rail, loan, payout)
    assert loan.transfers.count() == 1
    assert BankDifference.objects.get().transfer == payout


def test_an_order_that_never_reached_the_bank_is_given_time(rail: Rail) -> None:
    loan, payout = signed_loan()
    rail.borrower.force_login(User.objects.get(pk=loan.borrower_id))
    now = clock.now()
    refused = {"state": TransferState.FAILED, "failure_code": "PAYEE_NOT_EXIST"}
    BankTransfer.objects.filter(pk=payout.pk).update(settled_at=now, **refused)
    assert "not said for certain" in press(rail, loan, payout)
    BankTransfer.objects.filter(pk=payout.pk).update(
        settled_at=now - datetime.timedelta(minutes=21)
    )
    assert "being sent again" in press(rail, loan, payout)


def test_staff_see_it_in_a_queue_and_two_presses_are_one_payout(rail: Rail) -> None:
    loan, payout = sent(rail, "fail_order")
    other = funded_loan()
    reader, servicer, stranger = Client(), Client(), Client()
    see = ("loans.view_banktransfer", "loans.open_any_loan")
    reader.force_login(make_staff(*see))
    servicer.force_login(make_staff(*see, "loans.record_money"))
    stranger.force_login(make_staff("loans.view_banktransfer", "loans.record_money"))
    queue = "/admin/loans/banktransfer/payouts/"
    address = f"{queue}{payout.public_id}/"
    english = {"Accept-Language": "en"}
    shown = servicer.get(queue, headers=english).content.decode()
    assert loan.agreement.number in shown
    assert other.agreement.number not in shown
    assert address in shown
    assert address not in reader.get(queue, headers=english).content.decode()
    assert reader.post(address).status_code == 403
    assert loan.agreement.number not in stranger.get(queue).content.decode()
    assert stranger.post(address).status_code == 404
    filtered = servicer.get("/admin/loans/banktransfer/?payout=not_arrived")
    assert str(payout.public_id) in filtered.content.decode()
    for _ in range(2):
        assert servicer.post(address).status_code == 302
    assert loan.transfers.count() == 2
    # Another person, who still sees the old row, sends nothing either.
    assert "again already" in press(rail, loan, payout)
    assert loan.transfers.count() == 2
    assert loan.agreement.number not in servicer.get(queue, headers=english).content.decode()


def test_a_return_is_learned_by_its_notice(rail: Rail) -> None:
    loan, payout = sent(rail)
    came_back(rail, payout, "double_notice")
    eventually(lambda: undone(payout))
    shown = page(rail, loan)
    assert "Your money came back to us" in shown
    assert "The payout came back" in shown
    address = f"/loans/{loan.public_id}/statement/"
    told = rail.borrower.get(address, headers={"Accept-Language": "en"}).content.decode()
    assert "Payout that came back to us" in told
    assert LoanEvent.objects.filter(loan=loan, kind="REVERSAL").count() == 1
    assert not BankDifference.objects.exists()
    chase_open_transfers()
    press(rail, loan, payout)
    second = newest(loan)
    send_transfer(transfer_id=second.pk)
    settled(second)
    loan.refresh_from_db()
    assert loan.status == LoanStatus.ACTIVE
    assert "Your money came back" not in page(rail, loan)


def test_a_return_whose_notice_is_lost_is_learned_at_night(rail: Rail) -> None:
    loan, payout = sent(rail)
    came_back(rail, payout, "drop_notice")
    assert ask_about_payouts(rail.client(), days=0, clock=clock.now) == 0
    assert not undone(payout)
    ask_each_night()
    assert undone(payout)
    assert ask_about_payouts(rail.client(), days=15, clock=clock.now) == 0
    assert loan.events.count() == 2


def test_a_return_is_learned_by_the_bill_and_agrees_with_the_books(rail: Rail) -> None:
    _, payout = sent(rail)
    came_back(rail, payout, "drop_notice")
    today = clock.now().astimezone(BANK_TIME_ZONE).date()
    rail.bank.control("bills", {"ready_through": today.isoformat()})
    bill = compare(rail, today)
    assert undone(payout)
    assert (bill.line_count, bill.matched_count) == (2, 2)
    assert (bill.bank_in, bill.bank_out) == (bill.our_in, bill.our_out)
    assert not BankDifference.objects.exists()
    assert BankBill.objects.count() == 1


def test_the_bank_sends_a_payout_back_on_demand_once(rail: Rail) -> None:
    rail.bank.control("faults", {"fault": "return_payout", "seconds": "0.2"})
    loan, payout = sent(rail)
    eventually(lambda: undone(payout))
    press(rail, loan, payout)
    second = newest(loan)
    send_transfer(transfer_id=second.pk)
    assert settled(second).state == TransferState.SUCCEEDED
    states = {name: order["state"] for name, order in rail.orders().items()}
    assert states == {str(payout.public_id): "RETURNED", str(second.public_id): "SUCCEEDED"}
