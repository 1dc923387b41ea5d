"""The bank's daily bill against our books: each way of differing, through the socket."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from loans.adapters.bills import compare_missing_days, compare_with_bank
from loans.engine.bank_bill import UnreadableBillError
from loans.engine.lifecycle import TransferState
from loans.models import BankBill, BankDifference, BankTransfer, Loan, LoanEvent
from loans.models.reconciliation import DifferenceKind
from loans.models.transfer import TransferDirection
from loans.services.transfers import order_transfer
from loans.tasks import reconcile_bank, send_transfer
from tests.integration.loans.rail.conftest import Rail, settled
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM
from zhixin.shared.money import Money
from zhixin.shared.signing import BANK_TIME_ZONE

pytestmark = pytest.mark.django_db(transaction=True)


def yuan(text: str) -> Money:
    return Money.parse(text)


@pytest.fixture
def today(rail: Rail) -> datetime.date:
    """The bank's day of now, whose bill the bank is told to have ready."""
    day = clock.now().astimezone(BANK_TIME_ZONE).date()
    rail.bank.control("bills", {"ready_through": day.isoformat()})
    return day


def compare(rail: Rail, day: datetime.date) -> BankBill:
    return compare_with_bank(rail.client(), day, actor=SYSTEM, at=clock.now())


@pytest.fixture
def paid(rail: Rail, loan: Loan) -> BankTransfer:
    """A payment of 500.00 that the bank and our books know alike."""
    # The payout of the factory was never with this bank: its day is long past.
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    return settled(transfer)


def only() -> BankDifference:
    return BankDifference.objects.get()


def sums(bill: BankBill) -> tuple[Money, ...]:
    return (bill.bank_in, bill.our_in, bill.bank_out, bill.our_out)


def test_a_day_on_which_all_agrees(rail: Rail, today: datetime.date, paid: BankTransfer) -> None:
    bill = compare(rail, today)
    assert (bill.line_count, bill.matched_count, bill.run) == (1, 1, 1)
    assert sums(bill) == (yuan("500.00"), yuan("500.00"), Money.zero(), Money.zero())
    assert not BankDifference.objects.exists()
    assert compare(rail, today).run == 2


def test_a_payout_is_compared_by_the_bill_of_the_account(
    rail: Rail, today: datetime.date, loan: Loan
) -> None:
    with transaction.atomic():
        loan = Loan.objects.select_for_update().get(pk=loan.pk)
        refund = order_transfer(
            loan=loan,
            direction=TransferDirection.PAYOUT,
            purpose="REFUND",
            amount=yuan("10.00"),
            account_name="李小华",
            card_number="6222021234567890128",
            business_date=datetime.date(2026, 6, 16),
            at=clock.now(),
        )
    send_transfer(transfer_id=refund.pk)
    settled(refund)
    bill = compare(rail, today)
    assert sums(bill)[2] == yuan("10.00")
    assert bill.line_count == 1


