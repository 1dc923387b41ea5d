"""The pages of a loan say where each number comes from, and the lines re-add to what they show."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from collections_app.models import HardshipOffer
from collections_app.services.negotiation import accept_offer
from loans.models import BankTransfer, Loan
from loans.selectors.explanations import WhyLine
from loans.selectors.loan_pages import loan_cards, loan_page
from loans.selectors.receipts import payment_page
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER
from tests.factories.collections_app import FIRST_LATE, asked, close_through, late_loan
from tests.factories.funded import SIGNED_AT, settle
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

PAID_ON = datetime.date(2026, 7, 26)
TODAY = datetime.date(2026, 8, 5)
SINCE_PAYOUT = "since the payout of 16 Jun 2026"


def pay(loan: Loan, amount: str, on: datetime.date) -> BankTransfer:
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=Money.parse(amount),
        key=str(uuid4()),
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=SIGNED_AT,
    )


def partly_paid_loan() -> tuple[Loan, BankTransfer]:
    """Return a loan late by an installment, of which 500.00 were paid ten days late."""
    loan = late_loan(on=PAID_ON)
    transfer = settle(pay(loan, "500.00", PAID_ON))
    close_through(TODAY)
    return Loan.objects.get(pk=loan.pk), transfer


def sum_of(lines: Iterable[WhyLine]) -> Decimal:
    return sum((line.exact for line in lines), Decimal(0))


def told(lines: Iterable[WhyLine]) -> list[tuple[str, str, str]]:
    return [(line.label, line.formula or str(line.amount), line.event) for line in lines]


def text_of(user: User, url: str) -> str:
    """Return the page's text without its tags and with single spaces."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(url, follow=True)
    assert page.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def test_every_number_of_the_page_is_the_sum_of_its_lines() -> None:
    loan, _ = partly_paid_loan()
    pay(loan, "100.00", TODAY)
    with translation.override("en"):
        page = loan_page(loan, as_of=TODAY)
    # 946.19 + 120.00 + 4.73 (10 days) − 500.00 = 570.92; its 10 days: 2.86; 100.00 on its way.
    assert page.to_pay == Money.parse("473.78")
    assert sum_of(page.to_pay_why) == page.to_pay.amount
    assert page.to_pay_why[-1].label == "Your payment on its way"
    assert page.late_cost == Money.parse("7.59")
    assert sum_of(page.late_cost_why) == page.late_cost.amount
    assert sum_of(page.payoff_why) == page.state.payoff_amount.amount
    assert sum_of(page.tomorrow_why) == page.state.penalty_per_day
    assert len(page.rows) == 12
    for row in page.rows:
        assert sum_of(row.why) == row.total.amount
    first = page.rows[0]
    assert (first.left, sum_of(first.left_why)) == (Money.parse("573.78"), Decimal("573.78"))
    assert all(row.left is None for row in page.rows[1:])


def test_lines_name_the_event_that_set_their_base() -> None:
    loan, _ = partly_paid_loan()
    with translation.override("en"):
        page = loan_page(loan, as_of=TODAY)
    label = "Late charge on the principal that is late"
    assert told(page.late_cost_why) == [
        (label, "¥946.19 × 18.00% × 10/360 = ¥4.73095", "since the payout of 16 Jun 2026"),
        (label, "¥570.92 × 18.00% × 10/360 = ¥2.8546", "after your payment of 26 Jul 2026"),
        ("Rounding to the cent", "¥0.00445", ""),
    ]
    assert [line.period for line in page.late_cost_why] == [
        "after 16 Jul 2026, through 26 Jul 2026: 10 days",
        "after 26 Jul 2026, through 5 Aug 2026: 10 days",
        "",
    ]
    assert told(page.tomorrow_why) == [
        (label, "¥570.92 × 18.00% × 1/360 = ¥0.28546", "after your payment of 26 Jul 2026")
    ]


def test_the_history_says_where_each_payment_went() -> None:
    loan, transfer = partly_paid_loan()
    with translation.override("en"):
        page = loan_page(loan, as_of=TODAY)
        receipt = payment_page(transfer)
    (entry,) = [entry for entry in page.history if entry.why]
    assert entry.amount == Money.parse("500.00")
    assert told(entry.why) == [
        ("Principal of installment 1", "375.27", ""),
        ("Interest of installment 1", "120.00", ""),
        ("Late charge on installment 1", "4.73", ""),
    ]
    for row in receipt.rows:
        assert row.amount is not None
        assert sum_of(row.why) == row.amount.amount
    assert "Where ¥500.00 went" in text_of(
        loan.borrower, reverse("loans:loan", args=[loan.public_id])
    )


