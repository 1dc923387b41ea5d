"""The pages of a loan and of paying, as a browser without scripts sees them."""

from __future__ import annotations

import datetime
import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from collections_app.models import HardshipOffer
from collections_app.services.negotiation import accept_offer
from loans.models import BankTransfer, Loan
from loans.models.transfer import TransferChannel
from loans.selectors.loan_pages import loan_cards, loan_page
from loans.selectors.receipts import payment_page
from loans.selectors.servicing import loan_state
from loans.services.business_day import close_days
from loans.services.repayments import request_repayment
from loans.services.reversals import reverse_event
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.collections_app import FIRST_LATE, asked, late_loan
from tests.factories.corrections import how, make_servicer
from tests.factories.funded import (
    SIGNED_AT,
    SIGNED_ON,
    Clock,
    funded_loan,
    set_business_date,
    settle,
)
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(loan: Loan, name: str = "loans:loan") -> str:
    """Return the page's text without its tags and with single spaces."""
    page = signed_in(loan.borrower).get(reverse(name, args=[loan.public_id]))
    assert page.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def pay(loan: Loan, amount: str, **over: Any) -> BankTransfer:
    values: dict[str, Any] = {"key": str(uuid4()), "business_date": SIGNED_ON} | over
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=Money.parse(amount),
        account_name="李小华",
        card_number=CARD_NUMBER,
        at=SIGNED_AT,
        **values,
    )


def accept(loan: Loan, kind: str) -> None:
    offer = HardshipOffer.objects.get(request=asked(loan), kind=kind)
    accept_offer(
        offer_id=offer.pk,
        business_date=FIRST_LATE,
        actor=loan.borrower.as_actor(),
        at=SIGNED_AT,
    )


# --- A plan in force ----------------------------------------------------------------------


def test_a_loan_without_a_plan_names_none() -> None:
    loan = late_loan()
    page = signed_in(loan.borrower).get(reverse("loans:loan", args=[loan.public_id]))
    assert reverse("collections:loan_plan", args=[loan.public_id]) not in page.content.decode()


def test_a_freeze_shows_on_the_loan_until_when_no_interest_counts() -> None:
    loan = late_loan()
    accept(loan, "INTEREST_FREEZE")
    client = signed_in(loan.borrower)
    page = client.get(reverse("loans:loan", args=[loan.public_id])).content.decode()
    # In the banner and among the documents; following it leads to the plan.
    plan_url = reverse("collections:loan_plan", args=[loan.public_id])
    assert page.count(f'href="{plan_url}"') == 2
    assert client.get(plan_url, follow=True).status_code == 200
    text = text_of(loan)
    assert "Your new plan since 17 Jul 2026" in text
    assert "you pay no interest." in text
    found = re.search(r"Rate a year 0\.00% through (.+?), then 12\.00%", text)
    assert found is not None
    assert f"Through {found[1]} you pay no interest." in text


def test_after_the_freeze_the_rate_is_the_plans_own() -> None:
    loan = late_loan()
    accept(loan, "INTEREST_FREEZE")
    set_business_date(datetime.date(2027, 7, 19))
    close_days(
        through=datetime.date(2027, 7, 20), actor=NIGHT, clock=Clock(), progress=lambda _: None
    )
    text = text_of(loan)
    assert "Your new plan since 17 Jul 2026" in text
    assert "you pay no interest" not in text
    assert "Rate a year 12.00%" in text


# --- What being late costs ----------------------------------------------------------------


def test_the_sentence_above_the_schedule_counts_the_late_charge() -> None:
    loan = late_loan(on=datetime.date(2026, 7, 26))
    # 946.19 × 18 % × 10 / 360 = 4.73; 12,794.23 + 4.73 = 12,798.96
    assert (
        "You pay ¥794.23 for borrowing ¥12,000.00, plus ¥4.73 for being late: ¥12,798.96 in all."
        in text_of(loan)
    )


def test_who_is_on_time_reads_of_no_late_charge() -> None:
    loan = late_loan(on=datetime.date(2026, 7, 16))
    text = text_of(loan)
    assert "You pay ¥794.23 for borrowing ¥12,000.00: ¥12,794.23 in all." in text
    assert "for being late" not in text


# --- Receipts -----------------------------------------------------------------------------


def test_a_receipt_says_that_money_paid_ahead_is_off_the_principal_now() -> None:
    loan = funded_loan(borrower=make_borrower())
    transfer = settle(pay(loan, "1066.19"))
    rows = payment_page(transfer).rows
    assert [(row.label, str(row.amount)) for row in rows] == [
        ("Paid ahead", "1066.19"),
        ("Principal left on the loan", "10933.81"),
    ]
    assert rows[0].note == (
        "Taken off the principal today, so it costs no more interest. "
        "It pays your next installments when they are due."
    )
    page = signed_in(loan.borrower).get(reverse("loans:payment", args=[transfer.public_id]))
    assert rows[0].note in page.content.decode()
    assert "Kept for" not in page.content.decode()


