"""An installment in dispute is asked for by nobody, and again when the borrower withdraws."""

from __future__ import annotations

import datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Message
from loans.engine.events import DisputeResolved
from loans.models import Loan, LoanEvent
from loans.selectors.loan_pages import loan_cards, loan_page
from loans.selectors.servicing import loan_state
from loans.services.disputes import DisputeAlreadyResolvedError, withdraw_dispute
from loans.services.reminders import queue_reminders
from tests.factories.accounts import make_borrower
from tests.factories.corrections import assert_books_agree
from tests.factories.documents import carry, repay
from tests.factories.funded import SIGNED_AT
from tests.integration.loans.servicing.test_dispute_pages import DUE_ON, in_dispute, text_of
from tests.integration.loans.servicing.test_races import at_once
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

SECOND = datetime.date(2026, 8, 16)
IN_TIME = datetime.date(2026, 7, 10)
AMOUNT = Money.parse("1066.19")


def client_of(loan: Loan) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(loan.borrower, backend="django.contrib.auth.backends.ModelBackend")
    return client


def withdrawal(loan: Loan, number: int = 1) -> str:
    return reverse("loans:withdraw_dispute", args=[loan.public_id, number])


def remind(loan: Loan, on: datetime.date) -> list[str]:
    carry(loan, through=on)
    queue_reminders(
        business_date=on, actor=NIGHT, clock=lambda: SIGNED_AT, report=lambda _done, _of: None
    )
    return list(Message.objects.filter(kind="due_soon").order_by("pk").values_list("body", "pk"))


@pytest.mark.parametrize("days_before", [3, 0])
def test_the_reminder_asks_for_what_the_pages_ask(days_before: int) -> None:
    on = SECOND - datetime.timedelta(days=days_before)
    loan = in_dispute(since=DUE_ON, today=DUE_ON)
    ((body, _),) = remind(loan, on)
    assert "1,066.19" in body
    assert "2,132.38" not in body
    found = client_of(loan).get(reverse("api:loan", args=[loan.public_id])).json()
    assert (found["next_due_amount"], found["next_due_date"]) == ("1066.19", "2026-08-16")
    assert found["payable_now"] == ("0.00" if days_before else "1066.19")
    # 1,066.19 in dispute are in the payoff still.
    assert found["due_now"]["total"] == ("1066.19" if days_before else "2132.38")
    (card,) = loan_cards(loan.borrower)
    page = loan_page(loan, as_of=on)
    assert card.dispute is not None
    asked = card.dispute.due_now or card.dispute.next_amount
    assert asked == loan.next_due_amount == page.to_pay == AMOUNT


def test_nobody_is_reminded_of_the_installment_in_dispute() -> None:
    loan = in_dispute(since=datetime.date(2026, 7, 1), today=datetime.date(2026, 7, 1))
    assert remind(loan, datetime.date(2026, 7, 13)) == []
    assert remind(loan, DUE_ON) == []


def test_who_pays_what_is_asked_two_days_early_is_not_late() -> None:
    loan = in_dispute(since=DUE_ON, today=SECOND - datetime.timedelta(days=2))
    repay(loan, AMOUNT, on=SECOND - datetime.timedelta(days=2))
    carry(loan, through=SECOND + datetime.timedelta(days=1))
    assert (loan.days_past_due, loan.overdue_amount) == (0, Money.zero())
    assert (loan.next_due_date, loan.next_due_amount) == (datetime.date(2026, 9, 16), AMOUNT)
    assert_books_agree(loan)


def test_the_card_says_that_it_need_not_be_paid_and_offers_to_withdraw() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))
    text = text_of(loan)
    assert "You need not pay it before we have answered." in text
    assert "Withdraw the dispute" in text
    assert "Pay it all the same" not in text