def test_a_row_that_is_missing_at_the_bank(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    rail.bank.fault("bill_missing_row")
    bill = compare(rail, today)
    found = only()
    assert (found.kind, found.transfer, found.our_amount, found.bank_amount) == (
        DifferenceKind.MISSING_AT_BANK,
        paid,
        yuan("500.00"),
        None,
    )
    assert sums(bill) == (Money.zero(), yuan("500.00"), Money.zero(), Money.zero())
    assert found.our_side["state"] == "SUCCEEDED"


def test_a_row_that_is_missing_with_us(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    rail.bank.fault("bill_extra_row")
    bill = compare(rail, today)
    found = only()
    assert (found.kind, found.transfer, found.bank_amount) == (
        DifferenceKind.MISSING_WITH_US,
        None,
        yuan("88.00"),
    )
    assert found.bank_side["商品名称"] == "不明来款"
    assert sums(bill)[:2] == (yuan("588.00"), yuan("500.00"))
    # The same difference found again is the same row.
    rail.bank.fault("bill_extra_row")
    compare(rail, today)
    assert only() == found


def test_an_amount_that_differs(rail: Rail, today: datetime.date, paid: BankTransfer) -> None:
    rail.bank.fault("bill_wrong_amount")
    compare(rail, today)
    found = only()
    assert (found.kind, found.transfer) == (DifferenceKind.AMOUNT_DIFFERS, paid)
    assert (found.bank_amount, found.our_amount) == (yuan("501.00"), yuan("500.00"))


def test_a_row_that_stands_twice(rail: Rail, today: datetime.date, paid: BankTransfer) -> None:
    rail.bank.fault("bill_double_row")
    bill = compare(rail, today)
    assert only().kind == DifferenceKind.DUPLICATE_AT_BANK
    assert (bill.line_count, bill.matched_count) == (2, 1)


def test_a_payment_whose_notice_was_lost_is_a_state_that_differs(
    rail: Rail, today: datetime.date, loan: Loan
) -> None:
    rail.bank.fault("drop_notice")
    transfer = rail.order(loan, "500.00")
    rail.pay(transfer)
    compare(rail, today)
    assert (only().kind, only().transfer) == (DifferenceKind.STATE_DIFFERS, transfer)
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    assert LoanEvent.objects.filter(loan=loan, kind="REPAYMENT").count() == 0


def test_a_fee_that_was_not_agreed(
    rail: Rail, today: datetime.date, paid: BankTransfer, settings: Any
) -> None:
    settings.BANK_FEE_RATE = "0.006"
    compare(rail, today)
    found = only()
    assert found.kind == DifferenceKind.FEE
    assert (found.bank_amount, found.our_amount) == (Money.zero(), yuan("3.00"))


def test_a_bill_whose_own_sums_lie_is_refused_whole(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    rail.bank.fault("bill_wrong_total")
    with pytest.raises(UnreadableBillError, match="交易合计"):
        compare(rail, today)
    assert not BankBill.objects.exists()
    assert not BankDifference.objects.exists()


def report_into(found: list[str]) -> Callable[[datetime.date, object], None]:
    return lambda day, outcome: found.append(f"{day} {type(outcome).__name__}")


def test_a_bill_that_is_not_ready_is_tried_again_and_missed_days_are_caught_up(
    rail: Rail, today: datetime.date, paid: BankTransfer
) -> None:
    earlier = clock.now() - datetime.timedelta(days=2)
    BankTransfer.objects.update(created_at=earlier)
    rail.bank.fault("bill_not_ready")
    days = [today - datetime.timedelta(days=number) for number in (2, 1, 0)]

    def run() -> list[str]:
        found: list[str] = []
        compare_missing_days(
            rail.client(),
            through=today,
            actor=SYSTEM,
            clock=clock.now,
            report=report_into(found),
        )
        return found

    assert run() == [
        f"{days[0]} BillNotReadyError",
        f"{days[1]} BankBill",
        f"{days[2]} BankBill",
    ]
    assert run() == [f"{days[0]} BankBill"]
    assert run() == []
    assert sorted(BankBill.objects.values_list("bill_date", flat=True)) == sorted(days)


def test_the_command_says_what_agrees_and_what_is_not_ready(
    rail: Rail, today: datetime.date, paid: BankTransfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = clock.now() + datetime.timedelta(days=2)
    monkeypatch.setattr(
        "loans.management.commands.reconcile_bank.clock", SimpleNamespace(now=lambda: later)
    )
    said = StringIO()
    call_command("reconcile_bank", "--date", today.isoformat(), stdout=said)
    assert said.getvalue() == (
        f"{today}: 1 of 1 lines agree; in 500.00 / 500.00, out 0.00 / 0.00 (bank / ours); "
        "0 new differences.\n"
    )
    tomorrow = today + datetime.timedelta(days=1)
    with pytest.raises(CommandError, match="not ready"):
        call_command("reconcile_bank", "--date", tomorrow.isoformat())


@pytest.mark.parametrize("days", [0, 1])
def test_the_command_compares_no_day_that_is_not_over(
    rail: Rail, today: datetime.date, paid: BankTransfer, days: int
) -> None:
    # The bank has its bill ready: what moves in the rest of the day would be compared by nobody.
    day = today + datetime.timedelta(days=days)
    with pytest.raises(CommandError, match=rf"^{day}: this day of the bank .* is not over"):
        call_command("reconcile_bank", "--date", day.isoformat())
    assert not BankBill.objects.exists()


def test_the_command_says_what_to_do_when_no_bank_is_there(
    rail: Rail, paid: BankTransfer, settings: Any
) -> None:
    BankTransfer.objects.update(created_at=clock.now() - datetime.timedelta(days=2))
    yesterday = clock.now().astimezone(BANK_TIME_ZONE).date() - datetime.timedelta(days=1)
    before = yesterday - datetime.timedelta(days=1)
    rail.bank.kill()
    settings.DEVELOPER_PAGES = True
    words = f"no bank answers at {rail.bank.url}: start `make run` in another terminal and do "
    words += "this again while it runs."
    with pytest.raises(CommandError) as one:
        call_command("reconcile_bank", "--date", yesterday.isoformat())
    assert str(one.value) == f"{yesterday}: {words}"
    with pytest.raises(CommandError) as missing:
        call_command("reconcile_bank")
    assert str(missing.value) == f"{before} to {yesterday}: {words}"
    settings.BANK_PUBLIC_KEY_PEM = ""
    with pytest.raises(CommandError, match=r"keys for the bank are missing .* start `make run`"):
        call_command("reconcile_bank")
    assert not BankBill.objects.exists()


def test_the_task_leaves_a_bank_that_is_away_for_later(rail: Rail, paid: BankTransfer) -> None:
    BankTransfer.objects.update(created_at=clock.now() - datetime.timedelta(days=2))
    rail.bank.kill()
    reconcile_bank()
    assert not BankBill.objects.exists()


@pytest.mark.parametrize("table", ["bankbill", "bankdifference", "differencestep"])
def test_what_was_compared_is_never_changed(
    rail: Rail, today: datetime.date, paid: BankTransfer, table: str
) -> None:
    rail.bank.fault("bill_extra_row")
    compare(rail, today)
    found = only()
    found.steps.create(kind="CLAIMED", actor_label="x", recorded_at=clock.now())
    for statement in (f"DELETE FROM loans_{table}", f"UPDATE loans_{table} SET id = id"):
        with (
            pytest.raises(DatabaseError, match=r"Cannot (update|delete)"),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
