"""How many queries the main pages make, whatever the number of rows behind them."""

from __future__ import annotations

import datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from loans.engine.terms import Method
from loans.models import Loan
from loans.services.business_day import close_days
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.collections_app import FIRST_LATE, close_through, make_staff
from tests.factories.funded import SIGNED_AT, Clock, funded_loan, settle, terms
from tests.factories.loans import make_approved, make_referred, make_underwriter, open_shop
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

SESSION_AND_USER = 2


def as_person(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def signed_in(loan: Loan) -> Client:
    return as_person(loan.borrower)


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
        ("/loans/", 4),
        ("/loans/{loan}/", 5),
        ("/loans/{loan}/pay/", 7),
        ("/loans/{loan}/schedule/", 5),
        ("/loans/{loan}/schedule.pdf", 5),
        ("/loans/{loan}/statement/", 5),
        ("/loans/{loan}/statement.pdf", 5),
        ("/loans/{loan}/certificate/", 3),
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


def test_the_first_page_for_a_visitor(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    open_shop()
    # The first look reads the policy, which stays in memory as long as it is the same.
    assert Client().get("/").status_code == 200
    with django_assert_num_queries(3):
        assert Client().get("/").status_code == 200


@pytest.mark.parametrize(("page", "queries"), [("", 3), ("cost-sheet/", 9)])
def test_pages_of_an_application(
    django_assert_num_queries: DjangoAssertNumQueries, page: str, queries: int
) -> None:
    open_shop()
    application = make_approved()
    client = as_person(application.borrower)
    path = f"/applications/{application.public_id}/{page}"
    # The first look makes the cost sheet; from then on the same one is shown.
    assert client.get(path).status_code == 200
    with django_assert_num_queries(SESSION_AND_USER + queries):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("cases", [1, 4])
def test_pages_of_an_underwriter(
    django_assert_num_queries: DjangoAssertNumQueries, cases: int
) -> None:
    open_shop()
    applications = [make_referred() for _ in range(cases)]
    client = as_person(make_underwriter())
    with django_assert_num_queries(SESSION_AND_USER + 4):
        assert client.get("/admin/loans/loanapplication/referrals/").status_code == 200
    path = f"/admin/loans/loanapplication/referrals/{applications[0].public_id}/"
    with django_assert_num_queries(SESSION_AND_USER + 14):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("loans", [2, 4])
@pytest.mark.parametrize(
    ("page", "queries"),
    [
        ("collections_app/case/", 6),
        ("collections_app/case/desk/{case}/", 25),
        ("loans/loan/", 7),
        # One of them: whether a case is open, which opens the desk to who works it. One records
        # the look.
        ("loans/loan/{loan}/change/", 10),
        ("loans/journalentry/", 7),
        ("loans/banktransfer/", 6),
        ("loans/loanevent/", 6),
    ],
)
def test_pages_of_staff_on_late_loans(
    django_assert_num_queries: DjangoAssertNumQueries, page: str, queries: int, loans: int
) -> None:
    late = [funded_loan(borrower=make_borrower()) for _ in range(loans)]
    close_through(FIRST_LATE)
    client = as_person(
        make_staff(
            "collections_app.work_case",
            "collections_app.view_case",
            "loans.view_loan",
            "loans.view_installment",
            "loans.view_loanevent",
            "loans.view_posting",
            "loans.view_journalentry",
            "loans.view_banktransfer",
            "loans.view_loanstatuschange",
        )
    )
    case = late[0].cases.get().public_id
    path = page.format(case=case, loan=late[0].pk)
    # Django learns its content types once a process; they are no part of the page.
    assert client.get(f"/admin/{path}").status_code == 200
    with django_assert_num_queries(SESSION_AND_USER + queries):
        assert client.get(f"/admin/{path}").status_code == 200


def test_the_list_of_loans_does_not_grow_with_them(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    loan = funded_loan(borrower=make_borrower())
    for _ in range(4):
        funded_loan(
            borrower=loan.borrower, loan_terms=terms(method=Method.EQUAL_PRINCIPAL, count=6)
        )
    client = signed_in(loan)
    with django_assert_num_queries(SESSION_AND_USER + 4):
        assert client.get("/loans/").status_code == 200
