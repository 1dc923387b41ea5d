"""The pages of help: open to everybody, one story for the borrower, nothing for strangers."""

from __future__ import annotations

import datetime
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from collections_app.engine.hardship import OfferKind
from collections_app.engine.states import PlanState
from collections_app.models import Case, ContactNote, HardshipPlan, HardshipRequest
from loans.models import LoanEvent
from tests.factories.accounts import make_borrower
from tests.factories.collections_app import FIRST_LATE, asked, instant, late_loan, make_budget
from tests.factories.funded import SIGNED_ON, funded_loan, set_business_date

pytestmark = pytest.mark.django_db

FORM = {
    "income": "5,100",
    "home": "2000",
    "food": "1200",
    "transport": "300",
    "family": "¥500.00",
    "priority_debts": "",
    "other_debts": "",
    "reason": "LESS_INCOME",
    "later_from": "",
    "later_income": "",
}


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_options_and_rights_need_no_sign_in() -> None:
    set_business_date(SIGNED_ON)
    response = Client(headers={"accept-language": "en"}).get("/help/")
    assert response.status_code == 200
    page = response.content.decode()
    for words in ("More time at a lower rate", "22:00", "12378", "Sign in and look"):
        assert words in page


def test_somebody_without_a_loan_is_told_so() -> None:
    set_business_date(SIGNED_ON)
    page = signed_in(make_borrower()).get("/help/").content.decode()
    assert "You owe nothing here today" in page


def test_from_trouble_to_a_plan() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    assert reverse("collections:budget", args=[loan.public_id]) in client.get("/help/").text
    url = reverse("collections:budget", args=[loan.public_id])
    form = client.get(url).context["form"]
    # What the profile says stands in the form already.
    assert form.initial["income"] == loan.borrower.profile.monthly_income
    response = client.post(url, {**FORM, "key": uuid4()})
    offers_url = response.headers["location"]
    page = client.get(offers_url)
    assert "3 plans fit your budget" in page.text
    cards = page.context["page"].cards
    assert next(card.badge for card in cards) == "Costs least in all"
    assert [card.rows[2]["amount"] for card in cards] == sorted(
        card.rows[2]["amount"] for card in cards
    )
    offer_url = cards[0].url
    assert "Yes, I want this plan" in client.get(offer_url).text
    accepted = client.post(offer_url)
    plan_url = accepted.headers["location"]
    assert "Your new plan stands" in client.get(plan_url).text
    # A second click on yes, and the way back, lead to the same plan.
    assert client.post(offer_url).headers["location"] == plan_url
    assert HardshipPlan.objects.count() == 1
    assert "You have chosen one of these" in client.get(offers_url).text
    assert "You have a plan" in client.get(url).text


def test_the_loan_leads_its_owner_alone_to_its_newest_plan() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    url = reverse("collections:loan_plan", args=[loan.public_id])
    assert url == f"/help/{loan.public_id}/plan/"
    assert client.get(url).status_code == 404
    offer = asked(loan).offers.get(kind=OfferKind.INTEREST_FREEZE)
    plan_url = client.post(reverse("collections:offer", args=[offer.public_id])).headers["location"]
    response = client.get(url)
    assert (response.status_code, response.headers["location"]) == (302, plan_url)
    stranger = signed_in(make_borrower())
    assert stranger.get(url).status_code == 404
    HardshipPlan.objects.update(
        state=PlanState.BROKEN,
        ended_on=FIRST_LATE,
        ended_at=instant(FIRST_LATE),
        ended_by_label="x",
    )
    # An ended plan is still the loan's contract.
    assert client.get(url).headers["location"] == plan_url
    assert client.get(plan_url).status_code == 200


def test_a_deferral_gives_a_month_after_the_next_due_date_and_says_so() -> None:
    """16 July was missed and 16 August comes next: nothing is due before 16 September."""
    request = asked(late_loan())
    offer = request.offers.get(kind=OfferKind.DEFERRAL)
    assert offer.first_due_date == datetime.date(2026, 9, 16)
    page = signed_in(request.loan.borrower).get(
        reverse("collections:offers", args=[request.public_id])
    )
    assert (
        "Nothing to pay until 16 Sep 2026, a month after your next due date. What you missed and"
        " all remaining payments follow from then on" in page.text
    )


