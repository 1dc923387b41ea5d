"""Payout, repayment and the night on real PostgreSQL: once each, to the cent."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import (
    BankNotice,
    BankTransfer,
    BusinessDay,
    Installment,
    JournalEntry,
    Loan,
    LoanEvent,
    MoneyCommand,
    NightStepRun,
    Posting,
)
from loans.models.transfer import NoticeVerdict, TransferPurpose
from loans.services.business_day import close_days
from loans.services.commands import KeyReusedError, MissingKeyError
from loans.services.ledger import booked_balances
from loans.services.repayments import (
    RepaymentNeedsConfirmationError,
    UnableToRepayError,
    request_repayment,
)
from loans.services.transfers import Outcome, settle_transfer
from tests.factories.accounts import CARD_NUMBER
from tests.factories.funded import (
    SIGNED_AT,
    SIGNED_ON,
    Clock,
    funded_loan,
    settle,
    signed_loan,
    word,
)
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money, total

FIRST_DUE = datetime.date(2026, 7, 16)


def yuan(text: str) -> Money:
    return Money.parse(text)


def pay(
    loan: Loan,
    amount: str,
    *,
    key: str | None = None,
    on: datetime.date = SIGNED_ON,
    confirmed: bool = False,
) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=yuan(amount),
        key=str(uuid4()) if key is None else key,
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=SIGNED_AT,
        confirmed=confirmed,
    )


def close_through(date: datetime.date) -> list[datetime.date]:
    return close_days(through=date, actor=NIGHT, clock=Clock(), progress=lambda _: None)


def assert_books_balance(loan: Loan) -> None:
    assert total(booked_balances(loan).values()) == Money.zero()


@pytest.mark.django_db
def test_payout_makes_the_loan_active_and_books_it() -> None:
    loan, payout = signed_loan()
    assert loan.status == LoanStatus.PENDING
    settle(payout)
    loan.refresh_from_db()
    assert loan.status == LoanStatus.ACTIVE
    assert loan.disbursed_on == SIGNED_ON
    assert loan.principal_outstanding == yuan("12000.00")
    assert (loan.next_due_date, loan.next_due_amount) == (FIRST_DUE, yuan("1066.19"))
    assert loan.installments.count() == 12
    assert booked_balances(loan) == {
        LedgerAccount.LOANS_RECEIVABLE: yuan("12000.00"),
        LedgerAccount.BANK: yuan("-12000.00"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_call_back_counts_once_however_often_it_comes(times: int) -> None:
    loan, payout = signed_loan()
    verdicts = [
        settle_transfer(reference=str(payout.public_id), word=word(payout), at=SIGNED_AT)
        for _ in range(times)
    ]
    assert verdicts == [NoticeVerdict.APPLIED] + [NoticeVerdict.DUPLICATE] * (times - 1)
    assert LoanEvent.objects.filter(loan=loan).count() == 1
    assert JournalEntry.objects.filter(loan=loan).count() == 1
    assert BankNotice.objects.filter(transfer=payout).count() == times


@pytest.mark.django_db
def test_a_notice_with_another_amount_is_kept_and_not_applied() -> None:
    loan, payout = signed_loan()
    verdict = settle_transfer(
        reference=str(payout.public_id),
        word=word(payout, amount=yuan("11640.00")),
        at=SIGNED_AT,
    )
    payout.refresh_from_db()
    assert verdict == NoticeVerdict.CONFLICT
    assert payout.state == TransferState.PENDING
    assert not LoanEvent.objects.filter(loan=loan).exists()
    assert BankNotice.objects.get(transfer=payout).verdict == NoticeVerdict.CONFLICT


@pytest.mark.django_db
def test_a_failure_after_a_success_changes_nothing() -> None:
    loan, payout = signed_loan()
    settle(payout)
    settle(payout, Outcome.FAILED)
    loan.refresh_from_db()
    assert payout.state == TransferState.SUCCEEDED
    assert loan.status == LoanStatus.ACTIVE
    verdicts = list(BankNotice.objects.order_by("pk").values_list("verdict", flat=True))
    assert verdicts == [NoticeVerdict.APPLIED, NoticeVerdict.CONFLICT]


@pytest.mark.django_db
def test_a_notice_for_no_transfer_is_kept() -> None:
    _, payout = signed_loan()
    verdict = settle_transfer(reference=str(uuid4()), word=word(payout), at=SIGNED_AT)
    assert verdict == NoticeVerdict.UNMATCHED
    assert BankNotice.objects.get().transfer is None


@pytest.mark.django_db
def test_a_loan_is_paid_out_once() -> None:
    loan, payout = signed_loan()
    with pytest.raises(IntegrityError), transaction.atomic():
        BankTransfer.objects.create(
            loan=loan,
            direction="PAYOUT",
            purpose=TransferPurpose.DISBURSEMENT,
            amount=loan.principal,
            account_name="x",
            card_number=CARD_NUMBER,
            card_last_four="0000",
            effective_date=SIGNED_ON,
            created_at=SIGNED_AT,
        )
    assert list(loan.transfers.all()) == [payout]


@pytest.mark.django_db
def test_repayment_counts_when_the_bank_confirms_it() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    transfer = pay(loan, "1066.19", on=FIRST_DUE)
    assert LoanEvent.objects.filter(loan=loan).count() == 1
    settle(transfer)
    loan.refresh_from_db()
    first = loan.installments.get(number=1)
    assert first.paid_on == FIRST_DUE
    assert (first.principal_paid, first.interest_paid) == (yuan("946.19"), yuan("120.00"))
    assert loan.principal_outstanding == yuan("11053.81")
    assert loan.next_due_date == datetime.date(2026, 8, 16)
    assert booked_balances(loan) == {
        LedgerAccount.LOANS_RECEIVABLE: yuan("11053.81"),
        LedgerAccount.BANK: yuan("-10933.81"),
        LedgerAccount.INTEREST_RECEIVABLE: Money.zero(),
        LedgerAccount.INTEREST_INCOME: yuan("-120.00"),
    }


@pytest.mark.django_db
def test_repayment_confirmed_after_the_night_still_counts_for_its_day() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    transfer = pay(loan, "1066.19", on=FIRST_DUE)
    close_through(FIRST_DUE + datetime.timedelta(days=2))
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due) == (LoanStatus.OVERDUE, 2)
    settle(transfer)
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due) == (LoanStatus.ACTIVE, 0)
    assert booked_balances(loan)[LedgerAccount.PENALTY_INCOME] == Money.zero()
    assert_books_balance(loan)


@pytest.mark.django_db
def test_paying_the_payoff_amount_closes_at_zero() -> None:
    loan = funded_loan()
    settle(pay(loan, "12000.00"))
    loan.refresh_from_db()
    assert (loan.status, loan.closed_on) == (LoanStatus.PAID_OFF, SIGNED_ON)
    assert all(not amount for amount in booked_balances(loan).values())


@pytest.mark.django_db
def test_the_same_key_and_amount_is_one_payment() -> None:
    loan = funded_loan()
    key = str(uuid4())
    assert pay(loan, "100.00", key=key) == pay(loan, "100.00", key=key)
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount", "key", "error"),
    [
        ("200.00", "used", KeyReusedError),
        ("100.00", "", MissingKeyError),
        ("100.00", "x" * 81, MissingKeyError),
        ("0.00", "new", UnableToRepayError),
        ("-5.00", "new", UnableToRepayError),
        ("11900.01", "new", UnableToRepayError),
    ],
)
def test_refusals_leave_nothing_behind(amount: str, key: str, error: type[Exception]) -> None:
    loan = funded_loan()
    pay(loan, "100.00", key="used")
    before = (MoneyCommand.objects.count(), BankTransfer.objects.count())
    with pytest.raises(error):
        pay(loan, amount, key=key)
    assert (MoneyCommand.objects.count(), BankTransfer.objects.count()) == before


@pytest.mark.django_db
def test_an_amount_that_is_on_its_way_is_not_taken_again() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    first = pay(loan, "1066.19", on=FIRST_DUE)
    for confirmed in (False, True):
        with pytest.raises(UnableToRepayError, match=r"1,066\.19 is already on its way"):
            pay(loan, "1066.19", on=FIRST_DUE, confirmed=confirmed)
    assert list(BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT)) == [first]
    # Refused by the bank, it may be tried again.
    settle(first, Outcome.FAILED)
    assert pay(loan, "1066.19", on=FIRST_DUE).state == TransferState.PENDING


@pytest.mark.django_db
def test_beyond_what_is_due_beside_a_payment_on_its_way_is_confirmed_first() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    pay(loan, "500.00", on=FIRST_DUE)
    assert pay(loan, "566.19", on=FIRST_DUE).state == TransferState.PENDING
    before = (MoneyCommand.objects.count(), BankTransfer.objects.count())
    with pytest.raises(RepaymentNeedsConfirmationError):
        pay(loan, "0.01", key="more", on=FIRST_DUE)
    assert (MoneyCommand.objects.count(), BankTransfer.objects.count()) == before
    assert pay(loan, "0.01", key="more", on=FIRST_DUE, confirmed=True).amount == yuan("0.01")


@pytest.mark.django_db
def test_the_same_amount_twice_on_a_day_is_confirmed_when_it_is_not_due() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    settle(pay(loan, "1066.19", on=FIRST_DUE))
    with pytest.raises(RepaymentNeedsConfirmationError, match="today already"):
        pay(loan, "1066.19", on=FIRST_DUE)
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count() == 1
    # Another amount, another day, or a person's word: taken.
    next_day = FIRST_DUE + datetime.timedelta(days=1)
    for amount, on, confirmed in [
        ("1000.00", FIRST_DUE, False),
        ("1066.19", FIRST_DUE, True),
        ("1066.19", next_day, False),
    ]:
        assert settle(pay(loan, amount, on=on, confirmed=confirmed)).amount == yuan(amount)


@pytest.mark.django_db
def test_half_and_half_of_what_is_due_needs_no_confirmation() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    settle(pay(loan, "533.00", on=FIRST_DUE))
    assert settle(pay(loan, "533.00", on=FIRST_DUE)).state == TransferState.SUCCEEDED


@pytest.mark.django_db
def test_paying_everything_beside_a_payment_on_its_way_needs_no_confirmation() -> None:
    loan = funded_loan()
    pay(loan, "1000.00")
    assert pay(loan, "11000.00").state == TransferState.PENDING


@pytest.mark.django_db
def test_a_failed_debit_leaves_the_loan_as_it_was() -> None:
    loan = funded_loan()
    transfer = settle(pay(loan, "500.00"), Outcome.FAILED)
    loan.refresh_from_db()
    assert transfer.state == TransferState.FAILED
    assert loan.principal_outstanding == yuan("12000.00")
    assert pay(loan, "12000.00").state == TransferState.PENDING


@pytest.mark.django_db
def test_the_night_ages_a_missed_installment_day_by_day() -> None:
    loan = funded_loan()
    assert len(close_through(FIRST_DUE + datetime.timedelta(days=10))) == 40
    loan.refresh_from_db()
    assert loan.status == LoanStatus.OVERDUE
    assert (loan.days_past_due, loan.bucket, loan.overdue_since) == (10, "M1", FIRST_DUE)
    # 946.19 × 18 % × 10 / 360 = 4.73
    assert loan.installments.get(number=1).penalty == yuan("4.73")
    assert loan.overdue_amount == yuan("1070.92")
    assert booked_balances(loan)[LedgerAccount.PENALTY_RECEIVABLE] == yuan("4.73")
    assert_books_balance(loan)
    settle(pay(loan, "1070.92", on=FIRST_DUE + datetime.timedelta(days=10)))
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due, loan.overdue_amount) == (
        LoanStatus.ACTIVE,
        0,
        Money.zero(),
    )


@pytest.mark.django_db
def test_a_night_that_was_killed_between_steps_goes_on() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    NightStepRun.objects.create(
        business_date=FIRST_DUE + datetime.timedelta(days=1),
        step="loans.services.night.bill_due_installments",
        item_count=0,
        started_at=SIGNED_AT,
        finished_at=SIGNED_AT,
    )
    close_through(FIRST_DUE + datetime.timedelta(days=1))
    loan.refresh_from_db()
    assert loan.days_past_due == 1
    assert BusinessDay.objects.get().current_date == FIRST_DUE + datetime.timedelta(days=1)
    entries = JournalEntry.objects.count()
    assert close_through(FIRST_DUE + datetime.timedelta(days=1)) == []
    assert JournalEntry.objects.count() == entries


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def run(index: int) -> Any:
        try:
            barrier.wait()
            return work(index)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_eight_threads_with_one_key_make_one_payment() -> None:
    loan = funded_loan()
    key = str(uuid4())
    results = in_threads(8, lambda _: pay(loan, "100.00", key=key).pk)
    assert len(set(results)) == 1
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_threads_with_keys_of_their_own_never_pay_more_than_is_owed() -> None:
    loan = funded_loan()
    # Eight amounts that differ: an amount that is on its way is not taken a second time.
    results = in_threads(8, lambda index: pay(loan, f"{2900 + index}.00", confirmed=True))
    refused = [result for result in results if isinstance(result, UnableToRepayError)]
    assert len(refused) == 4
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count() == 4


@pytest.mark.django_db(transaction=True)
def test_eight_threads_with_one_call_back_settle_once() -> None:
    loan, payout = signed_loan()
    verdicts = in_threads(
        8,
        lambda _: settle_transfer(reference=str(payout.public_id), word=word(payout), at=SIGNED_AT),
    )
    assert sorted(verdicts) == [NoticeVerdict.APPLIED] + [NoticeVerdict.DUPLICATE] * 7
    assert LoanEvent.objects.filter(loan=loan).count() == 1
    assert booked_balances(loan)[LedgerAccount.BANK] == yuan("-12000.00")


@pytest.mark.django_db(transaction=True)
def test_a_payment_racing_the_night_is_neither_lost_nor_doubled() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    transfer = pay(loan, "1066.19", on=FIRST_DUE)
    late = FIRST_DUE + datetime.timedelta(days=5)
    results = in_threads(2, lambda index: close_through(late) if index else settle(transfer).state)
    assert not [result for result in results if isinstance(result, Exception)]
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due) == (LoanStatus.ACTIVE, 0)
    assert booked_balances(loan).get(LedgerAccount.PENALTY_RECEIVABLE, Money.zero()) == yuan("0")
    assert_books_balance(loan)


# --- What the database itself refuses -----------------------------------------------------


def run_sql(statement: str, *parameters: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["loans_loanevent", "loans_journalentry", "loans_posting"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_rows_of_record_refuse_change(table: str, statement: str) -> None:
    funded_loan()
    with pytest.raises(DatabaseError, match=r"Cannot (update|delete)"):
        run_sql(statement.format(table))


def entry_of(loan: Loan, count: int) -> JournalEntry:
    return JournalEntry.objects.create(
        loan=loan,
        business_date=SIGNED_ON,
        reason="TEST",
        posting_count=count,
        actor_label="test",
        recorded_at=SIGNED_AT,
    )


def book(entry: JournalEntry, *legs: tuple[str, int, int]) -> None:
    """Write the legs, and have the deferred triggers look at once."""
    for account, debit, credit in legs:
        Posting.objects.create(
            entry=entry,
            loan=entry.loan,
            account=account,
            debit=Money(debit),
            credit=Money(credit),
        )
    run_sql("SELECT 1")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "legs",
    [
        [],
        [("BANK", 100, 0)],
        [("BANK", 100, 0), ("LOANS_RECEIVABLE", 0, 99)],
        [("BANK", 100, 0), ("LOANS_RECEIVABLE", 0, 60), ("LOANS_RECEIVABLE", 0, 40)],
    ],
    ids=["none", "one-sided", "off by a cent", "more than counted"],
)
def test_an_entry_that_does_not_balance_is_refused(legs: list[tuple[str, int, int]]) -> None:
    loan = funded_loan()
    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        book(entry_of(loan, 2), *legs)


@pytest.mark.django_db
def test_balanced_postings_cannot_be_added_to_an_old_entry() -> None:
    entry = JournalEntry.objects.get(loan=funded_loan())
    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        book(entry, ("BANK", 5, 0), ("BANK", 0, 5))


@pytest.mark.django_db
def test_projection_equals_the_fold_row_for_row() -> None:
    loan = funded_loan()
    rows = Installment.objects.filter(loan=loan)
    assert total(row.principal for row in rows) == yuan("12000.00")
    assert total(row.interest for row in rows) == yuan("794.23")
