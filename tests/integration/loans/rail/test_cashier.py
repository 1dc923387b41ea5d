"""A borrower pays at Alipay's page: over sockets, with everything that can go wrong on the way."""

from __future__ import annotations

import datetime
import threading
from uuid import uuid4

import pytest
from django.test import Client

from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import BankDifference, BankNotice, BankTransfer, Loan, LoanEvent
from loans.models.reconciliation import DifferenceKind
from loans.models.transfer import NoticeVerdict, TransferChannel, TransferPurpose
from loans.selectors.receipts import failure_reason
from loans.services.ledger import booked_balances
from loans.services.transfers import begin_sending
from loans.tasks import ask_about_transfer, chase_open_transfers, send_transfer
from tests.factories.accounts import make_borrower
from tests.integration.loans.rail.conftest import PAYER, PHONE, Rail, query_of, settled
from tests.integration.sandbox.sandbox_world import eventually, web
from zhixin.shared import clock
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db(transaction=True)
PAYOUT_BANK = Money.parse("-12000.00")


def repayments(loan: Loan) -> int:
    return LoanEvent.objects.filter(loan=loan, kind="REPAYMENT").count()


def bank_balance(loan: Loan) -> Money:
    return booked_balances(loan)[LedgerAccount.BANK]


def kinds() -> list[str]:
    return list(BankDifference.objects.order_by("pk").values_list("kind", flat=True))


def run_out(transfer: BankTransfer, *, minutes: int = 45) -> None:
    """Let the time of the payment be over, with us."""
    past = clock.now() - datetime.timedelta(minutes=minutes)
    BankTransfer.objects.filter(pk=transfer.pk).update(expires_at=past, created_at=past)
    transfer.refresh_from_db()


def chase() -> None:
    past = clock.now() - datetime.timedelta(minutes=5)
    BankTransfer.objects.unsettled().update(created_at=past)
    chase_open_transfers()