def test_help_before_anything_is_late() -> None:
    loan = funded_loan()
    client = signed_in(loan.borrower)
    url = reverse("collections:budget", args=[loan.public_id])
    offers_url = client.post(url, {**FORM, "key": uuid4()}).headers["location"]
    page = client.get(offers_url).text
    assert "nothing late" in page
    assert "Nothing to pay until 16 Aug 2026, a month later than planned." in page


def test_a_budget_with_mistakes_is_kept_and_explained() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    url = reverse("collections:budget", args=[loan.public_id])
    response = client.post(
        url,
        {**FORM, "income": "much", "later_from": "2026-07", "later_income": "", "key": uuid4()},
    )
    assert response.status_code == 422
    form = response.context["form"]
    assert set(form.errors) == {"income", "later_from"}
    assert 'value="much"' in response.text
    assert HardshipRequest.objects.count() == 0
    half = client.post(url, {**FORM, "later_income": "9000", "key": uuid4()})
    assert set(half.context["form"].errors) == {"later_from"}


def test_nothing_fits_and_a_person_helps() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    request = asked(loan, budget=make_budget(bears="0"))
    page = client.get(reverse("collections:offers", args=[request.public_id]))
    assert "No plan fits your budget" in page.text
    assert "We do not offer a plan that you could not keep" in page.text
    url = reverse("collections:person", args=[loan.public_id])
    assert "Please contact me" in client.get(url).text
    client.post(url)
    client.post(url)
    case = Case.objects.get()
    assert case.person_asked_at is not None
    assert ContactNote.objects.filter(case=case, outcome="ASKED_FOR_PERSON").count() == 1
    assert "You stand at the head of our list" in client.get(url).text


def test_a_stale_offer_answers_conflict_and_changes_nothing() -> None:
    loan = late_loan()
    client = signed_in(loan.borrower)
    offer = asked(loan).offers.get(kind=OfferKind.DEFERRAL)
    set_business_date(FIRST_LATE.replace(day=18))
    url = reverse("collections:offer", args=[offer.public_id])
    assert "Yes, I want this plan" not in client.get(url).text
    before = LoanEvent.objects.count()
    response = client.post(url)
    assert response.status_code == 409
    assert "The figures have changed since you looked" in response.text
    assert (LoanEvent.objects.count(), HardshipPlan.objects.count()) == (before, 0)


def test_a_strangers_page_and_a_missing_one_answer_alike() -> None:
    loan = late_loan()
    request = asked(loan)
    offer = request.offers.get(kind=OfferKind.DEFERRAL)
    stranger = signed_in(make_borrower())
    pages = {
        "collections:budget": loan.public_id,
        "collections:person": loan.public_id,
        "collections:offers": request.public_id,
        "collections:offer": offer.public_id,
    }
    for name, public_id in pages.items():
        for method in ("get", "post"):
            foreign = getattr(stranger, method)(reverse(name, args=[public_id]))
            missing = getattr(stranger, method)(reverse(name, args=[uuid4()]))
            assert foreign.status_code == missing.status_code
            is_read_only = (name, method) == ("collections:offers", "post")
            assert foreign.status_code == (405 if is_read_only else 404)
    offer_url = reverse("collections:offer", args=[offer.public_id])
    plan_url = signed_in(loan.borrower).post(offer_url).headers["location"]
    assert stranger.get(plan_url).status_code == 404
    assert HardshipPlan.objects.count() == 1


def test_signed_out_people_are_sent_to_sign_in_and_back() -> None:
    loan = late_loan()
    url = reverse("collections:budget", args=[loan.public_id])
    response = Client().get(url)
    assert response.status_code == 302
    assert urlsplit(response.headers["location"]).query == f"next={url}"
