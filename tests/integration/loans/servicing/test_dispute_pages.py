"""What the borrower's pages say while an installment is in dispute."""

from __future__ import annotations

import datetime
import re

import pytest
from django.test import Client
from django.urls import reverse

from loans.models import Loan
from loans.selectors.loan_pages import loan_cards, loan_page
from loans.services.disputes import open_dispute
from tests.factories.accounts import make_borrower
from tests.factories.corrections import how, make_servicer
from tests.factories.documents import carry
from tests.factories.funded import funded_loan
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

DUE_ON = datetime.date(2026, 7, 16)


def in_dispute(*, since: datetime.date, today: datetime.date) -> Loan:
    """Return a loan of whose first installment, due on 16 July, nothing was paid."""
    loan = funded_loan(borrower=make_borrower())
    carry(loan, through=since)
    open_dispute(loan_id=loan.pk, number=1, **how(make_servicer(), on=since))
    carry(loan, through=today)
    return loan


def text_of(loan: Loan, name: str = "loans:loan") -> str:
    client = Client(headers={"accept-language": "en"})
    client.force_login(loan.borrower, backend="django.contrib.auth.backends.ModelBackend")
    args = [] if name == "loans:my_loans" else [loan.public_id]
    page = client.get(reverse(name, args=args)).content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def test_an_installment_that_was_late_stands_still_while_it_is_in_dispute() -> None:
    loan = in_dispute(since=datetime.date(2026, 7, 21), today=datetime.date(2026, 7, 28))
    text = text_of(loan)
    assert "Installment 1 is in dispute" in text
    assert "You may pay it, but you need not before we have answered." in text
    assert (
        "It was 5 days late when we began to look into it. The days stand still at 5, "
        "and no late charge grows on it meanwhile." in text
    )
    # 946.19 × 18 % × 5 / 360
    assert "Being late has cost ¥2.37 so far." in text
    assert "Not in dispute, by 16 Aug 2026 ¥1,066.19" in text
    for wrong in ("each further day", "Paying stops it", "Pay now", "To pay now", "¥0.00. "):
        assert wrong not in text
    page = loan_page(loan, as_of=datetime.date(2026, 7, 28))
    assert (page.status_label, page.status_tone) == ("In dispute", "soon")


def test_the_list_says_that_it_is_in_dispute() -> None:
    loan = in_dispute(since=datetime.date(2026, 7, 21), today=datetime.date(2026, 7, 28))
    text = text_of(loan, "loans:my_loans")
    assert "In dispute" in text
    assert "¥1,068.56 is in dispute: you need not pay it before we have answered." in text
    assert "The days late stand still at 5." in text
    assert "days late late" not in text
    assert "To pay now" not in text
    (card,) = loan_cards(loan.borrower)
    assert card.dispute is not None
    assert card.dispute.next_date == datetime.date(2026, 8, 16)


def test_what_is_not_in_dispute_is_asked_for_with_its_day() -> None:
    loan = in_dispute(since=datetime.date(2026, 7, 10), today=datetime.date(2026, 7, 10))
    text = text_of(loan)
    assert "Until then it does not count as late, and no late charge grows on it." in text
    assert "Not in dispute, by 16 Aug 2026 ¥1,066.19" in text
    listed = text_of(loan, "loans:my_loans")
    assert "is in dispute: you need not pay it before we have answered." in listed
    assert "Next payment, not in dispute" in listed
    paying = text_of(loan, "loans:repay")
    assert "Not in dispute, by 16 Aug 2026 ¥1,066.19" in paying
    assert "In dispute ¥1,066.19 You need not pay it before we have answered." in paying


def test_what_is_late_beside_the_dispute_is_told_by_itself() -> None:
    loan = in_dispute(since=datetime.date(2026, 7, 21), today=datetime.date(2026, 8, 18))
    page = loan_page(loan, as_of=datetime.date(2026, 8, 18))
    news = page.dispute
    assert news is not None
    assert (news.days, news.late_days, news.late_since) == (5, 2, datetime.date(2026, 8, 16))
    assert news.due_now + news.amount == news.together == page.state.payable_now
    assert news.amount == Money.parse("1068.56")
    assert page.status_tone == "late"
    text = text_of(loan)
    assert "To pay now, not in dispute" in text
    assert "It was due on Sunday 16 August 2026, 2 days ago." in text
    assert "Money pays first what was late first, also while it is in dispute." in text
