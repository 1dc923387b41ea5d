"""What the list, the loan's page and the journal say of one loan is the same, whatever happened."""

from __future__ import annotations

import datetime

import pytest

from accounts.models import User
from collections_app.models import HardshipOffer
from collections_app.services.negotiation import accept_offer
from loans.engine.ledger import balances_of
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
        account: amount for account, amount in balances_of(state).items() if amount
    }
    [card] = loan_cards(User.objects.get(pk=loan.borrower_id))
    assert card.ring == page_of(loan, on=today).ring


def test_a_changed_plan_counts_no_installment_twice() -> None:
    loan = late_loan()
    today = datetime.date(2026, 7, 17)
    request = asked(loan)
    offer = HardshipOffer.objects.filter(request=request).first()
    assert offer is not None
    accept_offer(
        offer_id=offer.pk,
        business_date=today,
        actor=loan.borrower.as_actor(),
        at=SIGNED_AT,
    )
    page = page_of(loan, on=today)
    assert page.totals.principal == loan.principal
    assert page.chart.principal_total == loan.principal
    assert len(page.chart.bars) < len(page.rows)
    assert page.totals.total == total(
        [row.total for row in page.rows if row.status_tone or row.state != "paid"]
    )
