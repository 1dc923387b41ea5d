"""Money was returned, and then the payment behind it was taken back: it is owed again."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from loans.engine.lifecycle import LoanStatus
from loans.models import Loan, LoanEvent
from loans.selectors.business_day import business_date
from loans.selectors.loan_pages import loan_page
from loans.services.approvals import approve_correction, propose_correction
from loans.services.charge_offs import charge_off
from loans.services.refunds import refund_closed_loan
from loans.services.repayments import request_repayment
from loans.services.reversals import Reversal
from tests.factories.accounts import CARD_NUMBER
from tests.factories.bank_files import imported, loan_with_card, row, statement, stored
from tests.factories.collections_app import FIRST_LATE, close_through
from tests.factories.corrections import assert_books_agree, how, make_servicer, yuan
from tests.factories.funded import SIGNED_AT, settle
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db


def owed_again(*, written_off: bool = False) -> Loan:
    """Return a loan of 12,000.00: 20,000.00 came, the rest was returned, the bank took it back."""
    loan, staff = loan_with_card(1), make_servicer()
    if written_off:
        close_through(FIRST_LATE)
        charge_off(loan_id=loan.pk, **how(staff))
    day = business_date().isoformat()
    line = row(serial="S1", amount="20000.00", remark=loan.agreement.number, on=day)
    imported(stored(statement(line), staff), staff)
    loan.refresh_from_db()
    assert loan.status == LoanStatus.OVERPAID
    refund = refund_closed_loan(loan_id=loan.pk, business_date=business_date(), at=SIGNED_AT)
    assert refund is not None
    settle(refund)
    payment = LoanEvent.objects.get(loan=loan, body__amount="20000.00")
    proposal = propose_correction(
        loan_id=loan.pk, correction=Reversal(event_id=payment.event_id), **how(staff)
    )
    approve_correction(
        proposal_id=proposal.pk,
        approver=make_servicer().as_actor(),
        business_date=business_date(),
        at=SIGNED_AT,
    )
    loan.refresh_from_db()
    return loan


def signed_in(loan: Loan) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(loan.borrower, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_at(loan: Loan, name: str, *args: object) -> str:
    page = signed_in(loan).get(reverse(name, args=args))
    assert page.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def test_the_list_and_the_api_open() -> None:
    loan = owed_again()
    assert (loan.principal, loan.principal_outstanding) == (yuan("12000.00"), yuan("20000.00"))
    words = (
        "Nothing of ¥12,000.00 is repaid; with money that was returned to you, ¥20,000.00 of "
        "principal is left."
    )
    assert f"0% {words}" in text_at(loan, "loans:my_loans")
    assert f"0% {words}" in text_at(loan, "loans:loan", loan.public_id)
    summary = signed_in(loan).get("/api/v1/loans/").json()[0]
    assert summary["principal_outstanding"] == "20000.00"
    assert_books_agree(loan)


def test_the_words_say_what_was_lent_and_what_was_returned() -> None:
    loan = owed_again()
    text = text_at(loan, "loans:loan", loan.public_id)
    assert (
        "Of the money that we returned to you, ¥8,000.00 is owed again, because the payment that "
        "it came from was taken back."
    ) in text
    page = loan_page(loan, as_of=business_date())
    assert (page.borrowed, page.owed_again) == (yuan("12000.00"), yuan("8000.00"))
    interest = page.totals.total - yuan("20000.00")
    assert (
        f"You pay ¥{interest.amount:,.2f} for borrowing ¥12,000.00, plus ¥8,000.00 that was "
        f"returned to you: ¥{page.totals.total.amount:,.2f} in all."
    ) in text


def test_what_is_repaid_of_it_later_is_told_as_ever() -> None:
    loan = owed_again()
    pay(loan, "10000.00")
    assert "of ¥12,000.00 is repaid; ¥10,000.00 is left." in text_at(loan, "loans:my_loans")


def pay(loan: Loan, amount: str) -> None:
    transfer = request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=yuan(amount),
        key=f"pay-{amount}",
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=business_date(),
        at=SIGNED_AT,
    )
    settle(transfer)
    loan.refresh_from_db()


def test_a_written_off_loan_has_one_total_and_paying_it_closes() -> None:
    loan = owed_again(written_off=True)
    assert loan.status == LoanStatus.CHARGED_OFF
    page = loan_page(loan, as_of=business_date())
    assert {page.due_amount, page.to_pay, page.payoff_to_pay} == {yuan("20000.00")}
    text = text_at(loan, "loans:loan", loan.public_id)
    assert "Still owed in all ¥ 20,000 .00" in text
    assert "Returned to you, and owed again ¥7,875.96 refund of 17 Jul 2026" in text
    assert "not due yet" not in text
    assert "Still owed in all ¥ 20,000 .00" in text_at(loan, "loans:my_loans")
    assert "Everything, today ¥20,000.00" in text_at(loan, "loans:repay", loan.public_id)
    assert "you still owe ¥20,000.00" in text_at(loan, "loans:certificate", loan.public_id)
    found = signed_in(loan).get(f"/api/v1/loans/{loan.public_id}/").json()
    assert (found["overdue_amount"], found["payable_now"], found["payoff_amount"]) == (
        "20000.00",
        "20000.00",
        "20000.00",
    )
    pay(loan, "20000.00")
    assert (loan.status, loan.principal_outstanding) == (LoanStatus.PAID_OFF, Money.zero())
    assert_books_agree(loan)
