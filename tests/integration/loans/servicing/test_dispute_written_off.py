"""An installment in dispute stays so when its loan is written off: nobody asks for it."""

from __future__ import annotations

import datetime
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from loans.models import Loan
from loans.selectors.loan_pages import loan_cards, loan_page
from loans.selectors.servicing import loan_state
from loans.services.charge_offs import charge_off
from loans.services.disputes import open_dispute
from tests.factories.corrections import assert_books_agree, how, make_servicer
from tests.integration.loans.servicing.test_dispute_pages import in_dispute, text_of
from tests.integration.loans.servicing.test_suspended_installment import client_of, withdrawal
from tests.integration.loans.servicing.test_written_off import written_off_loan
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

IN_TIME = datetime.date(2026, 7, 10)
TODAY = datetime.date(2026, 7, 20)
AMOUNT = Money.parse("1066.19")


def written_off_in_dispute() -> Loan:
    """Return a loan that was written off while its first installment was in dispute in time."""
    loan = in_dispute(since=IN_TIME, today=TODAY)
    charge_off(loan_id=loan.pk, **how(make_servicer(), on=TODAY))
    loan.refresh_from_db()
    return loan


def test_no_page_no_list_and_no_api_asks_for_it() -> None:
    loan = written_off_in_dispute()
    state = loan_state(loan, as_of=TODAY)
    rest = state.payoff_amount - AMOUNT
    assert (state.payable_now, state.suspended) == (rest, AMOUNT)
    page = loan_page(loan, as_of=TODAY)
    assert page.dispute is not None
    assert (page.to_pay, page.dispute.rest, page.dispute.amount) == (rest, rest, AMOUNT)
    assert page.status_label == "Written off"
    (card,) = loan_cards(loan.borrower)
    assert card.still_owed == rest
    found = client_of(loan).get(reverse("api:loan", args=[loan.public_id])).json()
    assert (found["payable_now"], found["overdue_amount"]) == (str(rest), str(rest))
    assert found["payoff_amount"] == str(state.payoff_amount)


def test_the_pages_keep_the_notice_and_the_way_to_withdraw() -> None:
    loan = written_off_in_dispute()
    text = text_of(loan)
    assert "Still owed, not in dispute" in text
    assert "Still owed in all" not in text
    assert "Installment 1 is in dispute" in text
    assert "You need not pay it before we have answered." in text
    assert "Withdraw the dispute" in text
    assert "I can't pay this" not in text
    listed = text_of(loan, "loans:my_loans")
    assert "Still owed, not in dispute" in listed
    assert "¥1,066.19 is in dispute: you need not pay it before we have answered." in listed
    paying = text_of(loan, "loans:repay")
    assert "Still owed, not in dispute" in paying
    assert "In dispute ¥1,066.19 You need not pay it before we have answered." in paying
    assert "Everything, today" in paying


def test_withdrawn_it_is_asked_for_with_all_the_rest() -> None:
    loan = written_off_in_dispute()
    text = " ".join(client_of(loan).get(withdrawal(loan)).content.decode().split())
    assert "It is asked for again, with what else is owed of this loan." in text
    assert "it is late" not in text
    client_of(loan).post(withdrawal(loan), {"key": str(uuid4())})
    state = loan_state(loan, as_of=TODAY)
    assert state.payable_now == state.payoff_amount
    assert "Still owed in all" in text_of(loan)
    assert_books_agree(loan)


def test_a_dispute_that_comes_after_the_write_off_is_told_the_same_way() -> None:
    loan = written_off_loan()
    open_dispute(loan_id=loan.pk, number=1, **how(make_servicer()))
    text = text_of(loan)
    assert "Installment 1 is in dispute" in text
    assert "Withdraw the dispute" in text
    assert "you need not pay it before we have answered." in text_of(loan, "loans:my_loans")
    assert Client().get(withdrawal(loan)).status_code == 302
