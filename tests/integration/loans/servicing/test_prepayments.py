"""A borrower pays more than is due: the choice, what it does, and paying it all."""

from __future__ import annotations

import datetime
import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from loans.engine.lifecycle import LoanStatus
from loans.engine.terms import PrepaymentEffect
from loans.models import BankTransfer, Loan, LoanEvent, MoneyCommand
from loans.models.transfer import TransferPurpose
from loans.selectors.receipts import payment_page
from loans.selectors.servicing import loan_state
from loans.services.business_day import close_days
from loans.services.commands import KeyReusedError
from loans.services.ledger import booked_balances
from loans.services.repayments import QuoteExpiredError, request_repayment
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.funded import SIGNED_AT, Clock, funded_loan, set_business_date, settle
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

FIRST_DUE = datetime.date(2026, 7, 16)
SHORTEN, LOWER = PrepaymentEffect.SHORTEN_TERM, PrepaymentEffect.LOWER_INSTALLMENT


def close_through(date: datetime.date) -> None:
    close_days(through=date, actor=NIGHT, clock=Clock(), progress=lambda _: None)


def due_loan() -> Loan:
    """Return a loan whose first installment of 1,066.19 is due today."""
    loan = funded_loan(borrower=make_borrower())
    close_through(FIRST_DUE)
    return loan


def pay(loan: Loan, amount: str, **over: Any) -> BankTransfer:
    values: dict[str, Any] = {"key": str(uuid4()), "business_date": FIRST_DUE} | over
    return request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=Money.parse(amount),
        account_name="李小华",
        card_number=CARD_NUMBER,
        at=SIGNED_AT,
        **values,
    )


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def repayments() -> list[tuple[str, str]]:
    transfers = BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).order_by("pk")
    return [(str(transfer.amount), transfer.prepayment) for transfer in transfers]


# --- The service --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "due_dates", "next_amount"),
    [
        (None, 12, "198.57"),
        (SHORTEN, 9, "1066.19"),
        (LOWER, 12, "776.82"),
    ],
)
def test_the_choice_is_recorded_with_the_money_and_does_what_it_says(
    choice: PrepaymentEffect | None, due_dates: int, next_amount: str
) -> None:
    loan = due_loan()
    settle(pay(loan, "4066.19", prepayment=choice))
    event = LoanEvent.objects.get(loan=loan, kind="REPAYMENT")
    assert event.body["prepayment"] == (None if choice is None else choice.value)
    loan.refresh_from_db()
    assert loan.next_due_amount == Money.parse(next_amount)
    assert loan.installments.count() == due_dates
    assert sum(row.cents for row in booked_balances(loan).values()) == 0


def test_the_choice_is_bound_to_the_key() -> None:
    loan = due_loan()
    first = pay(loan, "4066.19", key="one", prepayment=SHORTEN)
    assert pay(loan, "4066.19", key="one", prepayment=SHORTEN) == first
    for other in (LOWER, None):
        with pytest.raises(KeyReusedError):
            pay(loan, "4066.19", key="one", prepayment=other)
    assert repayments() == [("4066.19", "SHORTEN_TERM")]


def test_an_order_without_a_choice_keeps_the_fingerprint_it_always_had() -> None:
    loan = due_loan()
    pay(loan, "100.00", key="one")
    assert pay(loan, "100.00", key="one").prepayment == ""
    assert MoneyCommand.objects.get(key="one").fingerprint


def test_only_a_repayment_has_a_choice() -> None:
    loan = due_loan()
    payout = loan.transfers.get()
    payout.prepayment = "SHORTEN_TERM"
    with pytest.raises(IntegrityError, match="prepayment_of_repayment"), transaction.atomic():
        payout.save()


def test_several_installments_at_once_are_paid_when_they_are_due() -> None:
    loan = due_loan()
    settle(pay(loan, "3198.57"))
    loan.refresh_from_db()
    # Three installments; the money for two of them costs no interest until then.
    assert loan.installments.get(number=1).paid_on == FIRST_DUE
    assert (loan.next_due_date, str(loan.next_due_amount)) == (
        datetime.date(2026, 10, 16),
        "1066.19",
    )
    close_through(datetime.date(2026, 8, 17))
    loan.refresh_from_db()
    assert loan.installments.get(number=2).paid_on == FIRST_DUE
    assert (loan.status, loan.days_past_due) == (LoanStatus.ACTIVE, 0)


