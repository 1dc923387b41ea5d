"""A loan that was written off: owed still, told calmly, payable, and nobody presses for it."""

from __future__ import annotations

import datetime
import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from collections_app.engine.states import CaseState
from collections_app.models import Case
from collections_app.services.contacts import ask_for_person
from loans.engine.events import Recovered
from loans.engine.lifecycle import LoanStatus
from loans.models import BankTransfer, Loan
from loans.selectors.servicing import loan_state
from loans.services.charge_offs import charge_off
from loans.services.disputes import open_dispute
from loans.services.due_dates import move_due_date
from loans.services.reversals import reverse_event
from tests.factories.accounts import make_borrower
from tests.factories.collections_app import (
    FIRST_LATE,
    close_through,
    instant,
    late_loan,
    make_collector,
)
from tests.factories.corrections import how, make_servicer
from tests.factories.funded import settle
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db
OWED = "¥12,124.04"
NEXT_NIGHT = datetime.date(2026, 7, 18)


def written_off_loan() -> Loan:
    """Return a loan of 12,000.00 that was written off a day after its first missed payment."""
    loan = late_loan(borrower=make_borrower())
    charge_off(loan_id=loan.pk, **how(make_servicer(), reason="Nothing to be had."))
    loan.refresh_from_db()
    return loan


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(loan: Loan, name: str) -> str:
    page = signed_in(loan.borrower).get(reverse(name, args=[loan.public_id]))
    assert page.status_code == 200
    return page.content.decode()


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_loans_page_says_what_is_owed_why_and_what_can_be_done() -> None:
    loan = written_off_loan()
    page = page_of(loan, "loans:loan")
    text = text_of(page)
    assert "Still owed in all ¥ 12,124 .04" in text
    assert "We wrote this loan off in our books on Friday 17 July 2026" in text
    assert "the money is still owed." in text
    assert "Since that day no interest and no late charge is added." in text
    assert reverse("loans:repay", args=[loan.public_id]) in page
    assert reverse("collections:person", args=[loan.public_id]) in page
    # Nothing that is for loans which run: no budget page, no costs of a further day.
    assert f'href="{reverse("collections:budget", args=[loan.public_id])}"' not in page
    assert "each further day costs" not in text
    assert "day late" not in text
    assert "¥1,066.66 Still owed" in text


def test_it_can_be_paid_in_part_and_then_in_full() -> None:
    loan = written_off_loan()
    assert f"Everything, today {OWED}" in text_of(page_of(loan, "loans:repay"))
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    for amount in ("2000.00", "10124.04"):
        key = re.search(r'name="key" value="([^"]+)"', client.get(url).content.decode())
        assert key is not None
        answer = client.post(url, {"key": key[1], "amount": amount})
        assert answer.status_code == 302
        settle(BankTransfer.objects.get(loan=loan, amount=Money.parse(amount)))
    loan.refresh_from_db()
    assert list(loan.events.values_list("kind", flat=True))[-2:] == [Recovered.kind] * 2
    assert (loan.status, loan.principal_outstanding) == (LoanStatus.PAID_OFF, Money.zero())
    page = page_of(loan, "loans:loan")
    assert "You paid this loan off on Friday 17 July 2026" in text_of(page)
    # Both payments have their receipt, and nothing is said to be owed.
    assert "left to pay" not in page
    assert len(re.findall(r">\s*Receipt\s*<", page)) == 2
    assert "Still owed" not in page


def test_the_list_the_help_page_and_the_documents_say_that_it_is_owed() -> None:
    loan = written_off_loan()
    client = signed_in(loan.borrower)
    cards = text_of(client.get(reverse("loans:my_loans")).content.decode())
    assert "Written off Still owed in all ¥ 12,124 .04 Written off in our books" in cards
    assert "Next payment" not in cards
    help_page = text_of(client.get(reverse("collections:help")).content.decode())
    assert "Written off in our books and still owed." in help_page
    assert "You owe nothing here today" not in help_page
    certificate = text_of(page_of(loan, "loans:certificate"))
    assert f"you still owe {OWED}" in certificate
    assert "The loan was written off in our books." in certificate
    schedule = text_of(page_of(loan, "loans:schedule"))
    assert "no more interest is added" in schedule
    assert "Paying late" not in schedule


def test_the_api_says_that_everything_is_due() -> None:
    loan = written_off_loan()
    client = signed_in(loan.borrower)
    found = client.get(reverse("api:loan", args=[loan.public_id])).json()
    assert (found["status"], found["written_off_on"]) == ("CHARGED_OFF", "2026-07-17")
    assert (found["payoff_amount"], found["overdue_amount"]) == ("12124.04", "12124.04")
    assert (found["next_due_date"], found["next_due_amount"]) == (None, "0.00")
    paid = client.post(
        reverse("api:repayments", args=[loan.public_id]),
        {"amount": "100.00"},
        content_type="application/json",
        headers={"idempotency-key": str(uuid4())},
    )
    assert paid.status_code == 202


def test_its_case_ends_and_no_night_adds_anything() -> None:
    loan = written_off_loan()
    case = Case.objects.get(loan=loan)
    assert case.state == CaseState.OPEN
    owed = loan_state(loan, as_of=FIRST_LATE).payoff_amount
    close_through(NEXT_NIGHT)
    case.refresh_from_db()
    assert (case.state, case.closed_on) == (CaseState.CLOSED, NEXT_NIGHT)
    assert case.changes.latest("pk").reason == "WRITTEN_OFF"
    assert loan_state(loan, as_of=NEXT_NIGHT).payoff_amount == owed


def test_who_asks_for_a_person_stays_in_the_queue() -> None:
    loan = written_off_loan()
    close_through(NEXT_NIGHT)
    case = ask_for_person(
        loan_id=loan.pk,
        actor=loan.borrower.as_actor(),
        business_date=NEXT_NIGHT,
        at=instant(NEXT_NIGHT),
    )
    close_through(datetime.date(2026, 7, 20))
    case.refresh_from_db()
    assert case.state == CaseState.OPEN
    assert list(Case.objects.to_work()) == [case]
    person = page_of(loan, "collections:person")
    assert f'href="{reverse("collections:budget", args=[loan.public_id])}"' not in person
    desk = signed_in(make_collector()).get(reverse("admin:collections_case", args=[case.public_id]))
    assert f"This loan was written off: {OWED} is owed still" in text_of(desk.content.decode())


def test_the_history_names_what_was_done_in_words_for_borrowers() -> None:
    loan = written_off_loan()
    history = text_of(page_of(loan, "loans:loan"))
    assert "The loan was written off 17 Jul 2026 In our books. It is still owed" in history
    # What staff noted for themselves is not what a borrower reads.
    assert "Nothing to be had." not in history
    undone = loan.events.latest("sequence")
    reverse_event(loan_id=loan.pk, event_id=undone.event_id, **how(make_servicer()))
    assert "Taken back: Charge-off" in text_of(page_of(loan, "loans:loan"))


def test_the_history_tells_of_a_dispute_and_of_more_time() -> None:
    loan = late_loan(borrower=make_borrower())
    staff = make_servicer()
    until = datetime.date(2026, 9, 1)
    move_due_date(loan_id=loan.pk, number=2, payable_through=until, **how(staff))
    open_dispute(loan_id=loan.pk, number=1, **how(staff))
    history = text_of(page_of(loan, "loans:loan"))
    assert "Installment 1 is in dispute" in history
    assert "In dispute" in history
    assert "You may pay it, but you need not before we have answered." in history
    assert "Installment 2 can be paid through 1 Sep 2026, at no extra cost." in history
    assert "The loan changed" not in history