def test_paying_at_the_cashier_books_the_repayment_once(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00")
    assert (transfer.channel, transfer.state) == (
        TransferChannel.ALIPAY_PAGE,
        TransferState.PENDING,
    )
    back = rail.pay(transfer)
    settled(transfer)
    assert transfer.state == TransferState.SUCCEEDED
    assert transfer.bank_date is not None
    assert repayments(loan) == 1
    assert bank_balance(loan) == PAYOUT_BANK + Money.parse("500.00")
    assert back.startswith(f"{rail.site}/payments/alipay/return/?")
    answer = rail.borrower.get(back.removeprefix(rail.site))
    assert answer["Location"] == f"/payments/{transfer.public_id}/"
    order = rail.orders()[str(transfer.public_id)]
    assert (order["payer"], order["cents"], order["state"]) == (PAYER, 500_00, "SUCCEEDED")
    eventually(lambda: rail.orders()[str(transfer.public_id)]["notice_state"] == "DELIVERED")
    assert kinds() == []


def test_phones_get_the_page_for_phones(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00", agent=PHONE)
    assert transfer.channel == TransferChannel.ALIPAY_WAP
    assert query_of(rail.cashier_address(transfer))["method"] == "alipay.trade.wap.pay"
    rail.pay(transfer)
    assert settled(transfer).state == TransferState.SUCCEEDED


def test_the_form_sent_twice_is_one_payment(rail: Rail, loan: Loan) -> None:
    key = str(uuid4())
    first = rail.order(loan, "500.00", key=key)
    cashier = rail.open(first)
    again = rail.order(loan, "500.00", key=key)
    assert first == again
    assert rail.open(again) == cashier
    answers = [rail.choose(cashier) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    settled(first)
    assert repayments(loan) == 1


def test_eight_clicks_at_once_on_pay_are_one_payment(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00")
    cashier = rail.open(transfer)
    threads = [threading.Thread(target=rail.choose, args=(cashier,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(transfer)
    assert repayments(loan) == 1
    assert rail.bank.control("book")["balances"][PAYER] == 50_000_00 - 500_00


@pytest.mark.parametrize("_round", range(4))
def test_paying_while_we_close_ends_with_the_banks_word(
    rail: Rail, loan: Loan, _round: int
) -> None:
    first = rail.order(loan, "500.00")
    cashier = rail.open(first)
    barrier = threading.Barrier(2)

    def pay() -> None:
        barrier.wait()
        rail.choose(cashier)

    payer = threading.Thread(target=pay)
    payer.start()
    barrier.wait()
    rail.post_amount(loan, "700.00")
    payer.join()
    settled(first)
    paid = rail.orders()[str(first.public_id)]["state"] == "SUCCEEDED"
    assert (first.state == TransferState.SUCCEEDED) is paid
    assert repayments(loan) == int(paid)


@pytest.mark.parametrize("choice", ["cancel", "short"])
def test_not_paying_leaves_everything_as_it_was(rail: Rail, loan: Loan, choice: str) -> None:
    transfer = rail.order(loan, "500.00")
    page = rail.choose(rail.open(transfer), choice)
    assert page.status_code == 200
    assert "没有扣款" in page.text
    chase()
    transfer.refresh_from_db()
    assert transfer.state == TransferState.SENT
    assert repayments(loan) == 0
    assert bank_balance(loan) == PAYOUT_BANK


def test_a_lost_notice_is_healed_by_asking(rail: Rail, loan: Loan) -> None:
    rail.bank.fault("drop_notice")
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    eventually(lambda: rail.orders()[str(transfer.public_id)]["notice_state"] == "DROPPED")
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    ask_about_transfer(transfer_id=transfer.pk)
    assert settled(transfer).state == TransferState.SUCCEEDED
    assert repayments(loan) == 1


@pytest.mark.parametrize(
    ("fault", "verdicts"),
    [
        ("double_notice", [NoticeVerdict.APPLIED, NoticeVerdict.DUPLICATE]),
        ("wrong_signature", [NoticeVerdict.APPLIED]),
    ],
)
def test_notices_that_come_twice_or_forged_count_once(
    rail: Rail, loan: Loan, fault: str, verdicts: list[str]
) -> None:
    rail.bank.fault(fault)
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    assert settled(transfer).state == TransferState.SUCCEEDED
    notices = BankNotice.objects.filter(transfer=transfer).order_by("pk")
    eventually(lambda: notices.count() == len(verdicts))
    eventually(lambda: rail.orders()[str(transfer.public_id)]["notice_state"] == "DELIVERED")
    assert list(notices.values_list("verdict", flat=True)) == verdicts
    assert repayments(loan) == 1


def test_a_notice_with_a_wrong_amount_is_kept_flagged_and_not_booked(
    rail: Rail, loan: Loan
) -> None:
    rail.bank.fault("wrong_amount")
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    eventually(lambda: BankNotice.objects.filter(transfer=transfer).exists())
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    assert repayments(loan) == 0
    assert kinds() == [DifferenceKind.CONTRADICTION]
    chase()
    assert settled(transfer).state == TransferState.SUCCEEDED
    assert bank_balance(loan) == PAYOUT_BANK + Money.parse("500.00")


def test_an_answer_with_a_wrong_amount_settles_nothing(rail: Rail, loan: Loan) -> None:
    rail.bank.fault("drop_notice")
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    rail.bank.fault("wrong_answer_amount")
    chase()
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    assert repayments(loan) == 0
    chase()
    assert settled(transfer).state == TransferState.SUCCEEDED


def test_an_answer_that_is_not_signed_settles_nothing(rail: Rail, loan: Loan) -> None:
    rail.bank.fault("drop_notice")
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    rail.bank.fault("wrong_answer_signature")
    chase()
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    assert repayments(loan) == 0


def test_the_way_back_moves_no_money_and_is_believed_only_when_signed(
    rail: Rail, loan: Loan
) -> None:
    rail.bank.fault("drop_notice")
    rail.bank.fault("wrong_return_signature")
    transfer = rail.order(loan, "500.00")
    forged = rail.pay(transfer).removeprefix(rail.site)
    assert rail.borrower.get(forged)["Location"] == "/loans/"
    assert rail.borrower.get("/payments/alipay/return/")["Location"] == "/loans/"
    right = rail.choose(rail.open(transfer)).headers["Location"].removeprefix(rail.site)
    tampered = right.replace("500.00", "900.00")
    assert rail.borrower.get(tampered)["Location"] == "/loans/"
    assert rail.borrower.get(right)["Location"] == f"/payments/{transfer.public_id}/"
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    assert repayments(loan) == 0


def test_an_unpaid_cashier_makes_way_for_another_payment(rail: Rail, loan: Loan) -> None:
    first = rail.order(loan, "500.00")
    cashier = rail.open(first)
    second = rail.order(loan, "500.00")
    first.refresh_from_db()
    assert (first.state, first.failure_code) == (TransferState.FAILED, "TRADE_CLOSED")
    assert "closed because you began another payment" in failure_reason(first)
    assert "交易已关闭" in web().get(cashier).text
    assert rail.choose(cashier).status_code == 303
    assert rail.orders()[str(first.public_id)]["state"] == "FAILED"
    rail.pay(second)
    assert settled(second).state == TransferState.SUCCEEDED
    assert repayments(loan) == 1


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "¥500.00: it had been closed because you began another payment."),
        (90, "¥500.00: it had been closed because its time to be paid had run out."),
    ],
)
def test_paying_at_a_closed_cashier_says_that_nothing_was_taken(
    rail: Rail, loan: Loan, minutes: int, words: str
) -> None:
    first = rail.order(loan, "500.00")
    cashier = rail.open(first)
    # Another tab: the loan is paid otherwise, which closes the order.
    rail.pay(rail.order(loan, "300.00"))
    if minutes:
        run_out(first, minutes=minutes)
    back = rail.choose(cashier).headers["Location"].removeprefix(rail.site)
    shown = rail.borrower.get(back, follow=True)
    assert shown.redirect_chain == [("/loans/", 302)]
    assert f"Nothing was taken at Alipay for the payment of {words}" in shown.content.decode()
    # It is said to its payer only, and not about what is long over.
    stranger = Client()
    stranger.force_login(make_borrower())
    assert "Nothing was taken" not in stranger.get(back, follow=True).content.decode()
    past = clock.now() - datetime.timedelta(days=2)
    BankTransfer.objects.filter(pk=first.pk).update(settled_at=past)
    assert "Nothing was taken" not in rail.borrower.get(back, follow=True).content.decode()


def test_a_cashier_that_was_never_opened_makes_way_and_is_not_given_up(
    rail: Rail, loan: Loan
) -> None:
    first = rail.order(loan, "500.00")
    address = rail.cashier_address(first)
    second = rail.order(loan, "500.00")
    first.refresh_from_db()
    assert first.state == TransferState.PENDING
    assert first.withdrawn_at is not None
    rail.pay(second)
    settled(second)
    # The old address can still be opened: that money is booked too, and nothing is lost.
    answer = web().get(address)
    rail.choose(f"{rail.bank.url}{answer.headers['Location']}")
    assert settled(first).state == TransferState.SUCCEEDED
    assert repayments(loan) == 2
    assert bank_balance(loan) == PAYOUT_BANK + Money.parse("1000.00")


def test_a_cashier_that_turns_out_paid_is_booked_before_another_try(rail: Rail, loan: Loan) -> None:
    rail.bank.fault("drop_notice")
    first = rail.order(loan, "500.00")
    rail.pay(first)
    # The same amount again on the same day is asked about, as after any payment.
    answer = rail.post_amount(loan, "500.00")
    assert answer.status_code in {200, 422}
    first.refresh_from_db()
    assert first.state == TransferState.SUCCEEDED
    assert repayments(loan) == 1


def test_a_bank_that_does_not_answer_lets_nobody_pay_twice(rail: Rail, loan: Loan) -> None:
    first = rail.order(loan, "500.00")
    rail.open(first)
    rail.bank.fault("server_error")
    answer = rail.post_amount(loan, "500.00")
    assert answer.status_code == 422
    assert "Alipay does not answer" in answer.content.decode()
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).get() == first
    rail.bank.fault("timeout_after_success", seconds="0")
    second = rail.order(loan, "500.00")
    first.refresh_from_db()
    assert (first.state, second.state) == (TransferState.FAILED, TransferState.PENDING)


def test_what_is_not_paid_in_time_is_closed(rail: Rail, loan: Loan) -> None:
    opened = rail.order(loan, "500.00")
    rail.open(opened)
    run_out(opened)
    chase_open_transfers()
    opened.refresh_from_db()
    assert (opened.state, opened.failure_code) == (TransferState.FAILED, "TRADE_CLOSED")
    assert rail.orders()[str(opened.public_id)]["state"] == "FAILED"
    page = rail.borrower.get(f"/payments/{opened.public_id}/").content.decode()
    assert "not paid in time" in page


def test_what_was_never_opened_ends_only_after_its_time(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00")
    chase()
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    run_out(transfer)
    chase_open_transfers()
    transfer.refresh_from_db()
    assert (transfer.state, transfer.failure_code) == (
        TransferState.FAILED,
        "CASHIER_NEVER_OPENED",
    )


def test_money_that_comes_after_the_end_is_booked_and_flagged(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00")
    address = rail.cashier_address(transfer)
    run_out(transfer)
    chase_open_transfers()
    transfer.refresh_from_db()
    assert transfer.state == TransferState.FAILED
    answer = web().get(address)
    rail.choose(f"{rail.bank.url}{answer.headers['Location']}")
    eventually(lambda: repayments(loan) == 1)
    transfer.refresh_from_db()
    assert transfer.state == TransferState.SUCCEEDED
    assert kinds() == [DifferenceKind.LATE_SUCCESS]
    assert bank_balance(loan) == PAYOUT_BANK + Money.parse("500.00")


def test_paying_everything_twice_leaves_a_credit(rail: Rail, loan: Loan) -> None:
    first = rail.order(loan, "12000.00")
    address = rail.cashier_address(first)
    second = rail.order(loan, "12000.00")
    rail.pay(second)
    settled(second)
    answer = web().get(address)
    rail.choose(f"{rail.bank.url}{answer.headers['Location']}")
    assert settled(first).state == TransferState.SUCCEEDED
    loan.refresh_from_db()
    assert loan.status == LoanStatus.OVERPAID
    assert booked_balances(loan)[LedgerAccount.BORROWER_CREDIT] == Money.parse("-12000.00")


def test_an_order_at_the_cashier_is_never_collected_from_a_card(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00")
    assert begin_sending(transfer_id=transfer.pk) is None
    send_transfer(transfer_id=transfer.pk)
    assert rail.orders() == {}


def test_strangers_see_neither_cashier_nor_return(rail: Rail, loan: Loan) -> None:
    transfer = rail.order(loan, "500.00")
    back = rail.pay(transfer).removeprefix(rail.site)
    rail.borrower.logout()
    assert "/login/" in rail.borrower.get(back)["Location"]
    rail.borrower.force_login(make_borrower())
    assert rail.borrower.get(back).status_code == 404
    assert rail.borrower.get(f"/payments/{transfer.public_id}/alipay/").status_code == 404