# --- Paying everything --------------------------------------------------------------------


@pytest.mark.parametrize("days_later", [0, 1, 5, 40])
@pytest.mark.parametrize("on", [FIRST_DUE, datetime.date(2026, 7, 29), datetime.date(2026, 9, 2)])
def test_the_payoff_closes_at_zero_whenever_the_bank_answers(
    on: datetime.date, days_later: int
) -> None:
    loan = due_loan()
    close_through(on)
    quote = loan_state(loan, as_of=on).payoff_amount
    transfer = pay(loan, str(quote), business_date=on, quoted_on=on)
    close_through(on + datetime.timedelta(days=days_later))
    settle(transfer)
    loan.refresh_from_db()
    assert (loan.status, loan.closed_on) == (LoanStatus.PAID_OFF, on)
    assert (loan.principal_outstanding, loan.overdue_amount, loan.overpaid_amount) == (
        Money(0),
        Money(0),
        Money(0),
    )
    balances = booked_balances(loan)
    still_open = {a: m for a, m in balances.items() if m and not a.name.endswith("INCOME")}
    assert list(still_open) == ["BANK"]
    assert loan_state(loan, as_of=on).payoff_amount == Money(0)


def test_a_payoff_quoted_yesterday_is_refused_and_says_todays() -> None:
    loan = due_loan()
    settle(pay(loan, "1066.19"))
    today = FIRST_DUE + datetime.timedelta(days=1)
    close_through(today)
    quoted = str(loan_state(loan, as_of=FIRST_DUE).payoff_amount)
    before = (MoneyCommand.objects.count(), repayments())
    with pytest.raises(QuoteExpiredError, match=r"11,057\.38"):
        pay(loan, quoted, business_date=today, quoted_on=FIRST_DUE)
    assert (MoneyCommand.objects.count(), repayments()) == before
    # Another amount seen yesterday is still meant.
    assert pay(loan, "500.00", business_date=today, quoted_on=FIRST_DUE)


def test_the_page_over_midnight_shows_todays_payoff() -> None:
    loan = due_loan()
    settle(pay(loan, "1066.19"))
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    page = client.get(url, {"amount": "11053.81"}).content.decode()
    hidden = dict(re.findall(r'name="(key|quoted_on)"\s+value="([^"]+)"', page))
    close_through(FIRST_DUE + datetime.timedelta(days=1))
    answer = client.post(url, {"amount": "11053.81", **hidden})
    assert answer.status_code == 422
    assert "Paying everything today takes ¥11,057.38." in answer.content.decode()
    assert repayments() == [("1066.19", "")]


# --- The page -----------------------------------------------------------------------------


def test_without_scripts_a_second_step_compares_and_the_choice_is_kept() -> None:
    loan = due_loan()
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    key = str(uuid4())
    second = client.post(url, {"amount": "4,066.19", "key": key})
    assert second.status_code == 200
    assert repayments() == []
    page = second.content.decode()
    for figure in ("¥198.57", "¥776.82", "¥63.69", "¥311.49", "¥182.98", "16 Mar 2027"):
        assert figure in page
    assert "Nothing has been paid yet." in page
    assert ticked(page) == {"SHORTEN_TERM": "", "LOWER_INSTALLMENT": "", "NEXT_INSTALLMENTS": ""}
    data = {"amount": "4066.19", "key": key, "compared": "4066.19", "prepayment": "SHORTEN_TERM"}
    assert client.post(url, data).status_code == 302
    assert repayments() == [("4066.19", "SHORTEN_TERM")]


def ticked(page: str) -> dict[str, str]:
    """Return the choices in the order of the page, with " checked" where one is ticked."""
    radios = re.findall(r'name="prepayment"\s+value="(\w+)"\s*(| checked)>', page)
    return dict(radios)


