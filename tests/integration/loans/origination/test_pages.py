"""The pages from application to signature, as a browser without scripts sees them."""

from __future__ import annotations

import datetime
import hashlib
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.engine.finances import Employment
from accounts.models import PersonalDataAccess, User
from loans.engine.lifecycle import ApplicationState
from loans.models import (
    Agreement,
    BankTransfer,
    CostSheetConfirmation,
    Loan,
    LoanApplication,
    Merchant,
)
from loans.views import signing
from tests.factories.accounts import TODAY, make_borrower, make_person
from tests.factories.funded import set_business_date
from tests.factories.loans import (
    approve,
    asked,
    make_approved,
    make_ready_to_sign,
    make_referred,
    make_underwriter,
    sign,
    submit,
)
from zhixin.shared import clock


def signed_in_client(user: User) -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(user)
    return client


@pytest.fixture
def client(borrower: User) -> Client:
    return signed_in_client(borrower)


def step(name: str) -> str:
    return reverse("loans:apply_step", args=[name])


def fill_in(client: Client, **over: Any) -> None:
    client.post(step("product"), {"product": "personal"})
    amount = {"amount": "10,000", "months": "12", "method": "EQUAL_INSTALLMENT"}
    client.post(step("amount"), amount | over)
    client.post(step("purpose"), {"purpose_code": "DAILY_NEEDS", "purpose_text": "冰箱坏了"})


def request_key(page: Any) -> str:
    found = re.search(r'name="request_key"\s+value="([^"]+)"', page.content.decode())
    assert found is not None
    return found[1]


def plain(page: Any) -> str:
    """Return the page's text without its tags: big amounts are set in several of them."""
    return re.sub(r"<[^>]+>", "", page.content.decode())


def hidden(page: Any, name: str) -> str:
    found = re.search(rf'name="{name}"\s+value="([0-9a-f]{{64}})"', page.content.decode())
    assert found is not None
    return found[1]


# --- Applying -----------------------------------------------------------------------------


