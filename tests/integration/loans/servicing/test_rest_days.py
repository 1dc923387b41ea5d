"""A due date on a Saturday, through the product's version, the night and the reminders."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Message
from loans.engine.events import DueDateMoved, Event, Repaid
from loans.engine.lifecycle import LoanStatus
from loans.engine.terms import PrepaymentEffect
from loans.models import Loan
from loans.selectors.products import offered_version, terms_of_offer
from loans.services.due_dates import move_due_date
from loans.services.night import age_overdue_loans, bill_due_installments
from loans.services.products import load_catalog
from loans.services.reminders import queue_reminders
from loans.services.servicing import record_event
from tests.factories.collections_app import late_loan
from tests.factories.corrections import how, make_servicer
from tests.factories.funded import SIGNED_AT, funded_loan, set_business_date, terms
from zhixin.shared.actor import NIGHT
from zhixin.shared.business_days import BusinessCalendar
from zhixin.shared.money import Money

PAYOUT = datetime.date(2026, 6, 18)
SATURDAY = datetime.date(2026, 7, 18)
MONDAY = datetime.date(2026, 7, 20)


def shifted_loan() -> Loan:
    return funded_loan(
        loan_terms=replace(terms(disbursement_date=PAYOUT), calendar=BusinessCalendar.CN)
    )


def night(step: object, date: datetime.date) -> int:
    set_business_date(date)
    return step(  # type: ignore[operator,no-any-return]  # A step of the night.
        business_date=date, actor=NIGHT, clock=lambda: SIGNED_AT, report=lambda _done, _of: None
    )


@pytest.mark.django_db
def test_the_catalog_offers_the_calendar_from_its_second_version_on() -> None:
    load_catalog()
    found = {}
    for on in (datetime.date(2026, 11, 22), datetime.date(2026, 11, 23)):
        version = offered_version("personal", on=on)
        assert version is not None
        offer = terms_of_offer(
            version,
            amount=Money.parse("10000"),
            installment_count=12,
            method="EQUAL_INSTALLMENT",
            annual_rate=terms().annual_rate,
            disbursement_date=on,
        )
        found[version.number] = offer.calendar
    assert found == {1: None, 2: BusinessCalendar.CN}


@pytest.mark.django_db
def test_the_night_counts_from_the_last_day_in_time() -> None:
    loan = shifted_loan()
    first = loan.installments.get(number=1)
    assert (first.due_date, first.payable_through) == (SATURDAY, MONDAY)
    assert night(bill_due_installments, SATURDAY) == 1
    for day in (SATURDAY + datetime.timedelta(days=1), MONDAY):
        assert night(age_overdue_loans, day) == 0
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due, loan.next_due_date) == (LoanStatus.ACTIVE, 0, MONDAY)
    assert night(age_overdue_loans, MONDAY + datetime.timedelta(days=1)) == 1
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due) == (LoanStatus.OVERDUE, 1)
    assert loan.overdue_since == MONDAY
    # 946.19 × 18 % × 1 / 360 = 0.47
    assert loan.installments.get(number=1).penalty == Money.parse("0.47")


@pytest.mark.django_db
def test_reminders_count_to_the_last_day_in_time() -> None:
    shifted_loan()
    sent = [
        day
        for day in (SATURDAY - datetime.timedelta(days=n) for n in range(5, -4, -1))
        if night(queue_reminders, day)
    ]
    assert sent == [MONDAY - datetime.timedelta(days=3), MONDAY]
    assert set(Message.objects.values_list("kind", flat=True)) == {"due_soon"}


@pytest.mark.django_db
def test_a_reminder_says_the_amount_of_its_own_installment() -> None:
    """The first installment is moved beyond the second, and partly paid."""
    loan = funded_loan(loan_terms=terms())
    due = datetime.date(2026, 7, 16)

    def moved(event_id: str, sequence: int) -> Event:
        return DueDateMoved(
            event_id=event_id,
            sequence=sequence,
            effective_date=due,
            number=1,
            payable_through=datetime.date(2026, 8, 18),
        )

    def paid(event_id: str, sequence: int) -> Event:
        amount = Money.parse("66.19")
        return Repaid(
            event_id=event_id,
            sequence=sequence,
            effective_date=due,
            amount=amount,
            # Else it would be held for the second, which has to be paid first.
            prepayment=PrepaymentEffect.SHORTEN_TERM,
        )

    with transaction.atomic():
        locked = Loan.objects.for_update().select_related("agreement").get(pk=loan.pk)
        for make_event in (moved, paid):
            record_event(
                loan=locked, make_event=make_event, business_date=due, actor=NIGHT, at=SIGNED_AT
            )
    # On 15 August the second is due in one day, the first in three: it says its own 1,000.00.
    assert night(queue_reminders, datetime.date(2026, 8, 15)) == 1
    message = Message.objects.get(kind="due_soon")
    assert "1,000.00" in message.body
    assert "1,066.19" not in message.body


@pytest.mark.django_db
def test_a_reminder_of_a_loan_that_is_late_asks_for_what_money_pays_first() -> None:
    """By 16 August the first 1,066.19 cost 14.67 for 31 late days; then 1,066.19 are due."""
    day = datetime.date(2026, 8, 13)
    late_loan(on=day)
    night(queue_reminders, day)
    message = Message.objects.filter(kind="due_soon").latest("pk")
    assert "2,147.05" in message.body


@pytest.mark.django_db
def test_the_database_refuses_a_last_day_before_the_due_date() -> None:
    loan = shifted_loan()
    with (
        pytest.raises(IntegrityError, match="installment_payable_through_its_due_date"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE loans_installment SET payable_through = due_date - 1 WHERE loan_id = %s",
            [loan.pk],
        )
    assert loan.installments.get(number=1).payable_through == MONDAY


@pytest.mark.django_db
def test_a_move_to_a_rest_day_is_recorded_to_the_next_business_day() -> None:
    loan = shifted_loan()
    sunday = datetime.date(2026, 8, 2)
    set_business_date(PAYOUT)
    moved = move_due_date(loan_id=loan.pk, number=1, payable_through=sunday, **how(make_servicer()))
    assert moved.body["payable_through"] == "2026-08-03"
    row = loan.installments.get(number=1)
    assert row.payable_through == datetime.date(2026, 8, 3)
