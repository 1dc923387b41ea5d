"""An installment with more time: what the desk says before, and what the borrower reads after."""

from __future__ import annotations

import datetime

import pytest
from django.urls import reverse

from loans.engine.state import Buckets
from loans.models import Loan
from loans.selectors.loan_pages import loan_cards, loan_page
from loans.services.due_dates import move_due_date
from loans.services.waivers import waive
from tests.factories.collections_app import FIRST_DUE, close_through, late_loan
from tests.factories.corrections import how, make_servicer
from tests.factories.funded import funded_loan, terms
from tests.integration.loans.servicing.test_loan_pages import text_of
from tests.integration.loans.test_loan_desk import hidden, page_of, signed_in, staff_as
from zhixin.shared.money import Money
from zhixin.shared.permissions import Role
from zhixin.shared.templatetags.zhixin import NO_VALUE

pytestmark = pytest.mark.django_db

TEN_LATE = FIRST_DUE + datetime.timedelta(days=10)
UNTIL = datetime.date(2026, 9, 10)  # The second installment is due on 16 August.


def moved_loan(on: datetime.date) -> Loan:
    """Return a loan on time whose first installment can be paid through 10 September."""
    loan = funded_loan()
    close_through(FIRST_DUE)
    move_due_date(loan_id=loan.pk, number=1, payable_through=UNTIL, **how(make_servicer()))
    close_through(on)
    loan.refresh_from_db()
    return loan


def test_the_pay_page_asks_for_the_next_one_and_says_what_can_wait() -> None:
    loan = moved_loan(datetime.date(2026, 8, 1))
    assert (loan.next_due_date, loan.next_due_amount) == (
        datetime.date(2026, 8, 16),
        Money.parse("1066.19"),
    )
    text = text_of(loan, "loans:repay")
    assert "To pay now" not in text
    assert "Next installment, 16 Aug 2026 ¥1,066.19" in text
    assert "Installment 1, payable through 10 Sep 2026 ¥1,066.19" in text
    assert "what you pay ahead is kept for what has to be paid before it" in text
    assert "Due now" not in text_of(loan)


def test_on_the_day_of_the_next_one_only_that_is_to_be_paid_now() -> None:
    day = datetime.date(2026, 8, 16)
    loan = moved_loan(day)
    page = loan_page(loan, as_of=day)
    assert (page.due_amount, page.due_date) == (Money.parse("1066.19"), day)
    assert [row.number for row in page.can_wait] == [1]
    assert [line.amount for line in page.to_pay_why] == [
        Money.parse("955.65"),
        Money.parse("110.54"),
    ]


def look(loan: Loan, name: str, asked: dict[str, str]) -> tuple[str, dict[str, tuple[str, str]]]:
    client = signed_in(staff_as(Role.SERVICING_LEAD))
    url = page_of(loan, name)
    page = client.post(url, {**asked, "reason": "Why.", **hidden(client.get(url))})
    assert page.status_code == 200
    return page.text, {row.label: (row.before, row.after) for row in page.context["figures"]}


def test_the_desk_says_that_the_late_charge_so_far_stays() -> None:
    loan = late_loan(on=TEN_LATE)
    text, figures = look(loan, "due-date", {"number": "1", "payable_through": "2026-09-10"})
    assert figures["Days late"] == ("10", "0")
    assert figures["Late charges"] == ("¥4.73", "¥4.73")
    assert figures["Next due"] == ("16 Aug 2026", "16 Aug 2026")
    assert "The installment was 10 days late and no longer is." in text
    assert "Its late charge so far, ¥4.73, stays owed" in text


def test_the_desk_says_nothing_of_late_charges_where_there_are_none() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    text, figures = look(loan, "due-date", {"number": "1", "payable_through": "2026-09-10"})
    assert "stays owed" not in text
    assert figures["Next due"] == ("16 Jul 2026", "16 Aug 2026")


def test_a_loan_that_is_written_off_has_nothing_due_next() -> None:
    loan = late_loan(on=TEN_LATE)
    _, figures = look(loan, "charge-off", {})
    assert figures["Next due"][0] == "16 Aug 2026"
    assert figures["Next due"][1] == figures["Next amount due"][1] == NO_VALUE


def test_the_api_tells_what_is_due_next() -> None:
    loan = moved_loan(datetime.date(2026, 8, 1))
    found = signed_in(loan.borrower).get(reverse("api:loan", args=[loan.public_id])).json()
    assert (found["next_due_date"], found["next_due_amount"]) == ("2026-08-16", "1066.19")
    assert found["payable_now"] == "0.00"
    assert found["due_now"]["principal"] == "946.19"


# --- What is due and not late -----------------------------------------------------------------


def loan_with_penalty_left(count: int = 12) -> Loan:
    """Return a loan ten days late of whose first installment all but the penalty was forgiven."""
    loan = funded_loan(loan_terms=terms(count=count, principal="900.00"))
    close_through(TEN_LATE)
    row = loan.installments.get(number=1)
    forgiven = Buckets.of(
        principal=row.principal, interest=row.interest, fees=Money.zero(), penalty=Money.zero()
    )
    waive(loan_id=loan.pk, amounts=forgiven, **how(make_servicer()))
    loan.refresh_from_db()
    return loan


def test_a_late_charge_that_is_left_does_not_hide_the_next_installment() -> None:
    """70.96 of principal ten days late at 18 %: 0.35; the next 79.96 are asked with it."""
    loan = loan_with_penalty_left()
    page = loan_page(loan, as_of=TEN_LATE)
    assert (page.due_amount, page.due_date) == (Money.parse("0.35"), TEN_LATE)
    assert (page.then_to_pay, page.then_date) == (
        Money.parse("80.31"),
        datetime.date(2026, 8, 16),
    )
    assert sum(line.amount.cents for line in page.then_why) == 8031
    assert (loan.next_due_date, loan.next_due_amount) == (page.then_date, page.then_to_pay)
    text = text_of(loan)
    assert "Together with the next installment" in text
    assert "With the next installment, 16 Aug 2026 ¥80.31" in text_of(loan, "loans:repay")


def test_the_list_asks_for_a_late_charge_when_nothing_else_is_to_come() -> None:
    loan = loan_with_penalty_left(count=1)
    assert (loan.status, loan.overdue_amount, loan.next_due_date) == (
        "ACTIVE",
        Money.zero(),
        None,
    )
    (card,) = loan_cards(loan.borrower)
    assert card.to_pay_now == loan_page(loan, as_of=TEN_LATE).to_pay == Money.parse("4.50")
    page = signed_in(loan.borrower).get(reverse("loans:my_loans")).text
    link = f"{reverse('loans:repay', args=[loan.public_id])}?amount=4.50"
    assert f'href="{link}"' in page