def test_before_it_is_withdrawn_the_page_says_from_when_it_counts() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))
    answer = client_of(loan).get(withdrawal(loan))
    assert answer.context["preview"].row.outstanding.total == AMOUNT
    page = " ".join(answer.content.decode().split())
    assert "through Monday 20 July 2026. From Tuesday 21 July 2026 on it is late." in page
    assert not loan.events.filter(kind=DisputeResolved.kind).exists()


def test_of_one_that_was_late_it_says_the_days_that_count_on() -> None:
    loan = in_dispute(since=datetime.date(2026, 7, 21), today=datetime.date(2026, 7, 28))
    page = " ".join(client_of(loan).get(withdrawal(loan)).content.decode().split())
    assert "It is 5 days late. From today on the days count again" in page


def test_withdrawn_it_is_asked_for_again_and_late_from_the_next_day() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))
    client, key = client_of(loan), str(uuid4())
    for _ in range(2):
        answer = client.post(withdrawal(loan), {"key": key})
        assert answer["location"] == reverse("loans:loan", args=[loan.public_id])
    row = LoanEvent.objects.get(loan=loan, kind=DisputeResolved.kind)
    assert row.reason == "The borrower withdrew the dispute."
    assert row.actor_user_id == loan.borrower_id
    state = loan_state(loan, as_of=datetime.date(2026, 7, 20))
    assert (state.payable_now, state.days_past_due) == (AMOUNT, 0)
    assert loan_state(loan, as_of=datetime.date(2026, 7, 21)).days_past_due == 1
    text = text_of(loan)
    # What borrowers do themselves is told as theirs, and not as an answer of ours.
    assert "You withdrew the dispute" in text
    assert "The dispute was answered" not in text
    statement = text_of(loan, "loans:statement")
    assert "Dispute withdrawn" in statement
    assert "Answer to a dispute" not in statement
    assert_books_agree(loan)


def test_withdrawn_already_it_says_so_and_records_nothing() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))
    client = client_of(loan)
    client.post(withdrawal(loan), {"key": str(uuid4())})
    count = loan.events.count()
    for answer in (
        client.post(withdrawal(loan), {"key": str(uuid4())}, follow=True),
        client.get(withdrawal(loan), follow=True),
    ):
        assert "This installment is not in dispute any more." in answer.content.decode()
    never = client.get(withdrawal(loan, number=2), follow=True).content.decode()
    assert "This installment is not in dispute." in never
    for number in (0, 99, 99999999999999999999999):
        assert client.get(withdrawal(loan, number=number)).status_code == 404
        answer = client.post(withdrawal(loan, number=number), {"key": str(uuid4())})
        assert answer.status_code == 404
    assert loan.events.count() == count


def test_without_a_key_nothing_is_withdrawn() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))
    assert client_of(loan).post(withdrawal(loan), {"key": "x"}).status_code == 200
    assert not loan.events.filter(kind=DisputeResolved.kind).exists()


def test_a_loan_of_somebody_else_is_not_found() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))
    client = Client()
    client.force_login(make_borrower(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(withdrawal(loan)).status_code == 404
    assert client.post(withdrawal(loan), {"key": str(uuid4())}).status_code == 404
    assert not loan.events.filter(kind=DisputeResolved.kind).exists()


@pytest.mark.django_db(transaction=True)
def test_withdrawn_twice_at_once_it_is_withdrawn_once() -> None:
    loan = in_dispute(since=IN_TIME, today=datetime.date(2026, 7, 20))

    def withdraw() -> LoanEvent:
        return withdraw_dispute(
            loan_id=loan.pk,
            number=1,
            actor=loan.borrower.as_actor(),
            key=str(uuid4()),
            business_date=datetime.date(2026, 7, 20),
            at=SIGNED_AT,
        )

    connection.close()
    results = at_once(withdraw, withdraw, withdraw)
    refused = [each for each in results if isinstance(each, DisputeAlreadyResolvedError)]
    assert len(refused) == 2
    assert LoanEvent.objects.filter(loan=loan, kind=DisputeResolved.kind).count() == 1
    assert_books_agree(loan)