# --- Two tabs -----------------------------------------------------------------------------


def pays(client: Client, loan: Loan, amount: str, **over: str) -> Any:
    """Open the page of paying in a tab of its own and press the button."""
    url = reverse("loans:repay", args=[loan.public_id])
    key = re.search(r'name="key"\s+value="([^"]+)"', client.get(url).content.decode())
    assert key is not None
    return client.post(url, {"amount": amount, "key": key[1], **over})


def repayments() -> list[str]:
    transfers = BankTransfer.objects.filter(purpose="REPAYMENT").order_by("pk")
    return [str(transfer.amount) for transfer in transfers]


def test_two_tabs_with_the_amount_due_collect_it_once() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    due = str(loan_state(loan, as_of=FIRST_LATE).due_now.total)
    assert pays(client, loan, due).status_code == 302
    for confirmed in ({}, {"confirmed": "on"}):
        page = pays(client, loan, due, **confirmed)
        assert page.status_code == 422
        assert "is already on its way. Wait for its answer" in page.content.decode()
    assert repayments() == [due]


def test_what_is_on_its_way_is_not_asked_for_again() -> None:
    loan = late_loan()
    before = loan_page(loan, as_of=FIRST_LATE)
    pay(loan, str(before.due_amount - Money.parse("100.00")), business_date=FIRST_LATE)
    page = loan_page(loan, as_of=FIRST_LATE)
    assert (str(page.to_pay), page.due_amount) == ("100.00", before.due_amount)
    assert page.payoff_to_pay == before.payoff_to_pay - before.due_amount + Money.parse("100")
    for name in ("loans:loan", "loans:repay"):
        text = text_of(loan, name)
        assert "A payment is on its way" in text
        html = signed_in(loan.borrower).get(reverse(name, args=[loan.public_id]))
        assert "?amount=100.00" in html.content.decode()
        assert f"?amount={before.due_amount}" not in html.content.decode()


def test_a_payment_that_covers_all_leaves_no_button_to_pay() -> None:
    loan = late_loan()
    due = loan_state(loan, as_of=FIRST_LATE).due_now.total
    pay(loan, str(due), business_date=FIRST_LATE)
    assert "The payment on its way covers all that is due." in text_of(loan)
    assert "Pay now" not in text_of(loan)


def test_beyond_what_is_due_a_box_appears_and_asks() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    due = str(loan_state(loan, as_of=FIRST_LATE).due_now.total)
    assert (
        'name="confirmed"'
        not in client.get(reverse("loans:repay", args=[loan.public_id])).content.decode()
    )
    assert pays(client, loan, due).status_code == 302
    choice = {"compared": "200.00", "prepayment": "SHORTEN_TERM"}
    page = pays(client, loan, "200", **choice)
    assert page.status_code == 422
    assert 'name="confirmed"' in page.content.decode()
    assert repayments() == [due]
    assert pays(client, loan, "200", confirmed="on", **choice).status_code == 302
    assert repayments() == [due, "200.00"]


def test_the_api_asks_for_the_same_confirmation() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    url = reverse("api:repayments", args=[loan.public_id])

    def send(body: dict[str, Any], key: str) -> int:
        answer = client.post(
            url, body, content_type="application/json", headers={"idempotency-key": key}
        )
        return answer.status_code

    assert send({"amount": "1500.00"}, "a") == 202
    assert send({"amount": "1500.00", "confirmed": True}, "b") == 409
    assert send({"amount": "200.00"}, "c") == 409
    assert send({"amount": "200.00", "confirmed": True}, "c") == 202
    assert repayments() == ["1500.00", "200.00"]


# --- What is typed ------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["1,50", "10,5", "1 50"])
def test_an_amount_that_could_mean_two_is_refused_beside_its_field(typed: str) -> None:
    loan = late_loan()
    page = pays(signed_in(loan.borrower), loan, typed)
    assert page.status_code == 422
    html = page.content.decode()
    assert "Enter an amount such as 500 or 1234.50." in html
    assert f'value="{typed}"' in html
    assert repayments() == []


def test_thousands_may_be_set_apart() -> None:
    loan = late_loan()
    assert pays(signed_in(loan.borrower), loan, "￥1，000.00元").status_code == 302
    assert repayments() == ["1000.00"]


# --- Left at the cashier ------------------------------------------------------------------


