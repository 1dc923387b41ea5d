"""What posting a repayment reads, locks and writes: no more than it must."""

from __future__ import annotations

import datetime
import re
import threading
import time
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from loans.engine.lifecycle import TransferState
from loans.models import BankTransfer, Installment, Loan
from loans.models.transfer import TransferDirection, TransferPurpose
from loans.selectors.repayments import in_flight_repayments, in_flight_transfers, standing_of
from loans.selectors.servicing import loan_state
from loans.services.repayments import request_repayment
from loans.services.servicing import refresh_loan
from loans.services.transfers import order_transfer, settle_transfer
from tests.factories.accounts import CARD_NUMBER
from tests.factories.funded import (
    SIGNED_AT,
    SIGNED_ON,
    funded_loan,
    set_business_date,
    settle,
    word,
)
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

FIRST_DUE = datetime.date(2026, 7, 16)


def pay(loan: Loan, cents: int, on: datetime.date = SIGNED_ON) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=Money(cents),
        key=str(uuid4()),
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=SIGNED_AT,
        confirmed=True,
    )


@pytest.mark.django_db
def test_a_repayment_writes_only_what_it_changes() -> None:
    loan = funded_loan()
    set_business_date(FIRST_DUE)
    with transaction.atomic():
        locked = Loan.objects.for_update().get(pk=loan.pk)
        refresh_loan(loan=locked, as_of=FIRST_DUE, reason="BILLED", actor=NIGHT, at=SIGNED_AT)
    before = versions_of(loan)
    with CaptureQueriesContext(connection) as ordered:
        transfer = pay(loan, 106_619, on=FIRST_DUE)
    # Each asks once for all that it has to know: locks and one read, beside what they write.
    assert written_in(ordered) == ["loans_moneycommand", "loans_banktransfer"]
    assert statements_in(ordered) == 4
    with CaptureQueriesContext(connection) as captured:
        settle_transfer(reference=str(transfer.public_id), word=word(transfer), at=SIGNED_AT)
    assert statements_in(captured) == 9
    assert written_in(captured) == [
        "loans_banknotice",
        "loans_banktransfer",
        "loans_loanevent",
        "loans_journalentry",
        "loans_posting",
        "loans_loan",
        "loans_installment",
    ]
    after = versions_of(loan)
    assert [number for number in after if after[number] != before[number]] == [1]


def statements_in(captured: CaptureQueriesContext) -> int:
    """Return how many statements there are, without those that bound a transaction."""
    bounds = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return sum(not query["sql"].startswith(bounds) for query in captured)


def written_in(captured: CaptureQueriesContext) -> list[str]:
    """Return the tables that the statements write, in their order."""
    write = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(loans_\w+)')
    return [table for query in captured for table in write.findall(query["sql"])]


def versions_of(loan: Loan) -> dict[int, tuple[str, str]]:
    """Return where and in which version each installment of the loan is stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number, ctid::text, xmin::text FROM loans_installment WHERE loan_id = %s",
            [loan.pk],
        )
        return {number: (place, version) for number, place, version in cursor.fetchall()}


@pytest.mark.django_db
def test_a_second_fold_of_the_same_facts_writes_nothing() -> None:
    loan = funded_loan()
    settle(pay(loan, 5000))
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        locked = Loan.objects.for_update().get(pk=loan.pk)
        refresh_loan(loan=locked, as_of=SIGNED_ON, reason="AGED", actor=NIGHT, at=SIGNED_AT)
    assert [query["sql"].split()[0] for query in captured] == ["SELECT", "SELECT"]


@pytest.mark.django_db
def test_rows_that_the_fold_does_not_have_are_removed_and_wrong_ones_mended() -> None:
    loan = funded_loan()
    before = list(loan.installments.order_by("number").values())
    row = loan.installments.get(number=12)
    Installment.objects.create(
        loan=loan,
        **{
            name: before[11][name] for name in before[11] if name not in ("id", "loan_id", "number")
        },
        number=40,
    )
    row.balance = Money(1)
    row.due_date -= datetime.timedelta(days=1)
    row.save()
    with transaction.atomic():
        locked = Loan.objects.for_update().get(pk=loan.pk)
        refresh_loan(loan=locked, as_of=SIGNED_ON, reason="AGED", actor=NIGHT, at=SIGNED_AT)
    assert list(loan.installments.order_by("number").values()) == before


@pytest.mark.django_db
def test_the_amounts_on_their_way_are_those_of_the_transfers_on_their_way() -> None:
    loan = funded_loan()
    transfers = [pay(loan, 1000 + number) for number in range(4)]
    settle(transfers[0])
    BankTransfer.objects.filter(pk=transfers[2].pk).update(state=TransferState.SENT)
    with transaction.atomic():
        order_transfer(
            loan=loan,
            direction=TransferDirection.PAYOUT,
            purpose=TransferPurpose.REFUND,
            amount=Money(7),
            account_name="李小华",
            card_number=CARD_NUMBER,
            business_date=SIGNED_ON,
            at=SIGNED_AT,
        )
    state, in_flight = standing_of(loan, as_of=SIGNED_ON)
    assert state == loan_state(loan, as_of=SIGNED_ON)
    assert in_flight == [each.amount for each in in_flight_transfers(loan)]
    assert in_flight == [Money(1001), Money(1002), Money(1003)]
    assert in_flight_repayments(loan) == Money(3006)


@pytest.mark.django_db(transaction=True)
def test_settling_locks_the_loan_before_its_transfer_and_reads_what_was_committed_last() -> None:
    loan = funded_loan()
    transfer = pay(loan, 5000)
    done = threading.Event()

    def settle_in_another_session() -> None:
        try:
            settle(BankTransfer.objects.get(pk=transfer.pk))
        finally:
            connections.close_all()
            done.set()

    def is_transfer_free() -> bool:
        try:
            with transaction.atomic():
                BankTransfer.objects.select_for_update(nowait=True).get(pk=transfer.pk)
        except OperationalError:
            return False
        return True

    with transaction.atomic():
        Loan.objects.for_update().get(pk=loan.pk)
        thread = threading.Thread(target=settle_in_another_session)
        thread.start()
        assert _waits_for_a_lock()
        # It waits for the loan and holds nothing of what comes after it.
        assert is_transfer_free()
        assert not done.is_set()
        Loan.objects.filter(pk=loan.pk).update(bucket="M3")
    thread.join(timeout=30)
    loan.refresh_from_db()
    # The fold wrote what it found changed under the lock.
    assert loan.bucket == "M0"


def _waits_for_a_lock() -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.02)
    return False
