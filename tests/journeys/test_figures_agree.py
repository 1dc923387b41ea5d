"""What the list, the loan's page and the journal say of one loan is the same, whatever happened."""

from __future__ import annotations

import datetime

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from collections_app.models import HardshipOffer
from collections_app.services.negotiation import accept_offer
from loans.engine.terms import Method
from loans.models import Loan
from loans.selectors.loan_pages import LoanPage, loan_cards, loan_page
from loans.selectors.servicing import loan_state
from loans.services.ledger import booked_balances
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER
from tests.factories.collections_app import asked, close_through, late_loan
from tests.factories.funded import SIGNED_AT, SIGNED_ON, funded_loan, settle, terms
from zhixin.shared.money import Money, total

pytestmark = pytest.mark.django_db

FIRST_DUE = datetime.date(2026, 7, 16)


def pay(loan: Loan, amount: Money, *, on: datetime.date) -> None:
    settle(
        request_repayment(
            loan_id=loan.pk,
            owner_id=loan.borrower_id,
            amount=amount,
            key=f"{loan.pk}-{on}",
            account_name="李小华",
            card_number=CARD_NUMBER,
            business_date=on,
            at=SIGNED_AT,
        )
    )
    loan.refresh_from_db()


def page_of(loan: Loan, *, on: datetime.date) -> LoanPage:
    return loan_page(Loan.objects.select_related("agreement").get(pk=loan.pk), as_of=on)


def test_a_payment_ahead_becomes_the_installments_when_its_day_comes() -> None:
    loan = funded_loan(loan_terms=terms(method=Method.EQUAL_PRINCIPAL))
    pay(loan, Money.parse("1120.00"), on=SIGNED_ON)
    today = FIRST_DUE + datetime.timedelta(days=3)
    close_through(today)
    loan.refresh_from_db()
    state = loan_state(loan, as_of=today)
    assert loan.principal_outstanding == state.outstanding.principal
    assert booked_balances(loan) == {
        account: amount for account, amount in state.balances.items() if amount
    }
    [card] = loan_cards(User.objects.get(pk=loan.borrower_id))
    assert card.ring == page_of(loan, on=today).ring


def change_plan(loan: Loan, *, on: datetime.date, kind: str = "") -> None:
    """Accept the first hardship offer, or the one of `kind`."""
    offers = HardshipOffer.objects.filter(request=asked(loan, on=on))
    offer = (offers.filter(kind=kind) if kind else offers).first()
    assert offer is not None
    accept_offer(offer_id=offer.pk, business_date=on, actor=loan.borrower.as_actor(), at=SIGNED_AT)


def assert_rows_are_the_totals(page: LoanPage) -> None:
    assert total([row.principal for row in page.rows]) == page.totals.principal
    assert total([row.interest for row in page.rows]) == page.totals.interest
    assert total([row.penalty for row in page.rows]) == page.totals.penalty
    assert total([row.total for row in page.rows]) == page.totals.total
    assert all(row.total for row in page.rows)
    assert len(page.chart.bars) == len(page.rows)


@pytest.mark.parametrize("paid", ["", "500.00"])
def test_a_changed_plan_counts_no_installment_twice(paid: str) -> None:
    loan = late_loan()
    today = datetime.date(2026, 7, 17)
    if paid:
        pay(loan, Money.parse(paid), on=today)
    change_plan(loan, on=today)
    page = page_of(loan, on=today)
    assert page.totals.principal == loan.principal
    assert page.chart.principal_total == loan.principal
    assert_rows_are_the_totals(page)
    moved = [row for row in page.rows if row.state == "paid"]
    assert [str(row.total) for row in moved] == ([paid] if paid else [])


def test_the_schedule_re_adds_in_the_api_too() -> None:
    loan = late_loan()
    today = datetime.date(2026, 7, 17)
    pay(loan, Money.parse("500.00"), on=today)
    change_plan(loan, on=today)
    client = Client()
    client.force_login(loan.borrower, backend="django.contrib.auth.backends.ModelBackend")
    body = client.get(reverse("api:loan", args=[loan.public_id])).json()
    page = page_of(loan, on=today)
    shown = [Money.parse(row["total"]) for row in body["installments"]]
    assert total(shown) == page.totals.total
    principal = [Money.parse(row["principal"]) for row in body["installments"]]
    assert total(principal) == loan.principal


def test_the_schedule_of_a_late_loan_re_adds() -> None:
    loan = late_loan(on=datetime.date(2026, 9, 20))
    page = page_of(loan, on=datetime.date(2026, 9, 20))
    assert page.totals.penalty == page.state.penalty_accrued > Money.zero()
    assert_rows_are_the_totals(page)
