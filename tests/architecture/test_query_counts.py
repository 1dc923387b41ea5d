"""How many queries the main pages make, whatever the number of rows behind them."""

from __future__ import annotations

import datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from loans.engine.terms import Method
from loans.models import Loan
from loans.services.business_day import close_days
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.funded import SIGNED_AT, Clock, funded_loan, settle, terms
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

SESSION_AND_USER = 2


def signed_in(loan: Loan) -> Client:
    client = Client()
    client.force_login(loan.borrower, backend="django.contrib.auth.backends.ModelBackend")
    return client


def loan_with_history(payments: int) -> Loan:
    """Return a loan with this many repayments and a missed installment."""
    loan = funded_loan(borrower=make_borrower(), loan_terms=terms(count=24))
    for number in range(payments):
        settle(
            request_repayment(
                loan_id=loan.pk,
                owner_id=loan.borrower_id,
                amount=Money(1000 + number),
                key=f"key-{number}",
                account_name="李小华",
                card_number=CARD_NUMBER,
                business_date=loan.agreement.signed_at.date(),
                at=SIGNED_AT,
            )
        )
    close_days(
        through=datetime.date(2026, 7, 20), actor=NIGHT, clock=Clock(), progress=lambda _: None
    )
    loan.refresh_from_db()
    return loan


@pytest.mark.parametrize("payments", [1, 6])
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/loans/", 3),
        ("/loans/{loan}/", 5),
        ("/loans/{loan}/pay/", 7),
        ("/help/", 2),
        ("/help/{loan}/", 6),
        ("/me/", 7),
    ],
)
def test_pages_of_a_borrower(
    django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int, payments: int
) -> None:
    loan = loan_with_history(payments)
    client = signed_in(loan)
    with django_assert_num_queries(SESSION_AND_USER + queries):
        response = client.get(path.format(loan=loan.public_id))
    assert response.status_code == 200


def test_the_list_of_loans_does_not_grow_with_them(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    loan = funded_loan(borrower=make_borrower())
    for _ in range(4):
        funded_loan(
            borrower=loan.borrower, loan_terms=terms(method=Method.EQUAL_PRINCIPAL, count=6)
        )
    client = signed_in(loan)
    with django_assert_num_queries(SESSION_AND_USER + 3):
        assert client.get("/loans/").status_code == 200