def test_the_list_says_that_a_payment_at_the_cashier_is_open() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    with CaptureQueriesContext(connection) as before:
        page = client.get(reverse("loans:my_loans")).content.decode()
    assert "A payment at Alipay is open" not in page
    on_card = pay(loan, "100.00", business_date=FIRST_LATE)
    at_cashier = pay(
        loan,
        "200.00",
        business_date=FIRST_LATE,
        channel=TransferChannel.ALIPAY_PAGE,
        confirmed=True,
    )
    with CaptureQueriesContext(connection) as after:
        page = client.get(reverse("loans:my_loans")).content.decode()
    assert page.count("A payment at Alipay is open") == 1
    assert "¥200.00 at Alipay." in page
    assert reverse("loans:payment", args=[at_cashier.public_id]) in page
    assert reverse("loans:payment", args=[on_card.public_id]) not in page
    assert len(after) == len(before) == 6
    # Once the borrower has turned to another way, it is not spoken of, nor taken off.
    BankTransfer.objects.filter(pk=at_cashier.pk).update(withdrawn_at=SIGNED_AT)
    assert "A payment at Alipay is open" not in text_of_list(loan)
    (card,) = loan_cards(loan.borrower)
    assert card.late == card.loan.overdue_amount - Money.parse("100.00")


def text_of_list(loan: Loan) -> str:
    return signed_in(loan.borrower).get(reverse("loans:my_loans")).content.decode()


# --- A payment that was taken back --------------------------------------------------------

BACK_ON = datetime.date(2026, 7, 20)
BACK_BECAUSE = "There was not enough money in the account."


def taken_back_payment() -> tuple[Loan, BankTransfer]:
    """Return a loan, and its payment of 16 July that was taken back on the 20th."""
    loan = funded_loan(borrower=make_borrower())
    due_on = datetime.date(2026, 7, 16)
    set_business_date(due_on)
    transfer = settle(pay(loan, "1066.19", business_date=due_on))
    set_business_date(BACK_ON)
    event = transfer.events.get()
    reverse_event(
        loan_id=loan.pk,
        event_id=event.event_id,
        **how(make_servicer(), on=BACK_ON, reason=BACK_BECAUSE),
    )
    loan.refresh_from_db()
    return loan, transfer


def text_of_payment(loan: Loan, transfer: BankTransfer) -> str:
    url = reverse("loans:payment", args=[transfer.public_id])
    page = signed_in(loan.borrower).get(url).content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def test_the_receipt_of_a_payment_that_was_taken_back_thanks_for_nothing() -> None:
    loan, transfer = taken_back_payment()
    text = text_of_payment(loan, transfer)
    assert "This payment was taken back It has not counted since Monday 20 July 2026" in text
    assert "There was not enough money in the account." in text
    # 1,066.19 of 16 July, and 946.19 × 18 % × 4 / 360 = 1.89 for being late.
    assert "What it had paid is open again. Today ¥1,068.08 is to be paid. Pay again" in text
    url = reverse("loans:repay", args=[loan.public_id])
    page = signed_in(loan.borrower).get(reverse("loans:payment", args=[transfer.public_id]))
    assert f"{url}?amount=1068.08" in page.content.decode()
    for thanks in ("Thank you", "Received", "Receipt number", "saved", "Autopay"):
        assert thanks not in text
    # What is printed says it too.
    receipt = text[text.index("Taken back Amount of the payment") :]
    assert "¥ 1,066 .19" in receipt
    assert "Paid on 16 Jul 2026 Taken back on 20 Jul 2026" in receipt
    assert "Counts toward the loan ¥0.00" in receipt


def test_a_payment_taken_back_and_made_again_asks_for_nothing_more_today() -> None:
    loan, transfer = taken_back_payment()
    settle(pay(loan, "1068.08", business_date=BACK_ON))
    text = text_of_payment(loan, transfer)
    assert "This payment was taken back" in text
    assert (
        "Nothing is to be paid today. The next payment is ¥1,066.19, by Sunday 16 August 2026."
        in text
    )
    assert "Pay again" not in text


def test_the_history_marks_the_payment_that_was_taken_back() -> None:
    loan, _transfer = taken_back_payment()
    text = text_of(loan)
    assert "¥1,066.19 repaid 16 Jul 2026 taken back on 20 Jul 2026" in text
    back, paid, _paid_out = loan_page(loan, as_of=BACK_ON).history
    assert (back.taken_back_on, paid.taken_back_on, paid.tone) == (None, BACK_ON, "")


def test_the_api_tells_that_a_payment_was_taken_back() -> None:
    loan, transfer = taken_back_payment()
    answer = signed_in(loan.borrower).get(reverse("api:payment", args=[transfer.public_id])).json()
    assert answer["state"] == "SUCCEEDED"
    assert answer["taken_back_on"] == "2026-07-20"
    assert answer["taken_back_reason"] == "There was not enough money in the account."
