"""Hard points 13 to 17 of lending: those that need a database, threads, a night or a clock.

The others are the engine's: tests/unit/loans/engine/test_hard_points.py. More of 13 to 15 is in
test_money.py, test_races.py and test_killed_night.py.
"""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from accounts.models import Message
from loans.engine.lifecycle import LoanStatus
from loans.models import BankTransfer, BusinessDay, Loan, LoanEvent, MoneyCommand, NightStepRun
from loans.models.received_money import MoneyChannel
from loans.models.transfer import TransferPurpose
from loans.selectors.business_day import business_date
from loans.selectors.servicing import loan_state
from loans.services.commands import KeyReusedError, MissingKeyError
from loans.services.locks import lock_loan
from loans.services.received_money import UnableToRecordMoneyError, record_repayment
from loans.services.repayments import request_repayment
from loans.tasks import close_due_days
from tests.factories.accounts import CARD_NUMBER
from tests.factories.collections_app import FIRST_DUE, close_through, instant
from tests.factories.corrections import assert_books_agree, how, make_servicer, yuan
from tests.factories.funded import SIGNED_AT, SIGNED_ON, funded_loan, set_business_date, settle
from tests.integration.loans.servicing.test_corrections import booked, fresh, received
from tests.integration.loans.servicing.test_races import at_once, none_failed
from zhixin.shared import clock

LATE = FIRST_DUE + datetime.timedelta(days=10)
FIRST_LATE = FIRST_DUE + datetime.timedelta(days=1)


def pay(loan: Loan, amount: str, *, key: str | None = None, **more: Any) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=yuan(amount),
        key=str(uuid4()) if key is None else key,
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=more.pop("on", SIGNED_ON),
        at=more.pop("at", SIGNED_AT),
        confirmed=True,
    )


@pytest.mark.django_db
def test_13_two_submissions_with_one_key_are_one_posting() -> None:
    """200.00 sent twice moves 200.00; the second one is answered with the first, settled or not."""
    loan = funded_loan()
    first = pay(loan, "200.00", key="one")
    assert pay(loan, "200.00", key="one") == first
    settle(first)
    again = pay(loan, "200.00", key="one")
    assert (again, again.state) == (first, "SUCCEEDED")
    once = {"BANK": "-11800.00", "LOANS_RECEIVABLE": "12000.00", "BORROWER_CREDIT": "-200.00"}
    assert booked(loan) == once
    with pytest.raises(KeyReusedError):
        pay(loan, "300.00", key="one")
    with pytest.raises(MissingKeyError):
        pay(loan, "300.00", key="")
    assert booked(loan) == once
    assert LoanEvent.objects.filter(loan=loan, kind="REPAYMENT").count() == 1
    assert MoneyCommand.objects.filter(key="one").count() == 1
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count() == 1


@pytest.mark.django_db(transaction=True)
def test_13_a_reused_key_with_another_amount_is_refused_in_a_race_too() -> None:
    loan = funded_loan()
    results = at_once(*[lambda n=n: pay(loan, f"{200 + n}.00", key="one") for n in range(8)])
    taken = [result for result in results if isinstance(result, BankTransfer)]
    refused = [result for result in results if isinstance(result, KeyReusedError)]
    assert (len(taken), len(refused)) == (1, 7), results
    assert BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count() == 1


@pytest.mark.django_db(transaction=True)
def test_14_parallel_money_on_one_loan_is_all_there_once() -> None:
    """Eight payments of 100.01 to 100.08 settle at once, 800.36 in all, in eight events."""
    loan = funded_loan()
    transfers = [pay(loan, f"100.0{number}") for number in range(1, 9)]
    none_failed(at_once(*[lambda each=each: settle(each) for each in transfers]))
    assert booked(loan) == {
        "BANK": "-11199.64",
        "LOANS_RECEIVABLE": "12000.00",
        "BORROWER_CREDIT": "-800.36",
    }
    sequences = LoanEvent.objects.filter(loan=loan).order_by("sequence")
    assert list(sequences.values_list("sequence", flat=True)) == list(range(1, 10))
    assert_books_agree(loan)


@pytest.mark.django_db(transaction=True)
def test_14_whoever_moves_money_waits_for_the_row_of_the_loan() -> None:
    """While one holds the loan, an order and a settlement wait; afterwards both are done."""
    loan = funded_loan()
    open_one = pay(loan, "100.00")
    with transaction.atomic():
        lock_loan(loan.pk)

        def impatient(work: Any) -> Any:
            with connections["default"].cursor() as cursor:
                cursor.execute("SET lock_timeout = '200ms'")
            return work()

        waiting = at_once(
            lambda: impatient(lambda: pay(loan, "50.00")),
            lambda: impatient(lambda: settle(open_one)),
            lambda: impatient(lambda: received(loan, "25.00", on=SIGNED_ON)),
        )
    assert [type(result) for result in waiting] == [OperationalError] * 3
    assert booked(loan) == {"BANK": "-12000.00", "LOANS_RECEIVABLE": "12000.00"}
    settle(open_one)
    assert booked(loan)["BANK"] == "-11900.00"


@pytest.mark.django_db
def test_15_a_loan_that_the_night_has_not_reached_is_paid_to_the_cent() -> None:
    """The day is ten days past the due date, the loan's night is not: 1,066.19 + 4.73 is late."""
    loan = funded_loan()
    close_through(FIRST_DUE)
    set_business_date(LATE)
    assert (fresh(loan).projected_as_of, fresh(loan).days_past_due) == (FIRST_DUE, 0)
    settle(pay(loan, "1070.92", on=LATE))
    found = fresh(loan)
    assert (found.status, found.overdue_amount) == (LoanStatus.ACTIVE, yuan("0"))
    assert found.principal_outstanding == yuan("11053.81")
    assert booked(loan)["PENALTY_INCOME"] == "-4.73"
    assert_books_agree(loan)


