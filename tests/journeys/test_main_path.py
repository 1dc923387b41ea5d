"""From an application to a loan that was late and is cured: two actors, given dates, no browser."""

from __future__ import annotations

import datetime

import pytest
from django.test import Client

from accounts.models import Message
from collections_app.engine.states import CaseState
from collections_app.models import Case
from loans.engine.lifecycle import ApplicationState, LoanStatus
from loans.models import BankTransfer, JournalEntry, Loan, LoanEvent
from loans.selectors.servicing import loan_state
from loans.services.ledger import booked_balances
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER, TODAY, make_borrower
from tests.factories.collections_app import close_through, instant, make_collector
from tests.factories.funded import settle
from tests.factories.loans import (
    approve,
    make_ready_to_sign,
    make_referred,
    make_underwriter,
    open_shop,
    sign,
)
from zhixin.shared.money import Money, total

CASES = "/admin/collections_app/case/"
FIRST_DUE = datetime.date(2026, 7, 16)
LATE_DAYS = 5
LATE = FIRST_DUE + datetime.timedelta(days=LATE_DAYS)


def sees(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def signed_in(user: object) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)  # type: ignore[arg-type]  # A user of ours.
    return client


@pytest.mark.django_db
def test_a_referred_application_becomes_a_loan_that_is_late_and_cured() -> None:
    open_shop()
    borrower, collector = make_borrower(full_name="陈静"), make_collector()
    application = make_referred(borrower)
    assert "A person will look" in sees(
        signed_in(borrower), f"/applications/{application.public_id}/"
    )

    # A person approves; the borrower signs; the bank pays out all of it.
    application = approve(application, make_underwriter())
    assert application.state == ApplicationState.APPROVED
    loan: Loan = sign(make_ready_to_sign(application)).loan
    payout = BankTransfer.objects.get(loan=loan)
    assert (loan.status, payout.amount) == (LoanStatus.PENDING, Money.parse("10000.00"))
    settle(payout)
    page = f"/loans/{loan.public_id}/"
    assert "¥10,000.00" in sees(signed_in(borrower), page)
    foreign = signed_in(make_borrower()).get(page)
    assert foreign.status_code == 404

    # The first installment is missed: days, cost, a case, a message.
    close_through(LATE)
    loan.refresh_from_db()
    assert (loan.status, loan.days_past_due) == (LoanStatus.OVERDUE, LATE_DAYS)
    assert loan_state(loan, as_of=LATE).overdue.penalty > Money.zero()
    assert f"{LATE_DAYS} days ago" in sees(signed_in(borrower), page)
    assert "陈静" in sees(signed_in(collector), CASES)
    assert Message.objects.filter(recipient=borrower, kind="payment_late").count() == 1

    # Paying what is late ends the work at once, and the case by night.
    settle(
        request_repayment(
            loan_id=loan.pk,
            owner_id=borrower.pk,
            amount=loan.overdue_amount,
            key="what is late",
            account_name="陈静",
            card_number=CARD_NUMBER,
            business_date=LATE,
            at=instant(LATE),
        )
    )
    loan.refresh_from_db()
    assert (loan.status, loan.overdue_amount) == (LoanStatus.ACTIVE, Money.zero())
    assert "陈静" not in sees(signed_in(collector), CASES)
    assert Case.objects.get(loan=loan).state == CaseState.OPEN
    close_through(LATE + datetime.timedelta(days=1))
    assert Case.objects.get(loan=loan).state == CaseState.CURED

    # The facts in their order, and books that balance.
    kinds = LoanEvent.objects.filter(loan=loan).order_by("sequence").values_list("kind", flat=True)
    assert list(kinds) == ["DISBURSEMENT", "REPAYMENT"]
    assert JournalEntry.objects.filter(loan=loan).exists()
    assert total(booked_balances(loan).values()) == Money.zero()
    assert loan.disbursed_on == TODAY