def test_an_installment_has_one_number_on_the_loan_and_on_its_plan() -> None:
    loan = late_loan()
    offer = HardshipOffer.objects.get(request=asked(loan), kind="INTEREST_FREEZE")
    accept_offer(
        offer_id=offer.pk,
        business_date=FIRST_LATE,
        actor=loan.borrower.as_actor(),
        at=SIGNED_AT,
    )
    page = loan_page(Loan.objects.get(pk=loan.pk), as_of=FIRST_LATE)
    on_the_plan = [(row["number"], row["due_date"]) for row in offer.schedule]
    on_the_loan = [(row.number, row.due_date.isoformat()) for row in page.rows if not row.left_why]
    assert on_the_plan == on_the_loan
    # The missed installment keeps its number; the plan goes on from it.
    assert on_the_plan[0][0] == 2


def test_the_list_takes_off_what_is_on_its_way_as_the_loan_does() -> None:
    loan = late_loan(on=PAID_ON)
    pay(loan, "500.00", PAID_ON)
    (card,) = loan_cards(loan.borrower)
    assert (card.late, card.is_covered) == (Money.parse("570.92"), False)
    assert card.late == loan_page(card.loan, as_of=PAID_ON).to_pay
    assert "¥ 570 .92" in text_of(loan.borrower, reverse("loans:my_loans"))


def test_the_list_asks_for_what_is_late_and_what_is_due_today_together() -> None:
    day = datetime.date(2026, 8, 16)
    loan = late_loan(on=day)
    (card,) = loan_cards(loan.borrower)
    assert card.late == loan_page(card.loan, as_of=day).to_pay
    pay(loan, str(loan.overdue_amount), day)
    (card,) = loan_cards(loan.borrower)
    assert (card.late, card.is_covered) == (loan.next_due_amount, False)


def test_the_list_says_when_a_payment_on_its_way_covers_all() -> None:
    loan = late_loan(on=PAID_ON)
    pay(loan, "1070.92", PAID_ON)
    (card,) = loan_cards(loan.borrower)
    assert (card.late, card.is_covered) == (Money.zero(), True)
    assert "The payment on its way covers all that is due." in text_of(
        loan.borrower, reverse("loans:my_loans")
    )


# --- Lines behind lines ---------------------------------------------------------------------


def test_what_is_to_pay_opens_into_base_rate_and_days() -> None:
    loan, _ = partly_paid_loan()
    # 1070.92 was due on the day of the payment, whose rest of 570.92 is principal.
    close_through(datetime.date(2026, 8, 20))
    with translation.override("en"):
        page = loan_page(Loan.objects.get(pk=loan.pk), as_of=datetime.date(2026, 8, 20))
    by_label = {line.label: line for line in page.to_pay_why}
    interest = by_label["Interest of installment 2"]
    assert told(interest.parts) == [
        ("Interest on the principal", "¥11,053.81 × 12.00% × 30/360 = ¥110.5381", SINCE_PAYOUT),
        ("Rounding to the cent", "¥0.0019", ""),
    ]
    assert interest.parts[0].period == (
        "after 16 Jul 2026, through 16 Aug 2026: 31 days; each month counts as 30 days"
    )
    late = by_label["Late charge on installment 1"]
    assert told(late.parts)[0] == (
        "Late charge on the principal that is late",
        "¥946.19 × 18.00% × 10/360 = ¥4.73095",
        SINCE_PAYOUT,
    )
    assert "30 days" not in late.parts[0].period
    assert ("Paid", "-4.73", "your payment of 26 Jul 2026") in told(late.parts)
    for line in page.to_pay_why:
        assert bool(line.parts) is not line.label.startswith("Principal")
        assert not line.parts or sum_of(line.parts) == line.exact
    for line in page.payoff_why:
        assert not line.parts or sum_of(line.parts) == line.exact


def test_a_receipt_opens_what_it_paid_into_days() -> None:
    loan, transfer = partly_paid_loan()
    with translation.override("en"):
        rows = {row.label: row for row in payment_page(transfer).rows}
    (interest,) = rows["Interest"].why
    assert told(interest.parts) == [
        ("Interest on the principal", "¥12,000.00 × 12.00% × 30/360", SINCE_PAYOUT)
    ]
    (late,) = rows["Late charge"].why
    assert sum_of(late.parts) == late.exact == Decimal("4.73")
    assert ("Still to pay", "-2.86", "") in told(late.parts)
    assert "How it is worked out (Interest of installment 1)" in text_of(
        loan.borrower, reverse("loans:payment", args=[transfer.public_id])
    )