def fail_in_the_night(**_given: Any) -> int:
    """Stand for a step that dies."""
    raise OSError("The step died.")


@pytest.mark.django_db
def test_15_a_night_that_failed_leaves_every_loan_payable(settings: Any) -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    steps = list(settings.NIGHT_STEPS)
    settings.NIGHT_STEPS = [*steps[:2], f"{__name__}.fail_in_the_night", *steps[2:]]
    with pytest.raises(OSError, match="The step died"):
        close_through(FIRST_LATE)
    assert business_date() == FIRST_DUE
    settle(pay(loan, "1066.19", on=FIRST_DUE))
    settings.NIGHT_STEPS = steps
    assert close_through(LATE) == [FIRST_DUE + datetime.timedelta(days=n) for n in range(1, 11)]
    found = fresh(loan)
    assert (found.status, found.days_past_due) == (LoanStatus.ACTIVE, 0)
    assert booked(loan)["BANK"] == "-10933.81"
    assert booked(loan).get("PENALTY_INCOME") is None
    assert_books_agree(loan)


@pytest.mark.django_db
def test_16_missed_days_heal_one_after_the_other_by_the_ordinary_night() -> None:
    """Closed through the 14th, run next on the 19th: five nights, each whole before the next."""
    loan = funded_loan()
    last = datetime.date(2026, 7, 14)
    set_business_date(last)
    days = [last + datetime.timedelta(days=number) for number in range(1, 6)]
    assert close_through(days[-1]) == days
    done = NightStepRun.objects.order_by("pk").values_list("business_date", flat=True)
    assert list(done) == sorted(done)
    assert sorted(set(done)) == days
    found = fresh(loan)
    # 946.19 × 18 % × 3 / 360 = 1.42
    assert (found.days_past_due, str(found.overdue_amount)) == (3, "1067.61")
    assert booked(loan)["PENALTY_RECEIVABLE"] == "1.42"
    # Billed on the 16th and late on the 17th, though both nights ran on the 19th.
    by_day = dict(
        loan.journal_entries.filter(business_date__gt=SIGNED_ON)
        .order_by("business_date")
        .values_list("business_date", "reason")
    )
    assert list(by_day) == days[1:]
    kinds = Message.objects.filter(recipient=loan.borrower).values_list("kind", flat=True)
    assert sorted(kinds) == ["due_soon", "payment_late"]


@pytest.mark.django_db
def test_16_the_beats_task_closes_every_day_that_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loan = funded_loan()
    set_business_date(FIRST_DUE)
    monkeypatch.setattr(timezone, "now", lambda: instant(LATE))
    close_due_days()
    assert business_date() == LATE
    assert fresh(loan).days_past_due == 10
    assert booked(loan)["PENALTY_RECEIVABLE"] == "4.73"
    close_due_days()
    assert business_date() == LATE


@pytest.mark.django_db
def test_17_the_business_date_says_what_the_future_is_and_not_the_clock() -> None:
    """The clock shows 14:22 on the 17th, the business date is the 16th: the 17th is to come."""
    loan = funded_loan()
    close_through(FIRST_DUE)
    afternoon = datetime.datetime(2026, 7, 17, 6, 22, tzinfo=datetime.UTC)
    staff = make_servicer()

    def record(on: datetime.date) -> LoanEvent:
        return record_repayment(
            loan_id=loan.pk,
            amount=yuan("1066.19"),
            effective_date=on,
            channel=MoneyChannel.BANK_TRANSFER,
            reference="R-17",
            **(how(staff, on=business_date()) | {"at": afternoon}),  # type: ignore[arg-type]  # Handed on.
        )

    with pytest.raises(UnableToRecordMoneyError) as refusal:
        record(FIRST_LATE)
    assert refusal.value.field == "effective_date"
    assert not LoanEvent.objects.filter(loan=loan, kind="REPAYMENT").exists()
    assert record(FIRST_DUE).effective_date == FIRST_DUE
    assert fresh(loan).installments.get(number=1).paid_on == FIRST_DUE


@pytest.mark.django_db
def test_17_money_counts_on_the_business_date_whatever_the_clock_shows() -> None:
    """Ordered and confirmed past midnight, before the night has run: paid on the due date."""
    loan = funded_loan()
    close_through(FIRST_DUE)
    past_midnight = datetime.datetime(2026, 7, 16, 16, 30, tzinfo=datetime.UTC)
    transfer = pay(loan, "1066.19", on=business_date(), at=past_midnight)
    assert transfer.effective_date == FIRST_DUE
    settle(transfer)
    close_through(LATE)
    assert loan_state(fresh(loan), as_of=LATE).most_days_past_due == 0
    assert booked(loan).get("PENALTY_INCOME") is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("instant_utc", "begun"),
    [("2026-07-16T15:59:59+00:00", FIRST_DUE), ("2026-07-16T16:00:00+00:00", FIRST_LATE)],
)
def test_17_a_day_ends_at_the_lenders_midnight_and_not_at_that_of_utc(
    monkeypatch: pytest.MonkeyPatch, instant_utc: str, begun: datetime.date
) -> None:
    set_business_date(FIRST_DUE)
    moment = datetime.datetime.fromisoformat(instant_utc)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    assert clock.local_today() == begun
    close_due_days()
    assert BusinessDay.objects.get().current_date == begun