@pytest.mark.parametrize("way", [{}, {"way": "alipay"}], ids=["card", "alipay"])
def test_what_saves_most_comes_first_and_nobody_chooses_for_the_borrower(
    way: dict[str, str],
) -> None:
    loan = due_loan()
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    first = client.get(url, {"amount": "4066.19"}).content.decode()
    saved = re.findall(r"Interest saved: ¥([\d.,]+)", first)
    assert saved == ["311.49", "182.98", "63.69"]
    assert list(ticked(first)) == ["SHORTEN_TERM", "LOWER_INSTALLMENT", "NEXT_INSTALLMENTS"]
    assert not any(ticked(first).values())
    # The page showed the choices and none was made: it asks, beside them.
    data = {"amount": "4066.19", "key": str(uuid4()), "compared": "4066.19", **way}
    asked = client.post(url, data)
    assert asked.status_code == 422
    fieldset = asked.content.decode().partition('<fieldset class="field" id="prepayment">')[2]
    assert "Choose what the rest should do." in fieldset.partition("</fieldset>")[0]
    assert not any(ticked(asked.content.decode()).values())
    assert repayments() == []


def test_a_choice_stays_ticked_when_something_else_is_asked() -> None:
    loan = due_loan()
    url = reverse("loans:repay", args=[loan.public_id])
    data = {"amount": "4066.19", "compared": "4066.19", "prepayment": "LOWER_INSTALLMENT"}
    page = signed_in(loan.borrower).post(url, data).content.decode()
    assert {name for name, tick in ticked(page).items() if tick} == {"LOWER_INSTALLMENT"}


@pytest.mark.parametrize(
    ("amount", "hints"),
    [
        ("4066.19", ["there are fewer of them", "You pause until the money is used up."]),
        ("1096.19", ["the last one gets smaller", "Your next payment is smaller."]),
    ],
)
def test_a_choice_promises_no_earlier_end_than_it_brings(amount: str, hints: list[str]) -> None:
    loan = due_loan()
    url = reverse("loans:repay", args=[loan.public_id])
    page = signed_in(loan.borrower).get(url, {"amount": amount}).content.decode()
    told = re.findall(r'<span class="choice__hint">([^<]+)</span>', page)
    assert len(told) == 3
    for hint in hints:
        assert any(hint in each for each in told)
    assert (
        "the last on 16 Jun 2027" in " ".join(page.split()).partition("Finish sooner")[2][:400]
    ) is (amount == "1096.19")


@pytest.mark.parametrize(
    "broken",
    [{"key": ""}, {"key": "no-key"}, {"quoted_on": "yesterday"}, {"prepayment": "SOONER"}],
    ids=["no key", "broken key", "broken day", "unknown choice"],
)
def test_a_part_that_nobody_typed_is_replaced_and_the_page_says_what_to_do(
    broken: dict[str, str],
) -> None:
    loan = due_loan()
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    sent = {"amount": "1066.19", "key": str(uuid4()), **broken}
    answer = client.post(url, {name: value for name, value in sent.items() if value})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "check the amount and press the button again" in page
    assert "marked answer" not in page
    assert repayments() == []
    hidden = dict(re.findall(r'name="(key|quoted_on)"\s+value="([^"]+)"', page))
    assert hidden["key"] not in sent.values()
    assert client.post(url, {"amount": "1066.19", **hidden}).status_code == 302
    assert repayments() == [("1066.19", "")]


def test_a_choice_made_for_another_amount_is_asked_for_again() -> None:
    loan = due_loan()
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    data = {"amount": "5000", "key": str(uuid4())}
    again = client.post(url, {**data, "compared": "4066.19", "prepayment": "SHORTEN_TERM"})
    assert again.status_code == 200
    assert 'name="compared" value="5000.00"' in " ".join(again.content.decode().split())
    assert repayments() == []


