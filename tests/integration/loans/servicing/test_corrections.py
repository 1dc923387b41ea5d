"""Each correction: what it records and books to the cent, and what it refuses without a trace."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Message
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.models import BankTransfer, JournalEntry, Loan, LoanEvent, MoneyCommand, ReceivedMoney
from loans.models.received_money import MoneyChannel
from loans.services.charge_offs import AlreadyChargedOffError, UnableToChargeOffError, charge_off
from loans.services.commands import KeyReusedError, MissingKeyError
from loans.services.corrections import (
    LoanChangedError,
    UnableToCorrectError,
    preview,
    seen_of,
)
from loans.services.disputes import (
    AlreadyDisputedError,
    DisputeAlreadyResolvedError,
    UnableToDisputeError,
    open_dispute,
    resolve_dispute,
)
from loans.services.due_dates import UnableToMoveDueDateError, move_due_date
from loans.services.ledger import booked_balances
from loans.services.notices import tell_borrower_of_transfer
from loans.services.received_money import (
    MoneyAlreadyRecordedError,
    UnableToRecordMoneyError,
    record_recovery,
    record_repayment,
)
from loans.services.refunds import UnableToRefundError, refund_closed_loan, refund_credit
from loans.services.repayments import request_repayment
from loans.services.reversals import AlreadyReversedError, UnableToReverseError, reverse_event
from loans.services.transfers import Outcome
from loans.services.waivers import UnableToWaiveError, Waiver, waive
from tests.factories.accounts import CARD_NUMBER
from tests.factories.collections_app import FIRST_DUE, FIRST_LATE, close_through, late_loan
from tests.factories.corrections import (
    amounts,
    assert_books_agree,
    by_two,
    how,
    make_servicer,
    yuan,
)
from tests.factories.funded import SIGNED_AT, SIGNED_ON, funded_loan, settle, signed_loan

pytestmark = pytest.mark.django_db

TEN_LATE = FIRST_DUE + datetime.timedelta(days=10)
REFERENCE = "2026072600001"


def fresh(loan: Loan) -> Loan:
    return Loan.objects.select_related("agreement").get(pk=loan.pk)


def collected(loan: Loan, amount: str, *, on: datetime.date) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=yuan(amount),
        key=str(uuid4()),
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=SIGNED_AT,
        confirmed=True,
    )


def received(loan: Loan, amount: str, *, on: datetime.date, **more: Any) -> LoanEvent:
    return record_repayment(
        loan_id=loan.pk,
        amount=yuan(amount),
        effective_date=on,
        channel=MoneyChannel.BANK_TRANSFER,
        reference=more.pop("reference", str(uuid4())),
        **how(more.pop("staff", None) or make_servicer(), **more),
    )


def booked(loan: Loan) -> dict[str, str]:
    return {account.value: str(sum_) for account, sum_ in booked_balances(loan).items() if sum_}


def counts(loan: Loan) -> tuple[int, int, int, int]:
    return (
        loan.events.count(),
        JournalEntry.objects.filter(loan=loan).count(),
        MoneyCommand.objects.count(),
        BankTransfer.objects.count(),
    )


# --- Money received outside the rail ------------------------------------------------------


def test_a_backdated_repayment_undoes_lateness_and_penalty() -> None:
    loan = late_loan(on=TEN_LATE)
    assert booked(loan)["PENALTY_RECEIVABLE"] == "4.73"
    row = received(loan, "1066.19", on=FIRST_DUE, reference=REFERENCE)
    loan = fresh(loan)
    assert (row.kind, row.effective_date, row.reason) == (
        "REPAYMENT",
        FIRST_DUE,
        "The borrower showed the receipt.",
    )
    assert (loan.status, loan.days_past_due) == (LoanStatus.ACTIVE, 0)
    assert booked(loan) == {
        "BANK": "-10933.81",
        "LOANS_RECEIVABLE": "11053.81",
        "INTEREST_INCOME": "-120.00",
    }
    receipt = ReceivedMoney.objects.get(event=row)
    assert (receipt.channel, receipt.reference, receipt.use) == ("BANK_TRANSFER", REFERENCE, 1)
    assert_books_agree(loan)


def test_a_reference_is_booked_once_on_any_loan_until_it_is_reversed() -> None:
    wrong, right = late_loan(), funded_loan()
    close_through(FIRST_LATE)
    staff = make_servicer()
    row = received(wrong, "500.00", on=FIRST_DUE, reference=REFERENCE, staff=staff)
    for loan in (wrong, right):
        before = counts(loan)
        with pytest.raises(MoneyAlreadyRecordedError, match=REFERENCE):
            received(loan, "500.00", on=FIRST_DUE, reference=f" {REFERENCE} ")
        assert counts(loan) == before
    reverse_event(loan_id=wrong.pk, event_id=row.event_id, **how(staff))
    again = received(right, "500.00", on=FIRST_DUE, reference=REFERENCE)
    assert ReceivedMoney.objects.get(event=again).use == 2
    with pytest.raises(MoneyAlreadyRecordedError):
        received(right, "500.00", on=FIRST_DUE, reference=REFERENCE)
    assert_books_agree(wrong)
    assert_books_agree(right)


def test_a_payment_that_came_over_the_rail_is_not_booked_again() -> None:
    loan = late_loan()
    transfer = settle(collected(loan, "500.00", on=FIRST_LATE))
    before = counts(loan)
    for reference in (transfer.bank_reference, str(transfer.public_id)):
        with pytest.raises(MoneyAlreadyRecordedError):
            received(loan, "500.00", on=FIRST_LATE, reference=reference)
    assert counts(loan) == before


@pytest.mark.parametrize(
    ("amount", "on", "reference", "field"),
    [
        ("0.00", FIRST_DUE, "A", "amount"),
        ("-1.00", FIRST_DUE, "A", "amount"),
        ("100000000.01", FIRST_DUE, "A", "amount"),
        ("1.00", FIRST_LATE + datetime.timedelta(days=1), "A", "effective_date"),
        ("1.00", SIGNED_ON - datetime.timedelta(days=1), "A", "effective_date"),
        ("1.00", FIRST_DUE, "  ", "reference"),
        ("1.00", FIRST_DUE, "x" * 65, "reference"),
    ],
)
def test_money_that_cannot_be_booked_leaves_nothing(
    amount: str, on: datetime.date, reference: str, field: str
) -> None:
    loan = late_loan()
    before = counts(loan)
    with pytest.raises(UnableToRecordMoneyError) as refusal:
        received(loan, amount, on=on, reference=reference)
    assert refusal.value.field == field
    assert counts(loan) == before


def test_a_repayment_before_a_charge_off_stays_one_and_after_it_is_a_recovery() -> None:
    loan = late_loan(on=TEN_LATE)
    staff = make_servicer()
    charge_off(loan_id=loan.pk, **how(staff))
    earlier = received(loan, "100.00", on=FIRST_LATE)
    later = received(loan, "100.00", on=TEN_LATE)
    assert (earlier.kind, later.kind) == ("REPAYMENT", "RECOVERY")
    assert booked(loan)["RECOVERY_INCOME"] == "-100.00"
    assert_books_agree(loan)


def test_a_recovery_needs_a_charge_off() -> None:
    loan = late_loan()
    staff = make_servicer()
    recovery: dict[str, Any] = {
        "loan_id": loan.pk,
        "amount": yuan("300.00"),
        "effective_date": FIRST_LATE,
        "channel": MoneyChannel.COURT,
        "reference": "(2026) 京 01",
    }
    before = counts(loan)
    with pytest.raises(UnableToRecordMoneyError, match="not written off on that day"):
        record_recovery(**recovery, **how(staff))
    assert counts(loan) == before
    charge_off(loan_id=loan.pk, **how(staff))
    assert record_recovery(**recovery, **how(staff)).kind == "RECOVERY"
    assert_books_agree(loan)


# --- Reversal -----------------------------------------------------------------------------


def test_a_bounced_debit_is_reversed_and_the_loan_is_late_again() -> None:
    loan = late_loan()
    settle(collected(loan, "1066.72", on=FIRST_LATE))
    assert fresh(loan).status == LoanStatus.ACTIVE
    paid = loan.events.get(kind="REPAYMENT")
    close_through(TEN_LATE)
    undone = reverse_event(
        loan_id=loan.pk, event_id=paid.event_id, **how(make_servicer(), reason="Bounced.")
    )
    loan = fresh(loan)
    assert (undone.kind, undone.body["of"]) == ("REVERSAL", str(paid.event_id))
    assert (loan.status, loan.days_past_due) == (LoanStatus.OVERDUE, 10)
    assert booked(loan) == {
        "BANK": "-12000.00",
        "LOANS_RECEIVABLE": "12000.00",
        "INTEREST_RECEIVABLE": "120.00",
        "PENALTY_RECEIVABLE": "4.73",
        "INTEREST_INCOME": "-120.00",
        "PENALTY_INCOME": "-4.73",
    }
    assert_books_agree(loan)


def test_a_reversal_is_made_once_and_of_real_events_only() -> None:
    loan = late_loan()
    staff = make_servicer()
    paid = received(loan, "10.00", on=FIRST_LATE)
    undone = reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(staff))
    before = counts(loan)
    payout = loan.events.get(kind="DISBURSEMENT")
    other = received(funded_loan(), "10.00", on=SIGNED_ON)
    for event_id, error in (
        (paid.event_id, AlreadyReversedError),
        (undone.event_id, UnableToReverseError),
        (payout.event_id, UnableToReverseError),
        (other.event_id, UnableToReverseError),
        (uuid4(), UnableToReverseError),
    ):
        with pytest.raises(error):
            reverse_event(loan_id=loan.pk, event_id=event_id, **how(staff, on=FIRST_LATE))
    assert loan.events.count() == before[0]
    assert_books_agree(loan)


def test_the_database_refuses_a_second_reversal() -> None:
    loan = late_loan()
    paid = received(loan, "10.00", on=FIRST_LATE)
    undone = reverse_event(loan_id=loan.pk, event_id=paid.event_id, **how(make_servicer()))
    with pytest.raises(IntegrityError, match="loan_event_reversed_once"), transaction.atomic():
        LoanEvent.objects.create(
            loan=loan,
            sequence=99,
            kind="REVERSAL",
            effective_date=FIRST_LATE,
            body={**undone.body, "id": str(uuid4())},
            actor_label="test",
            recorded_at=SIGNED_AT,
        )


def test_reversing_money_that_was_refunded_makes_it_owed_again() -> None:
    loan = funded_loan()
    paid = received(loan, "12100.00", on=SIGNED_ON)
    refund = refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT)
    assert refund is not None
    settle(refund)
    assert fresh(loan).status == LoanStatus.PAID_OFF
    reverse_event(loan_id=loan.pk, event_id=paid.event_id, **by_two(make_servicer()))
    loan = fresh(loan)
    assert (loan.status, loan.principal_outstanding) == (LoanStatus.ACTIVE, yuan("12100.00"))
    assert booked(loan) == {"BANK": "-12100.00", "LOANS_RECEIVABLE": "12100.00"}
    assert_books_agree(loan)


def test_what_later_events_build_on_is_not_reversed() -> None:
    loan = late_loan()
    staff = make_servicer()
    moved = move_due_date(
        loan_id=loan.pk,
        number=1,
        payable_through=FIRST_DUE + datetime.timedelta(days=30),
        **how(staff),
    )
    reverse_event(loan_id=loan.pk, event_id=moved.event_id, **how(staff))
    assert fresh(loan).days_past_due == 1
    assert_books_agree(loan)


# --- Waiver, due date, charge-off, dispute ------------------------------------------------


def test_a_waiver_gives_up_what_is_billed() -> None:
    loan = late_loan(on=TEN_LATE)
    row = waive(
        loan_id=loan.pk, amounts=amounts(penalty="4.73", interest="20.00"), **how(make_servicer())
    )
    loan = fresh(loan)
    assert row.kind == "WAIVER"
    assert loan.overdue_amount == yuan("1046.19")
    assert booked(loan) == {
        "BANK": "-12000.00",
        "LOANS_RECEIVABLE": "12000.00",
        "INTEREST_RECEIVABLE": "100.00",
        "INTEREST_INCOME": "-120.00",
        "PENALTY_INCOME": "-4.73",
        "WAIVERS": "24.73",
    }
    assert_books_agree(loan)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"penalty": "4.74"}, "penalty"),
        ({"interest": "120.01"}, "interest"),
        ({"principal": "946.20"}, "principal"),
        ({"fees": "0.01"}, "fees"),
        ({"interest": "-1.00", "penalty": "2.00"}, "interest"),
        ({}, "penalty"),
    ],
)
def test_more_than_is_billed_is_not_waived(asked: dict[str, str], field: str) -> None:
    loan = late_loan(on=TEN_LATE)
    before = counts(loan)
    with pytest.raises(UnableToWaiveError) as refusal:
        waive(loan_id=loan.pk, amounts=amounts(**asked), **how(make_servicer()))
    assert refusal.value.field == field
    assert counts(loan) == before


def test_a_due_date_moves_later_only_and_only_while_open() -> None:
    loan = late_loan()
    staff = make_servicer()
    later = FIRST_DUE + datetime.timedelta(days=15)
    move_due_date(loan_id=loan.pk, number=1, payable_through=later, **how(staff))
    assert (fresh(loan).days_past_due, fresh(loan).overdue_amount) == (0, yuan("0.00"))
    # The penalty of the day that had passed is owed; the days to come cost none.
    settle(collected(loan, "1066.66", on=FIRST_LATE))
    before = loan.events.count()
    for number, day in (
        (1, later + datetime.timedelta(days=1)),
        (2, datetime.date(2026, 8, 16)),
        (2, datetime.date(2026, 8, 1)),
        (2, datetime.date(2027, 8, 18)),
        (13, later),
    ):
        with pytest.raises(UnableToMoveDueDateError):
            move_due_date(loan_id=loan.pk, number=number, payable_through=day, **how(staff))
    assert loan.events.count() == before
    assert_books_agree(loan)


def test_a_charge_off_is_made_once_and_books_the_loss() -> None:
    loan = late_loan(on=TEN_LATE)
    staff = make_servicer()
    charge_off(loan_id=loan.pk, **how(staff))
    loan = fresh(loan)
    assert loan.status == LoanStatus.CHARGED_OFF
    assert booked(loan) == {
        "BANK": "-12000.00",
        "INTEREST_INCOME": "-155.66",
        "PENALTY_INCOME": "-4.73",
        "CHARGE_OFF_LOSS": "12160.39",
    }
    with pytest.raises(AlreadyChargedOffError):
        charge_off(loan_id=loan.pk, **how(staff))
    assert_books_agree(loan)


def test_a_closed_loan_is_not_written_off() -> None:
    loan = funded_loan()
    settle(collected(loan, "12000.00", on=SIGNED_ON))
    with pytest.raises(UnableToChargeOffError):
        charge_off(loan_id=loan.pk, **how(make_servicer()))
    assert fresh(loan).status == LoanStatus.PAID_OFF


def test_a_dispute_fences_an_installment_until_it_is_answered() -> None:
    loan = late_loan()
    staff = make_servicer()
    row = open_dispute(loan_id=loan.pk, number=1, **how(staff))
    with pytest.raises(AlreadyDisputedError):
        open_dispute(loan_id=loan.pk, number=1, **how(staff))
    close_through(TEN_LATE)
    # One day late when it was contested, and no later since: 946.19 × 18 % / 360 = 0.47.
    assert (fresh(loan).days_past_due, fresh(loan).overdue_amount) == (1, yuan("1066.66"))
    resolve_dispute(loan_id=loan.pk, dispute_id=row.event_id, **how(staff))
    with pytest.raises(DisputeAlreadyResolvedError):
        resolve_dispute(loan_id=loan.pk, dispute_id=row.event_id, **how(staff))
    with pytest.raises(UnableToDisputeError):
        resolve_dispute(loan_id=loan.pk, dispute_id=uuid4(), **how(staff))
    with pytest.raises(UnableToDisputeError):
        open_dispute(loan_id=loan.pk, number=13, **how(staff))
    assert loan.events.count() == 3
    assert_books_agree(loan)


# --- Refund -------------------------------------------------------------------------------


def test_the_credit_of_a_closed_loan_is_refunded_once() -> None:
    loan = funded_loan()
    received(loan, "12050.00", on=SIGNED_ON)
    assert (fresh(loan).status, fresh(loan).overpaid_amount) == (LoanStatus.OVERPAID, yuan("50"))
    refund = refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT)
    assert refund is not None
    assert (refund.amount, refund.direction, refund.purpose) == (yuan("50"), "PAYOUT", "REFUND")
    assert refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT) is None
    settle(refund)
    loan = fresh(loan)
    assert (loan.status, loan.overpaid_amount) == (LoanStatus.PAID_OFF, yuan("0"))
    assert refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT) is None
    assert booked(loan) == {}
    assert_books_agree(loan)


def test_the_borrower_is_told_of_a_refund_once() -> None:
    loan = funded_loan()
    received(loan, "12050.00", on=SIGNED_ON)
    refund = refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT)
    assert refund is not None
    settle(refund)
    for _ in range(2):
        tell_borrower_of_transfer(transfer_id=refund.pk, at=SIGNED_AT)
    message = Message.objects.get(recipient=loan.borrower)
    assert message.kind == "refund_paid"
    assert "¥50.00" in message.body


def test_after_a_refund_that_failed_a_person_decides() -> None:
    loan = funded_loan()
    received(loan, "12050.00", on=SIGNED_ON)
    refund = refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT)
    assert refund is not None
    settle(refund, Outcome.FAILED)
    assert refund_closed_loan(loan_id=loan.pk, business_date=SIGNED_ON, at=SIGNED_AT) is None
    ordered = refund_credit(loan_id=loan.pk, amount=yuan("50"), **how(make_servicer()))
    settle(ordered)
    assert fresh(loan).status == LoanStatus.PAID_OFF
    assert_books_agree(loan)


def test_no_more_than_the_credit_is_refunded() -> None:
    loan = funded_loan()
    received(loan, "12050.00", on=SIGNED_ON)
    staff = make_servicer()
    key = str(uuid4())
    first = refund_credit(loan_id=loan.pk, amount=yuan("30"), **how(staff, key=key))
    assert refund_credit(loan_id=loan.pk, amount=yuan("30"), **how(staff, key=key)) == first
    before = counts(loan)
    for amount in ("20.01", "0", "-1"):
        with pytest.raises(UnableToRefundError):
            refund_credit(loan_id=loan.pk, amount=yuan(amount), **how(staff))
    assert counts(loan) == before
    settle(refund_credit(loan_id=loan.pk, amount=yuan("20"), **how(staff)))
    settle(first)
    assert fresh(loan).status == LoanStatus.PAID_OFF
    author = loan.events.filter(kind="REFUND").first()
    assert author is not None
    assert author.actor_user == staff


def test_a_borrower_pays_on_a_loan_that_is_written_off() -> None:
    loan = late_loan(on=TEN_LATE)
    charge_off(loan_id=loan.pk, **how(make_servicer()))
    settle(collected(loan, "1000.00", on=TEN_LATE))
    assert [event.kind for event in loan.events.order_by("sequence")] == [
        "DISBURSEMENT",
        "CHARGE_OFF",
        "RECOVERY",
    ]
    assert booked(loan)["RECOVERY_INCOME"] == "-1000.00"
    settle(collected(loan, "11160.39", on=TEN_LATE))
    assert fresh(loan).status == LoanStatus.PAID_OFF
    assert_books_agree(loan)


def test_money_on_its_way_to_a_loan_that_closes_or_is_written_off_is_never_lost() -> None:
    closed, lost = funded_loan(), funded_loan()
    late = [collected(loan, "500.00", on=SIGNED_ON) for loan in (closed, lost)]
    received(closed, "12000.00", on=SIGNED_ON)
    charge_off(loan_id=lost.pk, **how(make_servicer()))
    for transfer in late:
        settle(transfer)
    assert (fresh(closed).status, fresh(closed).overpaid_amount) == (
        LoanStatus.OVERPAID,
        yuan("500.00"),
    )
    assert booked(lost)["RECOVERY_INCOME"] == "-500.00"
    assert_books_agree(closed)
    assert_books_agree(lost)


# --- What all share -----------------------------------------------------------------------

Order = Callable[[Loan, Any], Any]
ORDERS: list[Order] = [
    lambda loan, manner: record_repayment(
        loan_id=loan.pk,
        amount=yuan("10"),
        effective_date=FIRST_LATE,
        channel=MoneyChannel.COUNTER,
        reference=REFERENCE,
        **manner,
    ),
    lambda loan, manner: waive(loan_id=loan.pk, amounts=amounts(interest="1"), **manner),
    lambda loan, manner: move_due_date(
        loan_id=loan.pk, number=2, payable_through=datetime.date(2026, 9, 1), **manner
    ),
    lambda loan, manner: charge_off(loan_id=loan.pk, **manner),
    lambda loan, manner: open_dispute(loan_id=loan.pk, number=1, **manner),
    lambda loan, manner: reverse_event(
        loan_id=loan.pk, event_id=loan.events.get(kind="WAIVER").event_id, **manner
    ),
]
NAMES = ["repayment", "waiver", "due date", "charge-off", "dispute", "reversal"]


@pytest.mark.parametrize("order", ORDERS, ids=NAMES)
def test_every_correction_runs_once_for_its_key_and_keeps_who_and_why(order: Order) -> None:
    loan = late_loan()
    staff = make_servicer()
    waive(loan_id=loan.pk, amounts=amounts(interest="2"), **how(staff))
    seen = seen_of(fresh(loan))
    manner = how(staff, key="once", reason="  Agreed by phone. ", seen=seen)
    first = order(loan, manner)
    assert (first.reason, first.actor_user, first.command.key) == (
        "Agreed by phone.",
        staff,
        "once",
    )
    before = counts(loan)
    # The same form again: it has `seen` what is past, and still is the same order.
    assert order(loan, manner) == first
    other = how(staff, key="once", reason="Another reason.")
    for wrong, error in (
        (other, KeyReusedError),
        (how(staff, key=""), MissingKeyError),
        (how(staff, reason=" "), UnableToCorrectError),
        (how(staff, reason="x" * 301), UnableToCorrectError),
        (how(staff, seen=seen), LoanChangedError),
    ):
        with pytest.raises(error):
            order(loan, wrong)
    assert counts(loan) == before
    assert_books_agree(loan)


def test_a_loan_that_is_not_paid_out_is_not_corrected() -> None:
    loan, _payout = signed_loan()
    with pytest.raises(UnableToCorrectError, match="not paid out yet"):
        charge_off(loan_id=loan.pk, **how(make_servicer()))
    assert not loan.events.exists()


def test_a_preview_tells_the_difference_and_records_nothing() -> None:
    loan = late_loan(on=TEN_LATE)
    before = counts(loan)
    shown = preview(
        loan_id=loan.pk,
        correction=Waiver(amounts=amounts(penalty="4.73")),
        business_date=TEN_LATE,
    )
    assert counts(loan) == before
    assert (shown.before.payoff_amount, shown.after.payoff_amount) == (
        yuan("12160.39"),
        yuan("12155.66"),
    )
    assert shown.journal == (
        (LedgerAccount.PENALTY_RECEIVABLE, yuan("-4.73")),
        (LedgerAccount.WAIVERS, yuan("4.73")),
    )
    assert shown.seen == f"1@{TEN_LATE}"
