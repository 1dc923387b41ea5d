"""The page of autopay in each of its states, as a borrower reads and uses it."""

from __future__ import annotations

import datetime
import re

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.test import Client
from django.urls import reverse

from accounts.engine.consent import ConsentPurpose
from accounts.models import User
from accounts.services.consents import record_consent
from accounts.services.profiles import answer_consent
from loans.models import AutopayEnd, AutopayMandate, Loan
from loans.models.autopay import AutopayEndReason
from loans.services.autopay import turn_off
from loans.services.transfers import Outcome
from tests.factories.accounts import CARD_NUMBER, make_borrower, make_person
from tests.factories.funded import SIGNED_AT, SIGNED_ON, funded_loan, set_business_date, settle
from tests.integration.loans.servicing.autopay_days import (
    DUE,
    at,
    autopay_loan,
    grant,
    july,
    latest_debit,
    live,
    morning,
    night,
    says,
)
from tests.integration.loans.servicing.test_autopay import pay

pytestmark = pytest.mark.django_db


def signed_in(user: User, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(loan: Loan) -> str:
    page = signed_in(loan.borrower).get(reverse("loans:autopay", args=[loan.public_id]))
    assert page.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def test_before_it_is_on_the_page_says_what_will_happen() -> None:
    loan = funded_loan(borrower=make_borrower())
    text = text_of(loan)
    assert "The first collection would be" in text
    assert "At most ¥ 1,066 .19 Thursday 16 July 2026" in text
    assert f"from your account ending in {CARD_NUMBER[-4:]}" in text
    assert "We write to you at least 3 days before" in text
    assert "try once more 3 days later" in text
    assert "After two failures in a row autopay stops." in text
    assert "You need it for nothing" in text
    assert "Turn autopay on" in text
    assert "Turn autopay off" not in text


def test_on_and_off_are_one_click_each() -> None:
    loan = funded_loan(borrower=make_borrower())
    client = signed_in(loan.borrower)
    page = client.get(reverse("loans:autopay", args=[loan.public_id])).content.decode()
    hidden = dict(re.findall(r'name="(text_version|card)"\s+value="([^"]+)"', page))
    on = reverse("loans:autopay_on", args=[loan.public_id])
    for _ in range(2):
        answer = client.post(on, hidden, follow=True)
        assert answer.status_code == 200
    assert AutopayMandate.objects.filter(loan=loan).count() == 1
    assert "Autopay is on already." in answer.content.decode()
    off = reverse("loans:autopay_off", args=[loan.public_id])
    assert "Autopay is off." in client.post(off, follow=True).content.decode()
    assert "Autopay is off already." in client.post(off, follow=True).content.decode()
    assert AutopayEnd.objects.count() == 1
    assert "You turned it off" in text_of(loan)


@pytest.mark.parametrize(
    "data", [{}, {"text_version": "1", "card": "9999"}, {"text_version": "9", "card": "0000"}]
)
def test_what_was_not_read_is_shown_again_and_not_agreed_to(data: dict[str, str]) -> None:
    loan = funded_loan(borrower=make_borrower())
    url = reverse("loans:autopay_on", args=[loan.public_id])
    answer = signed_in(loan.borrower).post(url, data)
    assert answer.status_code == 422
    assert "then decide." in answer.content.decode()
    assert not AutopayMandate.objects.exists()


def test_a_person_without_an_account_is_led_to_add_one() -> None:
    loan = funded_loan(borrower=make_borrower())
    answer_consent(
        user=loan.borrower,
        purpose=ConsentPurpose.BANK_ACCOUNT,
        granted=False,
        actor=loan.borrower.as_actor(),
        at=at(SIGNED_ON),
    )
    text = text_of(loan)
    assert "We need your bank account first" in text
    assert "Turn autopay on" not in text


def test_somebody_elses_loan_is_missing() -> None:
    loan = funded_loan(borrower=make_borrower())
    stranger = signed_in(make_borrower())
    assert stranger.get(reverse("loans:autopay", args=[loan.public_id])).status_code == 404
    for name in ("loans:autopay_on", "loans:autopay_off"):
        data = {"text_version": 1, "card": CARD_NUMBER[-4:]}
        assert stranger.post(reverse(name, args=[loan.public_id]), data).status_code == 404
    assert not AutopayMandate.objects.exists()


def test_on_and_nothing_near() -> None:
    text = text_of(autopay_loan())
    assert "Next collection At most ¥ 1,066 .19 Thursday 16 July 2026 why? (At most)" in text
    assert "Principal of installment 1 ¥946.19 Interest of installment 1 ¥120.00" in text
    assert "Nothing has been collected yet." in text
    assert "Turn autopay off" in text


def test_a_grant_too_near_to_the_due_date_says_to_pay_by_hand() -> None:
    loan = funded_loan(borrower=make_borrower())
    set_business_date(july(15))
    grant(loan, on=july(15))
    text = text_of(loan)
    assert "At most ¥ 1,067 .14 Saturday 18 July 2026" in text
    assert "too late for the installment that is due on Thursday 16 July 2026" in text


def test_what_is_late_is_to_be_paid_by_hand_now() -> None:
    loan = funded_loan(borrower=make_borrower())
    live(DUE, july(26))
    assert "¥1,070.92 is late today. Pay it by hand now" in text_of(loan)


def test_after_the_notice() -> None:
    loan = autopay_loan()
    live(july(11), july(12))
    assert "We have written to you" in text_of(loan)


def test_a_message_that_did_not_arrive() -> None:
    loan = autopay_loan()
    record_consent(
        user=loan.borrower,
        purpose=ConsentPurpose.SERVICE_SMS,
        granted=False,
        actor=loan.borrower.as_actor(),
        at=at(july(1)),
    )
    live(july(11), july(12))
    text = text_of(loan)
    assert "Our message did not reach you" in text
    assert "Without it nothing is collected." in text


def test_while_the_debit_is_on_its_way_and_after_each_answer() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    assert "A collection is on its way" in text_of(loan)
    says(latest_debit(loan), Outcome.FAILED, DUE)
    morning(DUE)
    text = text_of(loan)
    assert "The last collection did not work" in text
    assert "At most ¥ 1,067 .61 Sunday 19 July 2026" in text
    assert "There was not enough money in the account." in text
    live(july(17), july(19))
    says(latest_debit(loan), Outcome.FAILED, july(19))
    text = text_of(loan)
    assert "Autopay has stopped" in text
    assert "Turn autopay on" in text
    assert "Trouble paying?" in text


def test_after_a_success_the_next_one_is_named() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    says(latest_debit(loan), Outcome.SUCCEEDED, DUE)
    text = text_of(loan)
    assert "Next collection At most ¥ 1,066 .19 Sunday 16 August 2026" in text
    assert "16 Jul 2026: ¥1,066.19 Collected" in text


def test_on_a_loan_that_is_paid_off_there_is_nothing_to_turn_on() -> None:
    loan = funded_loan(borrower=make_borrower())
    settle(pay(loan, "12000.00", SIGNED_ON))
    text = text_of(loan)
    assert "This loan needs no autopay" in text
    assert "Turn autopay on" not in text


def test_the_way_there_is_on_the_loan_and_on_the_receipt() -> None:
    loan = funded_loan(borrower=make_borrower())
    url = reverse("loans:autopay", args=[loan.public_id])
    client = signed_in(loan.borrower)
    assert url in client.get(reverse("loans:loan", args=[loan.public_id])).content.decode()
    transfer = settle(pay(loan, "100.00", SIGNED_ON))
    receipt = client.get(reverse("loans:payment", args=[transfer.public_id]))
    assert url in receipt.content.decode()
    assert "Autopay is off" in receipt.content.decode()
    # On a loan that was written off there is nothing to turn on.
    Loan.objects.filter(pk=loan.pk).update(status="CHARGED_OFF")
    page = client.get(reverse("loans:payment", args=[transfer.public_id]))
    assert url not in page.content.decode()


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, "Autopay is on: what is due is collected on its day"),
        (AutopayEndReason.TWO_FAILURES, "Autopay has stopped: two collections"),
        (AutopayEndReason.CARD_CHANGED, "Autopay has ended with your old card."),
        (AutopayEndReason.TURNED_OFF, "Autopay is off: nothing is collected by itself."),
    ],
)
def test_the_loan_says_how_autopay_stands(reason: AutopayEndReason | None, said: str) -> None:
    loan = funded_loan(borrower=make_borrower())
    grant(loan)
    if reason is not None:
        AutopayEnd.objects.create(
            mandate=AutopayMandate.objects.get(loan=loan),
            reason=reason,
            ended_on=SIGNED_ON,
            ended_at=SIGNED_AT,
            actor_label="night",
        )
    page = signed_in(loan.borrower).get(reverse("loans:loan", args=[loan.public_id]))
    assert said in " ".join(page.content.decode().split())