@pytest.mark.parametrize("amount", ["1066.19", "500", "12120.00"])
def test_what_is_due_and_the_payoff_ask_nothing(amount: str) -> None:
    loan = due_loan()
    client = signed_in(loan.borrower)
    url = reverse("loans:repay", args=[loan.public_id])
    assert client.post(url, {"amount": amount, "key": str(uuid4())}).status_code == 302
    assert [paid for paid, _ in repayments()] == [str(Money.parse(amount))]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("4066.19", True), ("1066.19", False), ("", False), ("a lot", False), ("99999", False)],
)
def test_typing_an_amount_fetches_the_comparison_alone(amount: str, *, shown: bool) -> None:
    loan = due_loan()
    url = reverse("loans:repay", args=[loan.public_id])
    answer = signed_in(loan.borrower).get(url, {"amount": amount}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert ('id="prepayment"' in answer.content.decode()) is shown
    assert "<html" not in answer.content.decode()


def test_the_api_takes_the_choice_and_says_it() -> None:
    loan = due_loan()
    client = signed_in(loan.borrower)

    def post(**body: str) -> Any:
        return client.post(
            reverse("api:repayments", args=[loan.public_id]),
            {"amount": "4066.19", **body},
            content_type="application/json",
            headers={"Idempotency-Key": "one"},
        )

    assert post(prepayment="SOONER").status_code == 400
    first = post(prepayment="LOWER_INSTALLMENT")
    assert (first.status_code, first.json()["prepayment"]) == (202, "LOWER_INSTALLMENT")
    assert post(prepayment="SHORTEN_TERM").status_code == 422
    assert repayments() == [("4066.19", "LOWER_INSTALLMENT")]


# --- The receipt --------------------------------------------------------------------------


def test_the_receipt_says_what_the_payment_did() -> None:
    loan = due_loan()
    transfer = settle(pay(loan, "4066.19", prepayment=SHORTEN))
    told = [(row.label, str(row.amount or row.value)) for row in payment_page(transfer).did]
    assert told == [
        ("Your choice", "Finish sooner"),
        ("Next payment", "1066.19"),
        ("Last payment", "16 Mar 2027"),
        ("Payments left", "8"),
        ("Interest saved", "311.49"),
    ]
    # What was true when it was paid stays on the receipt.
    close_through(datetime.date(2026, 9, 20))
    transfer.refresh_from_db()
    assert [(r.label, str(r.amount or r.value)) for r in payment_page(transfer).did] == told


def test_the_receipt_of_the_payoff_says_what_it_saved() -> None:
    loan = due_loan()
    transfer = settle(pay(loan, "12120.00"))
    # 794.23 in all, 120.00 of it for the month used.
    assert [(row.label, str(row.amount)) for row in payment_page(transfer).did] == [
        ("Interest saved", "674.23")
    ]


def test_the_receipt_of_what_is_due_claims_nothing() -> None:
    loan = due_loan()
    assert payment_page(settle(pay(loan, "1066.19"))).did == ()


def test_a_payment_on_its_way_counts_in_the_comparison() -> None:
    loan = due_loan()
    pay(loan, "1066.19")
    set_business_date(FIRST_DUE)
    url = reverse("loans:repay", args=[loan.public_id])
    page = signed_in(loan.borrower).get(url, {"amount": "3000.00"}).content.decode()
    for figure in ("¥198.57", "¥776.82", "¥311.49"):
        assert figure in page


@pytest.mark.parametrize(
    ("amount", "fits"),
    [
        ("1066.19", True),
        ("500.00", False),
        ("2132.38", True),
        ("1066.20", False),
        ("1500.00", False),
    ],
)
def test_who_pays_just_what_comes_next_finds_that_chosen(amount: str, *, fits: bool) -> None:
    """The next installment, or the next two; a part of it or a cent more may be another wish."""
    loan = funded_loan(borrower=make_borrower())
    url = reverse("loans:repay", args=[loan.public_id])
    page = signed_in(loan.borrower).get(url, {"amount": amount}).content.decode()
    choices = ticked(page)
    chosen = [name for name, tick in choices.items() if tick]
    assert chosen == (["NEXT_INSTALLMENTS"] if fits else [])
    assert (next(iter(choices)) == "NEXT_INSTALLMENTS") is fits
    said = "You pay just what comes next, ahead of its day." in page
    assert said is fits


def test_another_choice_stays_ticked_beside_the_likely_one() -> None:
    loan = funded_loan(borrower=make_borrower())
    url = reverse("loans:repay", args=[loan.public_id])
    data = {"amount": "1066.19", "compared": "1066.19", "prepayment": "LOWER_INSTALLMENT"}
    page = signed_in(loan.borrower).post(url, data).content.decode()
    assert [name for name, tick in ticked(page).items() if tick] == ["LOWER_INSTALLMENT"]


def test_what_was_ticked_for_one_amount_is_not_ticked_for_another() -> None:
    loan = funded_loan(borrower=make_borrower())
    url = reverse("loans:repay", args=[loan.public_id])
    data = {"amount": "300.00", "compared": "1066.19", "prepayment": "NEXT_INSTALLMENTS"}
    page = signed_in(loan.borrower).post(url, data).content.decode()
    assert not any(ticked(page).values())
