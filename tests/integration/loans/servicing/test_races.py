"""Threads that want the same loan at once: nothing is lost, nothing counts twice, no deadlock."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import User
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.models import BankTransfer, Loan, LoanEvent
from loans.models.received_money import MoneyChannel
from loans.models.transfer import TransferPurpose
from loans.services.business_day import close_days
from loans.services.charge_offs import charge_off
from loans.services.disputes import open_dispute, resolve_dispute
from loans.services.due_dates import move_due_date
from loans.services.ledger import booked_balances
from loans.services.projection import loan_keys, repair_loan
from loans.services.received_money import (
    MoneyAlreadyRecordedError,
    record_recovery,
    record_repayment,
)
from loans.services.refunds import UnableToRefundError, refund_closed_loan, refund_credit
from loans.services.reversals import AlreadyReversedError, reverse_event
from loans.services.waivers import UnableToWaiveError, waive
from tests.factories.collections_app import FIRST_DUE, FIRST_LATE, late_loan
from tests.factories.corrections import (
    amounts,
    assert_books_agree,
    by_two,
    how,
    make_servicer,
    yuan,
)
from tests.factories.funded import SIGNED_AT, SIGNED_ON, Clock, funded_loan, settle
from tests.integration.loans.servicing.test_corrections import collected, fresh, received
from zhixin.shared.actor import NIGHT, SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = range(4)
TEN_LATE = FIRST_DUE + datetime.timedelta(days=10)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run the works in threads that start together; return their results, errors as values."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return work()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def none_failed(results: list[Any]) -> None:
    assert [result for result in results if isinstance(result, Exception)] == []


def late_with_history(staff: User) -> Loan:
    """Return a loan ten days late, with a repayment and a dispute, of which each may be undone."""
    loan = late_loan(on=TEN_LATE)
    received(loan, "10.00", on=FIRST_LATE, staff=staff)
    open_dispute(loan_id=loan.pk, number=1, **how(staff))
    return loan


def newest(loan: Loan, kind: str) -> UUID:
    row = loan.events.filter(kind=kind).order_by("-sequence").first()
    assert row is not None
    return row.event_id


def money(loan: Loan, manner: Any) -> LoanEvent:
    return record_repayment(
        loan_id=loan.pk,
        amount=yuan("25.00"),
        effective_date=FIRST_LATE,
        channel=MoneyChannel.WALLET,
        reference="W-1",
        **manner,
    )


COMMANDS: dict[str, Callable[[Loan, Any], Any]] = {
    "repayment": money,
    "reversal": lambda loan, manner: reverse_event(
        loan_id=loan.pk, event_id=newest(loan, "REPAYMENT"), **manner
    ),
    "waiver": lambda loan, manner: waive(
        loan_id=loan.pk, amounts=amounts(interest="1.00"), **manner
    ),
    "due date": lambda loan, manner: move_due_date(
        loan_id=loan.pk, number=2, payable_through=datetime.date(2026, 9, 1), **manner
    ),
    "charge-off": lambda loan, manner: charge_off(loan_id=loan.pk, **manner),
    "dispute": lambda loan, manner: open_dispute(loan_id=loan.pk, number=2, **manner),
    "answer": lambda loan, manner: resolve_dispute(
        loan_id=loan.pk, dispute_id=newest(loan, "DISPUTE"), **manner
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_eight_threads_with_one_key_make_one_event(name: str) -> None:
    staff = make_servicer()
    loan = late_with_history(staff)
    before = loan.events.count()
    results = at_once(
        *[lambda: COMMANDS[name](loan, how(staff, key="one", on=TEN_LATE)).pk for _ in range(8)]
    )
    assert len(set(results)) == 1, results
    assert loan.events.count() == before + 1
    assert_books_agree(loan)


def test_eight_threads_with_one_key_make_one_recovery_and_one_refund() -> None:
    staff = make_servicer()
    loan = late_loan(on=TEN_LATE)
    charge_off(loan_id=loan.pk, **how(staff))
    recovered = at_once(
        *[
            lambda: (
                record_recovery(
                    loan_id=loan.pk,
                    amount=yuan("12200.00"),
                    effective_date=TEN_LATE,
                    channel=MoneyChannel.COURT,
                    reference="C-1",
                    **how(staff, key="recovery", on=TEN_LATE),
                ).pk
            )
            for _ in range(8)
        ]
    )
    assert len(set(recovered)) == 1
    refunds = at_once(
        *[
            lambda: (
                refund_credit(
                    loan_id=loan.pk, amount=yuan("10.00"), **how(staff, key="refund", on=TEN_LATE)
                ).pk
            )
            for _ in range(8)
        ]
    )
    assert len(set(refunds)) == 1
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REFUND).count() == 1
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_one_reference_booked_by_eight_on_two_loans_counts_once(_round: int) -> None:
    staff = make_servicer()
    loans = [late_loan(), late_loan()]
    results = at_once(
        *[
            lambda loan=loan: (
                received(loan, "30.00", on=FIRST_LATE, reference="R-1", staff=staff).pk
            )
            for loan in loans * 4
        ]
    )
    refused = [result for result in results if isinstance(result, MoneyAlreadyRecordedError)]
    assert len(refused) == 7, results
    assert LoanEvent.objects.filter(kind="REPAYMENT").count() == 1
    for loan in loans:
        assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_two_who_pay_everything_close_the_loan_once_and_the_rest_is_credit(_round: int) -> None:
    loan = funded_loan()
    staff = make_servicer()
    transfer = collected(loan, "12000.00", on=SIGNED_ON)
    results = at_once(
        lambda: settle(transfer).state,
        lambda: received(loan, "12000.00", on=SIGNED_ON, staff=staff).kind,
    )
    assert results == ["SUCCEEDED", "REPAYMENT"]
    loan = fresh(loan)
    assert (loan.status, loan.overpaid_amount) == (LoanStatus.OVERPAID, yuan("12000.00"))
    booked = {account: sum_ for account, sum_ in booked_balances(loan).items() if sum_}
    assert booked == {
        LedgerAccount.BANK: yuan("12000.00"),
        LedgerAccount.BORROWER_CREDIT: yuan("-12000.00"),
    }
    closings = loan.status_changes.filter(to_status__in=["PAID_OFF", "OVERPAID"])
    assert [change.from_status for change in closings].count("ACTIVE") == 1
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_reversal_racing_a_payment(_round: int) -> None:
    staff = make_servicer()
    loan = late_loan(on=TEN_LATE)
    first = received(loan, "1066.19", on=FIRST_DUE, staff=staff)
    transfer = collected(loan, "1066.19", on=TEN_LATE)
    results = at_once(
        lambda: reverse_event(loan_id=loan.pk, event_id=first.event_id, **by_two(staff)).kind,
        lambda: settle(transfer).state,
    )
    assert results == ["REVERSAL", "SUCCEEDED"]
    # Only the second payment counts: ten days late, so 4.73 of penalty, paid before principal.
    assert fresh(loan).overdue_amount == yuan("4.73")
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_reversal_racing_a_reversal(_round: int) -> None:
    staff = make_servicer()
    loan = late_loan()
    paid = received(loan, "500.00", on=FIRST_LATE, staff=staff)
    results = at_once(
        *[
            lambda: reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(staff)).kind
            for _ in range(8)
        ]
    )
    assert results.count("REVERSAL") == 1
    assert sum(isinstance(result, AlreadyReversedError) for result in results) == 7
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_waiver_racing_a_payment_never_gives_up_what_is_paid(_round: int) -> None:
    staff = make_servicer()
    loan = late_loan(on=TEN_LATE)
    transfer = collected(loan, "1070.92", on=TEN_LATE)
    waived, paid = at_once(
        lambda: waive(loan_id=loan.pk, amounts=amounts(penalty="4.73"), **how(staff)).kind,
        lambda: settle(transfer).state,
    )
    assert paid == "SUCCEEDED"
    booked = booked_balances(loan)
    given_up = booked.get(LedgerAccount.WAIVERS, yuan("0"))
    if waived == "WAIVER":
        assert given_up == yuan("4.73")
        assert fresh(loan).principal_outstanding == yuan("11049.08")
    else:
        assert isinstance(waived, UnableToWaiveError)
        assert (given_up, fresh(loan).principal_outstanding) == (yuan("0"), yuan("11053.81"))
    assert fresh(loan).days_past_due == 0
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_charge_off_racing_a_payment(_round: int) -> None:
    staff = make_servicer()
    loan = late_loan(on=TEN_LATE)
    transfer = collected(loan, "1000.00", on=TEN_LATE)
    results = at_once(
        lambda: charge_off(loan_id=loan.pk, **how(staff)).kind,
        lambda: settle(transfer).state,
    )
    assert results == ["CHARGE_OFF", "SUCCEEDED"]
    booked = booked_balances(loan)
    came_first = loan.events.filter(kind="REPAYMENT").exists()
    # Before the charge-off it lowers the loss, after it it is income; the sum is the same.
    assert booked.get(LedgerAccount.RECOVERY_INCOME, yuan("0")) == (
        yuan("0") if came_first else yuan("-1000.00")
    )
    loss = booked[LedgerAccount.CHARGE_OFF_LOSS] + booked.get(
        LedgerAccount.RECOVERY_INCOME, yuan("0")
    )
    assert loss == yuan("11160.39")
    assert fresh(loan).status == LoanStatus.CHARGED_OFF
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_corrections_racing_the_night(_round: int) -> None:
    staff = make_servicer()
    loan = late_loan()
    paid = received(loan, "500.00", on=FIRST_LATE, staff=staff)
    late = FIRST_LATE + datetime.timedelta(days=3)
    results = at_once(
        lambda: close_days(through=late, actor=NIGHT, clock=Clock(), progress=lambda _: None),
        lambda: (
            reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(staff, on=FIRST_LATE)).kind
        ),
        lambda: (
            waive(
                loan_id=loan.pk, amounts=amounts(interest="5.00"), **how(staff, on=FIRST_LATE)
            ).kind
        ),
        lambda: received(loan, "40.00", on=FIRST_DUE, staff=staff).kind,
    )
    # The interest may be paid by the 500.00 that are about to be reversed.
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, UnableToWaiveError) for error in refused), results
    assert fresh(loan).projected_as_of == late
    assert_books_agree(loan)


@pytest.mark.parametrize("_round", ROUNDS)
def test_refunds_by_itself_and_by_people_never_exceed_the_credit(_round: int) -> None:
    staff = make_servicer()
    loan = funded_loan()
    received(loan, "12050.00", on=SIGNED_ON, staff=staff)
    results = at_once(
        *[
            lambda: refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT)
            for _ in range(3)
        ],
        *[
            lambda: refund_credit(loan_id=loan.pk, amount=yuan("50.00"), **how(staff))
            for _ in range(3)
        ],
    )
    orders = [result for result in results if isinstance(result, BankTransfer)]
    assert len(orders) == 1, results
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, UnableToRefundError) for error in refused)
    settle(orders[0])
    assert fresh(loan).status == LoanStatus.PAID_OFF
    assert_books_agree(loan)


def test_everything_at_once_on_two_loans_leaves_books_that_agree() -> None:
    staff = make_servicer()
    loans = [late_with_history(staff) for _ in range(2)]
    for _ in ROUNDS:
        works = [
            lambda loan=loan, name=name: COMMANDS[name](
                loan, how(staff, on=TEN_LATE, key=str(uuid4()))
            )
            for loan in loans
            for name in ("repayment", "waiver", "due date", "reversal", "dispute")
        ]
        results = at_once(*works)
        wild = [
            result
            for result in results
            if isinstance(result, Exception) and not hasattr(result, "field")
        ]
        assert wild == []
        for loan in loans:
            assert_books_agree(loan)


def test_rebuilding_while_payments_happen_finds_and_changes_nothing() -> None:
    staff = make_servicer()
    loans = [late_loan() for _ in range(3)]
    transfers = [collected(loan, "100.00", on=FIRST_LATE) for loan in loans]

    def rebuild() -> list[str]:
        return [
            difference.item
            for _ in range(4)
            for key in loan_keys()
            for difference in repair_loan(loan_id=key, actor=SYSTEM, at=SIGNED_AT).differences
        ]

    results = at_once(
        rebuild,
        rebuild,
        lambda: [settle(transfer).state for transfer in transfers],
        lambda: [received(loan, "20.00", on=FIRST_DUE, staff=staff).kind for loan in loans],
    )
    assert results == [[], [], ["SUCCEEDED"] * 3, ["REPAYMENT"] * 3]
    for loan in loans:
        assert_books_agree(loan)