def test_the_whole_way_from_question_to_signature(
    client: Client, borrower: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get(reverse("loans:apply")).url == step("product")
    assert client.post(step("product"), {"product": "personal"}).url == step("amount")
    typed = {"amount": "10,000", "months": "12", "method": "EQUAL_INSTALLMENT"}
    assert client.post(step("amount"), typed).url == step("purpose")
    purpose = {"purpose_code": "DAILY_NEEDS", "purpose_text": "冰箱坏了"}
    assert client.post(step("purpose"), purpose).url == step("check")
    page = client.get(step("check"))
    # At the list rate of 18 %; the offer is better.
    assert "¥11,001.61" in plain(page)
    answer = client.post(step("check"), {"request_key": request_key(page)}, follow=True)
    assert "Yes: you can borrow ¥10,000.00." in answer.content.decode()
    application = LoanApplication.objects.get()
    assert (application.borrower, application.purpose_text) == (borrower, "冰箱坏了")

    page = client.post(
        reverse("loans:take", args=[application.public_id]), {"amount": "10000"}, follow=True
    )
    text = page.content.decode()
    assert "There are no other charges." in text
    assert "¥10,859.34" in text
    later = clock.now() + datetime.timedelta(seconds=30)
    monkeypatch.setattr(signing.clock, "now", lambda: later)
    page = client.post(
        reverse("loans:cost_sheet", args=[application.public_id]),
        {"sheet_sha256": hidden(page, "sheet_sha256")},
        follow=True,
    )
    assert "Read it, then sign" in page.content.decode()
    assert "checked" not in page.content.decode()
    sign_url = reverse("loans:sign", args=[application.public_id])
    content_sha256 = hidden(page, "content_sha256")
    page = client.post(sign_url, {"content_sha256": content_sha256, "agreed": "on"}, follow=True)
    agreement = Agreement.objects.get()
    assert page.redirect_chain[-1][0] == reverse("loans:agreement", args=[agreement.public_id])
    assert agreement.sha256 == content_sha256
    assert agreement.sha256 in page.content.decode()
    # The back button, and the form once more: the signed agreement again.
    assert client.get(sign_url).url == page.redirect_chain[-1][0]
    again = client.post(sign_url, {"content_sha256": content_sha256, "agreed": "on"})
    assert again.url == page.redirect_chain[-1][0]
    sheet_url = reverse("loans:cost_sheet", args=[application.public_id])
    assert client.get(sheet_url).url == page.redirect_chain[-1][0]
    assert (Loan.objects.count(), BankTransfer.objects.count()) == (1, 1)


def test_answers_survive_going_back(client: Client) -> None:
    fill_in(client)
    page = client.get(step("amount"))
    assert 'value="10000.00"' in page.content.decode()
    assert "¥11,001.61" in plain(page)
    assert "冰箱坏了" in client.get(step("purpose")).content.decode()


def test_a_page_is_not_reached_before_its_question(client: Client) -> None:
    assert client.get(step("check")).url == step("product")
    client.post(step("product"), {"product": "shopping"})
    assert client.get(step("amount")).url == step("merchant")
    assert client.get(step("purpose")).url == step("merchant")
    assert client.get(step("nonsense")).status_code == 404


def test_a_scenario_asks_for_the_merchant(client: Client) -> None:
    merchant = Merchant.objects.filter(scenario="TRAVEL").first()
    assert merchant is not None
    assert client.post(step("product"), {"product": "travel"}).url == step("merchant")
    answers = {"merchant": str(merchant.public_id), "purpose_text": "去云南"}
    assert client.post(step("merchant"), answers).url == step("amount")
    typed = {"amount": "6000", "months": "6", "method": "EQUAL_PRINCIPAL"}
    assert client.post(step("amount"), typed).url == step("check")
    page = client.get(step("check"))
    client.post(step("check"), {"request_key": request_key(page)})
    application = LoanApplication.objects.get()
    assert (application.merchant, application.purpose_code) == (merchant, "TRAVEL")


def test_the_cost_shows_without_scripts_and_keeps_what_was_typed(client: Client) -> None:
    client.post(step("product"), {"product": "personal"})
    typed = {"amount": "10000", "months": "12", "method": "EQUAL_INSTALLMENT", "show_cost": "yes"}
    page = client.post(step("amount"), typed)
    assert page.status_code == 200
    assert "¥11,001.61" in plain(page)


def test_the_fragment_says_what_it_costs(client: Client) -> None:
    client.post(step("product"), {"product": "personal"})
    typed = {"amount": "10000", "months": "12", "method": "EQUAL_PRINCIPAL"}
    fragment = client.get(reverse("loans:apply_cost"), typed)
    page = plain(fragment)
    assert "<html" not in fragment.content.decode()
    assert "¥10,975.00" in page
    assert page.index("You repay in all") < page.index("Annualized cost")
    unreadable = client.get(reverse("loans:apply_cost"), typed | {"amount": "x"})
    assert unreadable.status_code == 200
    assert "¥10,975.00" not in plain(unreadable)


@pytest.mark.parametrize("amount", ["999", "200001", "-5", "zehn", ""])
def test_a_wrong_amount_is_mended_in_place(client: Client, amount: str) -> None:
    client.post(step("product"), {"product": "personal"})
    typed = {"amount": amount, "months": "12", "method": "EQUAL_INSTALLMENT"}
    assert client.post(step("amount"), typed).status_code == 422
    assert client.get(step("purpose")).url == step("amount")


def test_a_prohibited_purpose_is_refused_at_once_with_the_lesson(client: Client) -> None:
    fill_in(client)
    client.post(step("purpose"), {"purpose_code": "DAILY_NEEDS"})
    page = client.post(step("purpose"), {"purpose_code": "INVESTMENT", "purpose_text": "投资"})
    assert page.status_code == 422
    assert reverse("education:lesson", args=["borrow-for-what"]) in page.content.decode()
    assert not LoanApplication.objects.exists()
    # What was kept before still stands.
    assert client.get(step("check")).status_code == 200


def test_a_refused_purpose_is_told_once_and_marks_no_choice(client: Client) -> None:
    fill_in(client)
    page = client.post(step("purpose"), {"purpose_code": "INVESTMENT", "purpose_text": "投资"})
    text = page.content.decode()
    assert text.count("must not be used to invest or to buy") == 1
    assert 'aria-invalid="true"' not in text
    assert page.context["form"]["purpose_code"].errors == []


@pytest.mark.parametrize(
    ("words", "word", "sentence", "lesson"),
    [
        ("用来炒股和买比特币", "炒股", "the answer will be no", "borrow-for-what"),
        ("还信用卡", "还信用卡", "Borrowing to pay a debt", "talk-early"),
    ],
)
def test_words_that_a_person_must_read_are_told_before_sending(
    client: Client, words: str, word: str, sentence: str, lesson: str
) -> None:
    fill_in(client)
    client.post(step("purpose"), {"purpose_code": "OTHER", "purpose_text": words})
    text = client.get(step("check")).content.decode()
    assert f"You wrote “{word}”: a person will read this first" in text
    assert sentence in text
    assert reverse("education:lesson", args=[lesson]) in text
    assert "A person answers within two working days." in text
    assert "The answer comes in seconds." not in text
    assert not LoanApplication.objects.exists()


def test_plain_words_get_no_warning(client: Client) -> None:
    fill_in(client)
    assert "purpose-warning" not in client.get(step("check")).content.decode()


def test_a_form_sent_twice_leads_to_one_decision(client: Client) -> None:
    fill_in(client)
    page = client.get(step("check"))
    key = {"request_key": request_key(page)}
    first = client.post(step("check"), key)
    again = client.post(step("check"), key)
    assert first.url == again.url
    assert LoanApplication.objects.count() == 1


def test_an_open_application_is_shown_instead_of_a_new_form(client: Client, borrower: User) -> None:
    application = submit(borrower)
    decision = reverse("loans:decision", args=[application.public_id])
    assert client.get(reverse("loans:apply")).url == decision
    assert client.post(step("product"), {"product": "personal"}).url == decision


def test_a_lapsed_offer_leads_to_a_new_form(client: Client, borrower: User) -> None:
    application = submit(borrower)
    set_business_date(TODAY + datetime.timedelta(days=31))
    page = client.get(reverse("loans:decision", args=[application.public_id]))
    assert "This offer has lapsed." in page.content.decode()
    fill_in(client)
    answer = client.post(step("check"), {"request_key": request_key(client.get(step("check")))})
    application.refresh_from_db()
    assert application.state == ApplicationState.EXPIRED
    newest = LoanApplication.objects.latest("pk")
    assert answer.url == reverse("loans:decision", args=[newest.public_id])
    assert newest.state == ApplicationState.APPROVED


def test_an_incomplete_profile_is_filled_in_first(shop: None) -> None:
    client = signed_in_client(make_person())
    response = client.get(reverse("loans:apply"))
    assert response.url == reverse("accounts:profile_step", args=["identity"])
    assert client.session["profile_return_to"] == reverse("loans:apply")


def test_the_profile_leads_back(client: Client) -> None:
    session = client.session
    session["profile_return_to"] = reverse("loans:apply")
    session.save()
    assert client.get(reverse("accounts:profile")).url == reverse("loans:apply")
    assert client.get(reverse("accounts:profile")).status_code == 200


# --- The decision -------------------------------------------------------------------------


def decision_page(application: LoanApplication) -> Any:
    client = signed_in_client(application.borrower)
    return client.get(reverse("loans:decision", args=[application.public_id]))


def test_a_smaller_offer_says_so(borrower: User) -> None:
    page = decision_page(submit(borrower, asked(amount="20000"))).content.decode()
    assert "We can lend you ¥11,700.00." in page
    assert "You asked for ¥20,000.00." in page


def test_a_decline_says_why_and_offers_a_person(shop: None) -> None:
    application = submit(make_borrower(employment=Employment.STUDENT))
    client = signed_in_client(application.borrower)
    page = client.get(reverse("loans:decision", args=[application.public_id])).content.decode()
    assert "By law we may not lend to students." in page
    assert "Have a person look at it" in page
    answer = client.post(reverse("loans:review", args=[application.public_id]), follow=True)
    assert "A person will look at your application." in answer.content.decode()
    application.refresh_from_db()
    assert application.state == ApplicationState.REFERRED


def test_at_most_four_reasons_are_given(borrower: User) -> None:
    page = decision_page(submit(borrower)).content.decode()
    assert page.count("reasons__item--") == 4


def test_too_much_is_refused_on_the_page(borrower: User, client: Client) -> None:
    application = submit(borrower)
    url = reverse("loans:take", args=[application.public_id])
    page = client.post(url, {"amount": "10000.01"})
    assert page.status_code == 422
    assert "from ¥1,000.00 to ¥10,000.00" in page.content.decode()


def test_withdrawing_ends_it(borrower: User, client: Client) -> None:
    application = submit(borrower)
    url = reverse("loans:withdraw", args=[application.public_id])
    page = client.post(url, follow=True)
    assert "Nothing was signed and nothing is owed." in page.content.decode()
    assert client.get(reverse("loans:apply")).url == step("product")


# --- Confirming and signing ---------------------------------------------------------------


def test_a_forged_early_confirmation_is_refused(borrower: User, client: Client) -> None:
    application = submit(borrower)
    url = reverse("loans:cost_sheet", args=[application.public_id])
    page = client.get(url)
    answer = client.post(url, {"sheet_sha256": hidden(page, "sheet_sha256")})
    assert answer.status_code == 422
    assert "more seconds" in answer.content.decode()
    assert not CostSheetConfirmation.objects.exists()
    assert client.get(reverse("loans:sign", args=[application.public_id])).url == url


def test_only_the_last_part_is_sent_when_the_time_is_over(
    borrower: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = submit(borrower)
    url = reverse("loans:cost_sheet", args=[application.public_id])
    assert "hx-trigger" in client.get(url).content.decode()
    later = clock.now() + datetime.timedelta(seconds=30)
    monkeypatch.setattr(signing.clock, "now", lambda: later)
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "hx-trigger" not in part


def test_signing_needs_the_tick(shop: None) -> None:
    ready = make_ready_to_sign_today()
    client = signed_in_client(ready.borrower)
    url = reverse("loans:sign", args=[ready.public_id])
    page = client.get(url)
    answer = client.post(url, {"content_sha256": hidden(page, "content_sha256")})
    assert answer.status_code == 422
    assert not Agreement.objects.exists()


def test_another_text_than_the_one_shown_is_not_signed(shop: None) -> None:
    application = make_ready_to_sign_today()
    client = signed_in_client(application.borrower)
    url = reverse("loans:sign", args=[application.public_id])
    answer = client.post(url, {"content_sha256": "0" * 64, "agreed": "on"})
    assert answer.url == reverse("loans:cost_sheet", args=[application.public_id])
    assert not Agreement.objects.exists()


def make_ready_to_sign_today() -> LoanApplication:
    return make_ready_to_sign().application


def test_the_exact_bytes_can_be_kept(shop: None) -> None:
    agreement = sign(make_ready_to_sign())
    client = signed_in_client(agreement.signed_by)
    url = reverse("loans:agreement_document", args=[agreement.public_id])
    shown = client.get(url)
    assert hashlib.sha256(shown.content).hexdigest() == agreement.sha256
    assert shown["Content-Disposition"].startswith("inline")
    assert "'sha256-" in shown["Content-Security-Policy"]
    kept = client.get(f"{url}?download")
    assert kept.content == shown.content
    assert kept["Content-Disposition"] == f'attachment; filename="{agreement.number}.html"'


# --- Somebody else's ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["decision", "cost_sheet", "sign"])
def test_anothers_application_is_as_missing(shop: None, client: Client, name: str) -> None:
    foreign = client.get(reverse(f"loans:{name}", args=[make_approved().public_id]))
    missing = client.get(reverse(f"loans:{name}", args=[uuid.uuid4()]))
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert without_address(foreign) == without_address(missing)


@pytest.mark.parametrize("name", ["review", "take", "withdraw", "cost_sheet", "sign"])
def test_anothers_application_cannot_be_changed(shop: None, client: Client, name: str) -> None:
    application = make_approved()
    answer = client.post(
        reverse(f"loans:{name}", args=[application.public_id]),
        {"amount": "5000", "agreed": "on", "content_sha256": "0" * 64, "sheet_sha256": "0" * 64},
    )
    assert answer.status_code == 404
    application.refresh_from_db()
    assert (application.state, application.chosen_amount) == (ApplicationState.APPROVED, None)


@pytest.mark.parametrize("name", ["agreement", "agreement_document"])
def test_anothers_agreement_is_as_missing(shop: None, client: Client, name: str) -> None:
    agreement = sign(make_ready_to_sign())
    foreign = client.get(reverse(f"loans:{name}", args=[agreement.public_id]))
    missing = client.get(reverse(f"loans:{name}", args=[uuid.uuid4()]))
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert without_address(foreign) == without_address(missing)


def without_address(response: Any) -> str:
    text = re.sub(r"[0-9a-f-]{36}", "", response.content.decode())
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


def test_strangers_sign_in_first(shop: None) -> None:
    for url in (reverse("loans:apply"), step("product"), reverse("loans:apply_cost")):
        assert reverse("account_login") in Client().get(url).url


# --- The underwriter's queue --------------------------------------------------------------


def test_decide_and_next(underwriter: User) -> None:
    younger = make_referred(at=clock.now() - datetime.timedelta(minutes=1))
    older = make_referred(at=clock.now() - datetime.timedelta(minutes=2))
    client = signed_in_client(underwriter)
    queue = client.get(reverse("admin:loans_referrals")).content.decode()
    assert queue.index(str(older.public_id)) < queue.index(str(younger.public_id))
    first = client.post(reverse("admin:loans_referral_next"))
    assert first.url == reverse("admin:loans_referral", args=[older.public_id])
    screen = client.get(first.url).content.decode()
    assert "¥8,000.00" in screen
    assert "stated" in screen
    ruling = {
        "verdict": "approve",
        "amount": "6000",
        "reason": "SMALLER_FITS_BUDGET",
        "note": "Payslips seen.",
    }
    following = client.post(first.url, ruling)
    assert following.url == reverse("admin:loans_referral", args=[younger.public_id])
    older.refresh_from_db()
    assert older.state == ApplicationState.APPROVED
    assert str(older.approved_amount) == "6000.00"
    last = client.post(
        following.url, {"verdict": "decline", "reason": "DEBTS_TOO_HIGH", "note": "See ratios."}
    )
    assert last.url == reverse("admin:loans_referrals")
    younger.refresh_from_db()
    assert younger.state == ApplicationState.DECLINED
    access = PersonalDataAccess.objects.filter(subject=older.borrower).first()
    assert access is not None
    assert access.actor_user == underwriter


def test_a_ruling_without_reason_is_mended_in_place(underwriter: User) -> None:
    application = make_referred()
    client = signed_in_client(underwriter)
    url = reverse("admin:loans_referral", args=[application.public_id])
    assert client.post(url, {"verdict": "approve", "amount": "6000"}).status_code == 422
    wrong = {"verdict": "approve", "amount": "6000", "reason": "DEBTS_TOO_HIGH", "note": "x"}
    assert client.post(url, wrong).status_code == 422
    application.refresh_from_db()
    assert application.state == ApplicationState.REFERRED


def test_a_case_decided_meanwhile_says_so(underwriter: User) -> None:
    application = make_referred()
    approve(application, make_underwriter())
    client = signed_in_client(underwriter)
    url = reverse("admin:loans_referral", args=[application.public_id])
    ruling = {"verdict": "decline", "reason": "DEBTS_TOO_HIGH", "note": "x"}
    missing = reverse("admin:loans_referral", args=[uuid.uuid4()])
    for gone in (url, missing):
        assert client.post(gone, ruling).url == reverse("admin:loans_referrals")
        answer = client.get(gone, follow=True)
        assert answer.redirect_chain == [(reverse("admin:loans_referrals"), 302)]
        assert "does not wait for you any more" in answer.content.decode()
    application.refresh_from_db()
    assert application.state == ApplicationState.APPROVED


def test_the_queue_is_for_underwriters(shop: None) -> None:
    application = make_referred()
    client = signed_in_client(make_person(is_staff=True))
    for url in (
        reverse("admin:loans_referrals"),
        reverse("admin:loans_referral", args=[application.public_id]),
    ):
        assert client.get(url).status_code == 403
    assert client.post(reverse("admin:loans_referral_next")).status_code == 403


# --- The answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["take", "review", "withdraw"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_refused_form_opened_again_leads_to_the_answer(
    client: Client, borrower: User, action: str, method: str
) -> None:
    application = make_approved(borrower)
    url = reverse(f"loans:{action}", args=[application.public_id])
    answer = getattr(client, method)(url)
    assert answer.status_code == 302
    assert answer.url == reverse("loans:decision", args=[application.public_id])
    application.refresh_from_db()
    assert application.state == ApplicationState.APPROVED
    assert client.put(url).status_code == 405


def test_a_limit_above_the_offer_is_not_for_this_application(
    client: Client, borrower: User
) -> None:
    application = make_approved(borrower)
    page = client.get(reverse("loans:decision", args=[application.public_id]))
    assert page.context["explanation"].limit > application.approved_amount
    assert "more than this offer takes another application" in page.content.decode()
    assert "you need not use it" not in page.content.decode()
    offer = {"amount": str(page.context["explanation"].limit)}
    refused = client.post(reverse("loans:take", args=[application.public_id]), offer)
    assert refused.status_code == 422