@pytest.mark.parametrize("debit_count", [0, 2])
def test_the_page_asks_the_database_as_often_whatever_happened(
    django_assert_num_queries: pytest.FixtureRequest, debit_count: int
) -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    if debit_count:
        night(DUE)
        says(latest_debit(loan), Outcome.FAILED, DUE)
        morning(DUE)
        live(july(17), july(19))
    client = signed_in(loan.borrower)
    url = reverse("loans:autopay", args=[loan.public_id])
    client.get(url)
    with django_assert_num_queries(2 + 9):  # type: ignore[operator]  # A fixture without a type.
        assert client.get(url).status_code == 200


def test_staff_read_mandates_and_change_nothing() -> None:
    loan = autopay_loan()
    live(july(11), july(15))
    night(DUE)
    turn_off(loan_id=loan.pk, business_date=DUE, actor=loan.borrower.as_actor(), at=at(DUE))
    staff = make_person(is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(
            Q(codename__startswith="view_") | Q(codename="open_any_loan"),
            content_type__app_label="loans",
        )
    )
    client = signed_in(User.objects.get(pk=staff.pk))
    listed = client.get(reverse("admin:loans_autopaymandate_changelist"))
    assert "Turned off by the borrower" in listed.content.decode()
    mandate = AutopayMandate.objects.get(loan=loan)
    url = reverse("admin:loans_autopaymandate_change", args=[mandate.pk])
    page = client.get(url).content.decode()
    assert "¥1,066.19" in page
    assert CARD_NUMBER not in page
    assert client.post(url, {"language": "xx"}).status_code == 403
    mandate.refresh_from_db()
    assert mandate.language == "en"
    assert datetime.date(2026, 6, 16) == mandate.granted_on
