"""Autopay on real PostgreSQL: on, announced, collected, failed, stopped, off; once each."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts.engine.consent import ConsentPurpose
from accounts.models import Message, MessageState
from accounts.services.consents import record_consent
from accounts.services.profiles import save_bank_account
from loans.engine.autopay import consecutive_failures
from loans.engine.events import ChargedOff, DueDateMoved, Reversed
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import (
    AutopayDebit,
    AutopayEnd,
    AutopayMandate,
    AutopayNotice,
    BankTransfer,
    Loan,
    NightStepRun,
)
from loans.models.autopay import AutopayEndReason
from loans.models.transfer import TransferPurpose
from loans.selectors.autopay import loan_facts, mandate_facts
from loans.services import autopay
from loans.services.autopay import (
    AutopayOffAlreadyDone,
    AutopayOnAlreadyDone,
    UnableToTurnOnAutopayError,
    collect_due,
    give_notices,
    turn_off,
    turn_on,
)
from loans.services.business_day import close_days
from loans.services.notices import tell_borrower_of_transfer
from loans.services.repayments import request_repayment
from loans.services.servicing import record_event
from loans.services.transfers import Outcome, begin_sending, order_transfer
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.funded import SIGNED_ON, funded_loan, set_business_date, settle, signed_loan
from tests.integration.loans.servicing.autopay_days import (
    DUE,
    at,
    autopay_loan,
    debits,
    grant,
    july,
    latest_debit,
    live,
    morning,
    night,
    says,
    told,
)
from tests.integration.loans.servicing.test_money import in_threads
from zhixin.shared.actor import NIGHT, SYSTEM
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

OTHER_CARD = "6222020000000000018"


def yuan(text: str) -> Money:
    return Money.parse(text)


def pay(loan: Loan, amount: str, on: datetime.date) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=yuan(amount),
        key=str(uuid4()),
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=at(on),
    )


def collect(on: datetime.date) -> int:
    return collect_due(
        business_date=on, actor=NIGHT, clock=lambda: at(on, 0), report=lambda _d, _t: None
    )


def announce(on: datetime.date) -> int:
    return give_notices(
        business_date=on, actor=NIGHT, clock=lambda: at(on, 0), report=lambda _d, _t: None
    )


def switch_off(loan: Loan, on: datetime.date) -> AutopayEnd:
    return turn_off(loan_id=loan.pk, business_date=on, actor=loan.borrower.as_actor(), at=at(on))


def ended(loan: Loan) -> list[str]:
    ends = AutopayEnd.objects.filter(mandate__loan=loan).order_by("pk")
    return list(ends.values_list("reason", flat=True))


# --- The ordinary month -------------------------------------------------------------------


def test_a_month_with_autopay() -> None:
    loan = autopay_loan()
    live(july(10), july(15))
    notice = AutopayNotice.objects.get(mandate__loan=loan)
    assert (notice.business_date, notice.debit_on, str(notice.amount)) == (july(11), DUE, "1066.19")
    assert "16 Jul 2026 we collect at most ¥1,066.19" in notice.message.body
    assert notice.message.state == MessageState.SENT
    assert debits(loan) == []
    night(DUE)
    assert debits(loan) == [(1, 1, "2026-07-16", "1066.19", "PENDING")]
    says(latest_debit(loan), Outcome.SUCCEEDED, DUE)
    loan.refresh_from_db()
    assert (loan.status, loan.next_due_date) == (LoanStatus.ACTIVE, datetime.date(2026, 8, 16))
    assert loan.installments.get(number=1).paid_on == DUE
    live(july(17), july(20))
    assert debits(loan) == [(1, 1, "2026-07-16", "1066.19", "SUCCEEDED")]
    # The notice takes the place of the reminders.
    assert told(loan) == ["autopay_on", "autopay_notice", "repayment_received"]


def test_the_second_month_goes_like_the_first() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    says(latest_debit(loan), Outcome.SUCCEEDED, DUE)
    live(datetime.date(2026, 8, 11), datetime.date(2026, 8, 16))
    assert debits(loan)[1] == (2, 1, "2026-08-16", "1066.19", "PENDING")


def test_without_autopay_nothing_is_announced_or_collected() -> None:
    loan = funded_loan(borrower=make_borrower())
    live(july(11), july(17))
    assert not AutopayNotice.objects.exists()
    assert not BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).exists()
    assert "due_soon" in told(loan)


# --- What holds a debit -------------------------------------------------------------------


def test_no_notice_no_debit_and_then_on_the_third_day_after_it() -> None:
    loan = autopay_loan()
    # The nights before were missed: the notice goes out on the due date itself.
    live(DUE, july(18))
    assert debits(loan) == []
    night(july(19))
    # The delay is ours: the installment is payable through the day of the debit, and not late.
    assert debits(loan) == [(1, 1, "2026-07-19", "1066.19", "PENDING")]
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due) == (LoanStatus.ACTIVE, 0)
    moved = loan.events.get(kind=DueDateMoved.kind)
    assert (moved.body["number"], moved.body["payable_through"]) == (1, "2026-07-19")
    assert (moved.actor_label, moved.reason) == (
        SYSTEM.label,
        "Our notice of the autopay debit was late.",
    )


def test_nights_that_are_caught_up_at_once_make_nobody_late() -> None:
    loan = autopay_loan()
    set_business_date(july(10))
    # All nights of 11 to 21 July run on the 21st, and nothing is delivered before the morning.
    close_days(
        through=july(21), actor=NIGHT, clock=lambda: at(july(21), 0), progress=lambda _step: None
    )
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due, debits(loan)) == (LoanStatus.ACTIVE, 0, [])
    assert loan.installments.get(number=1).payable_through == july(24)
    assert loan.events.filter(kind=DueDateMoved.kind).count() == 1
    morning(july(21))
    live(july(22), july(23))
    assert debits(loan) == []
    night(july(24))
    assert debits(loan) == [(1, 1, "2026-07-24", "1066.19", "PENDING")]


def test_who_turned_it_on_too_late_gets_no_days_for_it() -> None:
    loan = funded_loan(borrower=make_borrower())
    grant(loan, on=july(14))
    live(july(15), july(18))
    assert debits(loan)[0][:3] == (1, 1, "2026-07-18")
    assert not loan.events.filter(kind=DueDateMoved.kind).exists()


def test_a_notice_that_was_not_sent_is_none() -> None:
    loan = autopay_loan()
    record_consent(
        user=loan.borrower,
        purpose=ConsentPurpose.SERVICE_SMS,
        granted=False,
        actor=loan.borrower.as_actor(),
        at=at(july(1)),
    )
    live(july(11), july(18))
    notice = AutopayNotice.objects.filter(mandate__loan=loan).earliest("pk")
    assert notice.message.state == MessageState.REFUSED
    assert not loan.events.filter(kind=DueDateMoved.kind).exists()
    assert debits(loan) == []


def test_a_payment_by_hand_before_the_day_is_not_collected_again() -> None:
    loan = autopay_loan()
    live(july(11), july(13))
    settle(pay(loan, "1066.19", july(13)))
    live(july(14), july(17))
    assert debits(loan) == []
    assert told(loan) == ["autopay_on", "autopay_notice"]


def test_a_part_paid_by_hand_leaves_the_rest_to_autopay() -> None:
    loan = autopay_loan()
    live(july(11), july(13))
    settle(pay(loan, "400.00", july(13)))
    live(july(14), july(15))
    night(DUE)
    assert debits(loan) == [(1, 1, "2026-07-16", "666.19", "PENDING")]


def test_a_payment_on_its_way_holds_the_debit_for_the_night() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    by_hand = pay(loan, "1066.19", july(15))
    night(DUE)
    assert debits(loan) == []
    settle(by_hand, Outcome.FAILED)
    night(july(17))
    assert debits(loan) == [(1, 1, "2026-07-17", "1066.19", "PENDING")]


def test_a_moved_due_date_is_announced_and_collected_on_its_last_day() -> None:
    loan = autopay_loan()
    live(july(11), july(12))
    with transaction.atomic():
        locked = Loan.objects.for_update().select_related("agreement").get(pk=loan.pk)
        record_event(
            loan=locked,
            make_event=lambda event_id, sequence: DueDateMoved(
                event_id=event_id,
                sequence=sequence,
                effective_date=july(12),
                number=1,
                payable_through=july(20),
            ),
            business_date=july(12),
            actor=SYSTEM,
            at=at(july(12)),
        )
    live(july(13), july(19))
    assert debits(loan) == []
    night(july(20))
    assert debits(loan) == [(1, 1, "2026-07-20", "1066.19", "PENDING")]


# --- Failures -----------------------------------------------------------------------------


def failed_once() -> Loan:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    says(latest_debit(loan), Outcome.FAILED, DUE)
    morning(DUE)
    return loan


def test_lack_of_money_is_told_and_tried_once_more_three_days_later() -> None:
    loan = failed_once()
    message = Message.objects.get(kind="autopay_failed")
    assert "¥1,066.19 could not be collected" in message.body
    assert "There was not enough money in the account." in message.body
    assert "We try once more on 19 Jul 2026: at most ¥1,067.61." in message.body
    live(july(17), july(18))
    assert len(debits(loan)) == 1
    night(july(19))
    assert debits(loan)[1] == (1, 2, "2026-07-19", "1067.61", "PENDING")
    says(latest_debit(loan), Outcome.SUCCEEDED, july(19))
    loan.refresh_from_db()
    assert (loan.status, loan.overdue_amount) == (LoanStatus.ACTIVE, Money(0))
    assert ended(loan) == []


def test_after_two_failures_in_a_row_it_stops_until_it_is_turned_on_anew() -> None:
    loan = failed_once()
    live(july(17), july(19))
    says(latest_debit(loan), Outcome.FAILED, july(19))
    assert ended(loan) == [AutopayEndReason.TWO_FAILURES]
    assert told(loan).count("autopay_stopped") == 1
    live(datetime.date(2026, 8, 11), datetime.date(2026, 8, 17))
    assert len(debits(loan)) == 2
    grant(loan, on=datetime.date(2026, 8, 18))
    live(datetime.date(2026, 9, 11), datetime.date(2026, 9, 16))
    # The new authorization begins with the installment that falls due after it.
    assert debits(loan)[2][:3] == (3, 1, "2026-09-16")


def test_a_success_between_two_failures_starts_the_count_anew() -> None:
    loan = failed_once()
    live(july(17), july(19))
    says(latest_debit(loan), Outcome.SUCCEEDED, july(19))
    live(datetime.date(2026, 8, 11), datetime.date(2026, 8, 16))
    says(latest_debit(loan), Outcome.FAILED, datetime.date(2026, 8, 16))
    assert ended(loan) == []
    morning(datetime.date(2026, 8, 16))
    live(datetime.date(2026, 8, 17), datetime.date(2026, 8, 19))
    assert debits(loan)[3][:3] == (2, 2, "2026-08-19")


def test_another_reason_is_told_and_not_tried_again() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    says(latest_debit(loan), Outcome.FAILED, DUE, code="ACQ.CARD_BLOCKED")
    message = Message.objects.get(kind="autopay_failed")
    assert "We do not try this again." in message.body
    live(july(17), july(22))
    assert len(debits(loan)) == 1


def test_a_lost_message_task_neither_forgets_the_stop_nor_the_retry() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    settle(latest_debit(loan), Outcome.FAILED)
    BankTransfer.objects.filter(pk=latest_debit(loan).pk).update(settled_at=at(DUE))
    # The night announces the retry itself.
    live(july(17), july(19))
    assert len(debits(loan)) == 1
    night(july(20))
    assert debits(loan)[1][:3] == (1, 2, "2026-07-20")
    settle(latest_debit(loan), Outcome.FAILED)
    night(july(21))
    assert ended(loan) == [AutopayEndReason.TWO_FAILURES]


def test_telling_of_a_failure_twice_says_it_once() -> None:
    loan = failed_once()
    before = (Message.objects.count(), AutopayNotice.objects.count())
    for _ in range(3):
        tell_borrower_of_transfer(transfer_id=latest_debit(loan).pk, at=at(DUE, 12))
    assert (Message.objects.count(), AutopayNotice.objects.count()) == before


# --- On and off ---------------------------------------------------------------------------


def test_the_authorization_keeps_what_was_agreed_to() -> None:
    loan = funded_loan(borrower=make_borrower())
    mandate = grant(loan)
    assert (mandate.text_version, mandate.language) == (1, "en")
    assert mandate.card_last_four == CARD_NUMBER[-4:]
    assert (mandate.granted_on, mandate.granted_at) == (SIGNED_ON, at(SIGNED_ON))
    assert mandate.actor_user == loan.borrower


def test_it_can_be_turned_on_while_the_payout_is_on_its_way() -> None:
    loan, payout = signed_loan(borrower=make_borrower())
    grant(loan)
    settle(payout)
    live(july(11), july(15))
    night(DUE)
    assert debits(loan) == [(1, 1, "2026-07-16", "1066.19", "PENDING")]


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"card_last_four": "1234"}, UnableToTurnOnAutopayError),
        ({"text_version": 2}, UnableToTurnOnAutopayError),
    ],
)
def test_what_the_borrower_did_not_see_is_not_agreed_to(
    over: dict[str, Any], error: type[Exception]
) -> None:
    loan = funded_loan(borrower=make_borrower())
    values: dict[str, Any] = {"text_version": 1, "card_last_four": CARD_NUMBER[-4:], **over}
    with pytest.raises(error):
        turn_on(
            loan_id=loan.pk,
            language="en",
            business_date=SIGNED_ON,
            actor=loan.borrower.as_actor(),
            at=at(SIGNED_ON),
            **values,
        )
    assert not AutopayMandate.objects.exists()


def test_on_twice_is_one_and_off_twice_is_one() -> None:
    loan = autopay_loan()
    with pytest.raises(AutopayOnAlreadyDone):
        grant(loan)
    switch_off(loan, july(1))
    with pytest.raises(AutopayOffAlreadyDone):
        switch_off(loan, july(1))
    assert AutopayMandate.objects.count() == 1
    assert ended(loan) == [AutopayEndReason.TURNED_OFF]


def test_turned_off_nothing_is_collected_any_more() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    switch_off(loan, july(15))
    live(DUE, july(20))
    assert debits(loan) == []


def test_turning_it_off_takes_back_a_debit_that_was_not_sent() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    transfer = latest_debit(loan)
    switch_off(loan, DUE)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.failure_code) == (TransferState.FAILED, "AUTOPAY.TURNED_OFF")
    assert begin_sending(transfer_id=transfer.pk) is None
    tell_borrower_of_transfer(transfer_id=transfer.pk, at=at(DUE))
    assert told(loan)[-1] == "autopay_off"


def test_a_debit_that_was_sent_goes_its_way() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    transfer = latest_debit(loan)
    assert begin_sending(transfer_id=transfer.pk) is not None
    switch_off(loan, DUE)
    transfer.refresh_from_db()
    assert transfer.state == TransferState.PENDING
    says(transfer, Outcome.SUCCEEDED, DUE)
    loan.refresh_from_db()
    assert loan.installments.get(number=1).paid_on == DUE


def test_another_account_in_the_profile_ends_it() -> None:
    loan = autopay_loan()
    save_bank_account(
        user=loan.borrower,
        bank_code="ICBC",
        card_number=OTHER_CARD,
        actor=loan.borrower.as_actor(),
        at=at(july(1)),
    )
    live(july(11), july(17))
    assert ended(loan) == [AutopayEndReason.CARD_CHANGED]
    assert debits(loan) == []
    assert told(loan).count("autopay_card_changed") == 1


@pytest.mark.parametrize("how", ["paid off", "charged off"])
def test_the_end_of_the_loan_ends_it(how: str) -> None:
    loan = autopay_loan()
    if how == "paid off":
        settle(pay(loan, "12000.00", SIGNED_ON))
    else:
        with transaction.atomic():
            locked = Loan.objects.for_update().select_related("agreement").get(pk=loan.pk)
            record_event(
                loan=locked,
                make_event=lambda event_id, sequence: ChargedOff(
                    event_id=event_id, sequence=sequence, effective_date=SIGNED_ON
                ),
                business_date=SIGNED_ON,
                actor=SYSTEM,
                at=at(SIGNED_ON),
            )
    live(july(11), july(17))
    assert ended(loan) == [AutopayEndReason.LOAN_ENDED]
    assert debits(loan) == []


def test_a_debit_that_the_bank_took_back_counts_as_a_failure() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    says(latest_debit(loan), Outcome.SUCCEEDED, DUE)
    undone = str(latest_debit(loan).events.get().event_id)
    with transaction.atomic():
        locked = Loan.objects.for_update().select_related("agreement").get(pk=loan.pk)
        record_event(
            loan=locked,
            make_event=lambda event_id, sequence: Reversed(
                event_id=event_id, sequence=sequence, effective_date=july(17), of=undone
            ),
            business_date=july(17),
            actor=SYSTEM,
            at=at(july(17)),
        )
    facts = loan_facts(loan)
    known = mandate_facts(AutopayMandate.objects.get(loan=loan), facts)
    assert consecutive_failures(known.debits) == 1
    # It is not fetched again before the next installment.
    live(july(17), july(22))
    assert len(debits(loan)) == 1


# --- The night ----------------------------------------------------------------------------


def test_debits_come_after_billing_and_before_notices_and_reminders() -> None:
    steps = [step.rpartition(".")[2] for step in settings.NIGHT_STEPS]
    wanted = [
        "bill_due_installments",
        "age_overdue_loans",
        "collect_due",
        "give_notices",
        "queue_reminders",
    ]
    assert [step for step in steps if step in wanted] == wanted


def test_a_night_that_is_run_again_collects_nothing_twice() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    assert [collect(DUE), collect(DUE)] == [0, 0]
    assert len(debits(loan)) == 1
    run = NightStepRun.objects.get(business_date=DUE, step="loans.services.autopay.collect_due")
    assert run.item_count == 1


def test_a_notice_is_written_once_however_often_the_step_runs() -> None:
    autopay_loan()
    assert [announce(july(11)), announce(july(11)), announce(july(12))] == [1, 0, 0]


def test_a_loan_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = autopay_loan(), autopay_loan()
    live(july(11), july(15))
    set_business_date(DUE)
    usual: Callable[..., BankTransfer] = order_transfer

    def breaks_for_the_first(*, loan: Loan, **values: Any) -> BankTransfer:
        if loan.pk == first.pk:
            raise RuntimeError("A fault of ours.")
        return usual(loan=loan, **values)

    monkeypatch.setattr(autopay, "order_transfer", breaks_for_the_first)
    assert collect(DUE) == 1
    assert (len(debits(first)), len(debits(second))) == (0, 1)
    monkeypatch.undo()
    # It is found again.
    assert collect(DUE) == 1
    assert (len(debits(first)), len(debits(second))) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_nights_at_once_collect_once() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    set_business_date(DUE)
    results = in_threads(4, lambda _: collect(DUE))
    assert sorted(results) == [0, 0, 0, 1]
    assert len(debits(loan)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_payment_by_hand_racing_autopay_collects_once() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    set_business_date(DUE)
    results = in_threads(2, lambda index: collect(DUE) if index else pay(loan, "1066.19", DUE).pk)
    taken = BankTransfer.objects.filter(loan=loan, purpose=TransferPurpose.REPAYMENT)
    assert taken.count() == 1, results
    assert str(taken.get().amount) == "1066.19"


@pytest.mark.django_db(transaction=True)
def test_turning_it_off_racing_the_night_leaves_nothing_that_will_be_sent() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    set_business_date(DUE)
    in_threads(2, lambda index: collect(DUE) if index else switch_off(loan, DUE))
    assert ended(loan) == [AutopayEndReason.TURNED_OFF]
    assert {state for *_, state in debits(loan)} <= {"FAILED"}
    assert BankTransfer.objects.unsettled().count() == 0


# --- What the database refuses ------------------------------------------------------------


def debit_row(mandate: AutopayMandate, *, installment: int = 1, **over: Any) -> AutopayDebit:
    values: dict[str, Any] = {"loan": mandate.loan, "purpose": TransferPurpose.REPAYMENT} | over
    with transaction.atomic():
        transfer = order_transfer(
            direction="DEBIT",
            amount=yuan("1.00"),
            account_name="x",
            card_number=CARD_NUMBER,
            business_date=DUE,
            at=at(DUE),
            **values,
        )
        return AutopayDebit.objects.create(
            mandate=mandate,
            installment_number=installment,
            attempt=1,
            transfer=transfer,
            business_date=DUE,
        )


def test_the_database_keeps_one_mandate_in_force() -> None:
    mandate = AutopayMandate.objects.get(loan=autopay_loan())
    mandate.pk, mandate.public_id = None, uuid4()
    mandate._state.adding = True
    with pytest.raises(IntegrityError, match="autopay_one_in_force"), transaction.atomic():
        mandate.save()


def test_the_database_refuses_a_debit_without_a_mandate_in_force() -> None:
    loan = autopay_loan()
    mandate = AutopayMandate.objects.get(loan=loan)
    with pytest.raises(IntegrityError, match="autopay_debit_allowed"):
        debit_row(mandate, purpose=TransferPurpose.REFUND)
    with pytest.raises(IntegrityError, match="autopay_debit_allowed"):
        debit_row(mandate, loan=funded_loan(borrower=make_borrower()))
    switch_off(loan, DUE)
    with pytest.raises(IntegrityError, match="autopay_debit_allowed"):
        debit_row(mandate)


def test_the_database_refuses_a_third_debit_after_two_failures_and_the_same_one_twice() -> None:
    mandate = AutopayMandate.objects.get(loan=autopay_loan())
    settle(debit_row(mandate).transfer, Outcome.FAILED)
    with pytest.raises(IntegrityError, match="autopay_attempt_once"):
        debit_row(mandate)
    settle(debit_row(mandate, installment=2).transfer, Outcome.FAILED)
    with pytest.raises(IntegrityError, match="autopay_debit_allowed"):
        debit_row(mandate, installment=3)


@pytest.mark.parametrize("table", ["mandate", "notice", "debit", "end"])
def test_the_facts_of_autopay_refuse_change(table: str) -> None:
    loan = failed_once()
    switch_off(loan, DUE)
    for statement in ("UPDATE {} SET id = id", "DELETE FROM {}"):
        with (
            pytest.raises(Exception, match=r"Cannot (update|delete)"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.format(f"loans_autopay{table}"))
