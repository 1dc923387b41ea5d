"""The desk that corrects a loan: look first, confirm once, stale and foreign forms are refused."""

from __future__ import annotations

import datetime
import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.engine.contact_rules import Channel
from accounts.models import PersonalDataAccess, User
from loans.admin.desk_actions import ACTIONS
from loans.models import BankTransfer, Loan, LoanEvent, MoneyCommand
from loans.services.charge_offs import charge_off
from loans.services.disputes import open_dispute
from loans.services.waivers import waive
from tests.factories.accounts import make_person
from tests.factories.collections_app import FIRST_LATE, close_through, late_loan
from tests.factories.corrections import amounts, assert_books_agree, how, make_servicer, yuan
from tests.factories.funded import SIGNED_ON, funded_loan, terms
from tests.integration.loans.servicing.test_corrections import received
from zhixin.shared.permissions import Role

pytestmark = pytest.mark.django_db


def staff_as(role: Role) -> User:
    call_command("sync_roles", verbosity=0)
    person = make_person(channel=Channel.EMAIL, is_staff=True)
    person.groups.add(Group.objects.get(name=role.value))
    return person


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def desk_of(loan: Loan) -> str:
    return reverse("admin:loans_desk", args=[loan.public_id])


def page_of(loan: Loan, name: str) -> str:
    return reverse("admin:loans_correction", args=[loan.public_id, name])


def hidden(page: Any) -> dict[str, str]:
    """Return the hidden fields of the form on the page, as a browser would send them."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page.text):
        if 'type="hidden"' in tag and 'name="csrf' not in tag:
            name = re.search(r'name="(\w+)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name:
                found[name.group(1)] = value.group(1) if value else ""
    return found


WAIVER = {"interest": "20", "penalty": "0.47", "reason": "Agreed by phone."}


def test_look_confirm_and_undo() -> None:
    loan = late_loan()
    staff = staff_as(Role.SERVICER)
    client = signed_in(staff)
    url = page_of(loan, "waiver")
    form = hidden(client.get(url))
    look = client.post(url, {**WAIVER, **form})
    assert look.status_code == 200
    assert not loan.events.filter(kind="WAIVER").exists()
    shown = {row.label: (row.before, row.after) for row in look.context["figures"] if row.changes}
    assert shown == {
        "Interest": ("¥123.57", "¥103.57"),
        "Late charges": ("¥0.47", "¥0.00"),
        "Pays everything today": ("¥12,124.04", "¥12,103.57"),
        "Late in all": ("¥1,066.66", "¥1,046.19"),
    }
    assert [(row.label, row.debit, row.credit) for row in look.context["journal"]] == [
        ("Interest receivable", "", "¥20.00"),
        ("Penalty interest receivable", "", "¥0.47"),
        ("Waivers", "¥20.47", ""),
    ]
    confirmed = client.post(url, {**WAIVER, **hidden(look), "confirm": "1"})
    row = loan.events.get(kind="WAIVER")
    assert confirmed.url == f"{desk_of(loan)}?done={row.event_id}"
    assert (row.reason, row.actor_user) == ("Agreed by phone.", staff)
    result = client.get(confirmed.url)
    assert "Recorded: Waiver" in result.text
    undo = f"{page_of(loan, 'reversal')}?event={row.event_id}"
    assert undo in result.text
    form = hidden(client.get(undo))
    asked = {"event": str(row.event_id), "reason": "Wrong loan."}
    look = client.post(page_of(loan, "reversal"), {**asked, **form})
    client.post(page_of(loan, "reversal"), {**asked, **hidden(look), "confirm": "1"})
    page = client.get(desk_of(loan)).text
    assert "reversed by 3" in page
    assert "Wrong loan." in page
    assert_books_agree(loan)


def test_a_form_that_is_sent_twice_is_one_event() -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.SERVICER))
    paid = received(loan, "10.00", on=FIRST_LATE)
    for name, asked in (
        ("waiver", {"interest": "20", "reason": "Agreed by phone."}),
        ("reversal", {"event": str(paid.event_id), "reason": "Bounced."}),
    ):
        url = page_of(loan, name)
        look = client.post(url, {**asked, **hidden(client.get(url))})
        sent = {**asked, **hidden(look), "confirm": "1"}
        before = loan.events.count()
        addresses = {client.post(url, sent).url for _ in range(3)}
        assert len(addresses) == 1
        assert loan.events.count() == before + 1


def test_a_loan_that_changed_since_the_look_is_looked_at_again() -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.SERVICER))
    url = page_of(loan, "waiver")
    look = client.post(url, {**WAIVER, **hidden(client.get(url))})
    received(loan, "50.00", on=FIRST_LATE)
    again = client.post(url, {**WAIVER, **hidden(look), "confirm": "1"})
    assert again.status_code == 200
    assert "This loan has changed since you looked at it." in again.text
    assert not loan.events.filter(kind="WAIVER").exists()
    assert 'value="20"' in again.text
    confirmed = client.post(url, {**WAIVER, **hidden(again), "confirm": "1"})
    assert confirmed.status_code == 302
    assert loan.events.filter(kind="WAIVER").count() == 1
    assert_books_agree(loan)


def test_figures_that_were_changed_after_the_look_are_shown_first() -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.SERVICER))
    url = page_of(loan, "waiver")
    look = client.post(url, {**WAIVER, **hidden(client.get(url))})
    other = {**WAIVER, "interest": "100"}
    again = client.post(url, {**other, **hidden(look), "confirm": "1"})
    assert "You have changed the form." in again.text
    assert not loan.events.filter(kind="WAIVER").exists()
    client.post(url, {**other, **hidden(again), "confirm": "1"})
    assert loan.events.get(kind="WAIVER").body["interest"] == "100.00"


@pytest.mark.parametrize(
    ("name", "asked", "field", "words"),
    [
        ("waiver", {"interest": "120.01"}, "interest", "Only ¥120.00 of it is billed and owed."),
        ("waiver", {"interest": "abc"}, "interest", "Enter an amount such as"),
        ("waiver", {}, "penalty", "Enter at least one amount to waive."),
        ("repayment", {"amount": "5", "effective_date": "2026-06-01"}, "effective_date", "before"),
        ("repayment", {"amount": "5", "effective_date": "2027-06-01"}, "effective_date", "begun"),
        ("due-date", {"number": "2", "payable_through": "2026-08-16"}, "payable_through", "after"),
        ("due-date", {"number": "77", "payable_through": "2026-08-20"}, "number", "valid choice"),
        ("refund", {"amount": "1"}, "amount", "Only ¥0.00 can be paid back"),
    ],
)
def test_errors_stand_beside_their_field_and_nothing_typed_is_lost(
    name: str, asked: dict[str, str], field: str, words: str
) -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.SERVICER))
    url = page_of(loan, name)
    more = {"channel": "COUNTER", "reference": "B 1"} if name == "repayment" else {}
    answer = client.post(
        url, {**asked, **more, **hidden(client.get(url)), "reason": "A long reason, typed once."}
    )
    assert answer.status_code == 422
    assert words in str(answer.context["form"].errors[field])
    assert "A long reason, typed once." in answer.text
    assert (loan.events.count(), MoneyCommand.objects.count()) == (1, 0)


def test_a_reason_is_asked_for() -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.SERVICER))
    url = page_of(loan, "waiver")
    answer = client.post(url, {**WAIVER, "reason": "  ", **hidden(client.get(url))})
    assert answer.context["form"].errors["reason"] == ["Say why."]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.AUDITOR, set()),
        (Role.COLLECTOR, {"due-date", "dispute", "answer"}),
        (Role.SERVICER, set(ACTIONS) - {"charge-off"}),
        (Role.SERVICING_LEAD, set(ACTIONS)),
    ],
)
def test_roles_may_do_what_is_theirs_and_nothing_else(role: Role, allowed: set[str]) -> None:
    loan = late_loan()
    client = signed_in(staff_as(role))
    page = client.get(desk_of(loan))
    assert page.status_code == 200
    for name in ACTIONS:
        url = page_of(loan, name)
        expected = 200 if name in allowed else 403
        assert client.get(url).status_code == expected, name
        sent: HttpResponse = client.post(url, {"reason": "x", "key": str(uuid4()), "confirm": "1"})
        assert sent.status_code == 403 if name not in allowed else sent.status_code in (200, 422)
        if name not in allowed:
            assert url not in page.text
    assert loan.events.count() == 1


DOCUMENTS = ("agreement", "statement", "schedule")


@pytest.mark.parametrize(
    ("role", "of_late_loan", "of_another"),
    [
        (Role.AUDITOR, True, True),
        (Role.SERVICER, True, True),
        (Role.SERVICING_LEAD, True, True),
        (Role.COLLECTOR, True, False),
        (Role.UNDERWRITER, False, False),
    ],
)
def test_who_opens_the_desk_and_the_documents(
    role: Role, of_late_loan: bool, of_another: bool
) -> None:
    late = late_loan()
    another = funded_loan(loan_terms=terms(disbursement_date=FIRST_LATE))
    staff = staff_as(role)
    client = signed_in(staff)
    for loan, may in ((late, of_late_loan), (another, of_another)):
        assert client.get(desk_of(loan)).status_code == (200 if may else 404)
        for name, action in ACTIONS.items():
            if not may:
                expected = 404 if staff.has_perm(action.permission) else 403
                assert client.get(page_of(loan, name)).status_code == expected, name
        for kind in DOCUMENTS:
            path = reverse("loans:staff_document", args=[loan.public_id, kind])
            assert client.get(path).status_code == (200 if may else 404), kind
        page = client.get(reverse("admin:loans_loan_change", args=[loan.pk]))
        assert page.status_code == (200 if may else 302)
        assert (desk_of(loan) in page.text) is may
        document = reverse("loans:staff_document", args=[loan.public_id, "agreement"])
        assert (document in page.text) is may
        looks = PersonalDataAccess.objects.filter(subject=loan.borrower)
        assert looks.exists() is may


def test_a_collector_loses_sight_of_a_loan_when_its_case_ends() -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.COLLECTOR))
    assert client.get(desk_of(loan)).status_code == 200
    received(loan, "1066.66", on=FIRST_LATE)
    close_through(FIRST_LATE + datetime.timedelta(days=1))
    assert not loan.cases.filter(state="OPEN").exists()
    assert client.get(desk_of(loan)).status_code == 404
    assert client.post(page_of(loan, "due-date"), {"confirm": "1"}).status_code == 404


def test_nobody_corrects_a_loan_of_their_own_and_strangers_see_nothing() -> None:
    staff = staff_as(Role.SERVICING_LEAD)
    own = funded_loan(borrower=staff)
    client = signed_in(staff)
    assert client.get(desk_of(own)).status_code == 403
    assert client.get(page_of(own, "waiver")).status_code == 403
    other = funded_loan()
    assert signed_in(own.borrower).get(page_of(other, "nothing")).status_code == 404
    borrower = signed_in(other.borrower)
    assert borrower.get(desk_of(other)).status_code in (302, 403)
    missing = reverse("admin:loans_desk", args=[uuid4()])
    assert client.get(missing).status_code == 404


def test_the_look_is_recorded_for_the_borrower_to_see() -> None:
    loan = late_loan()
    signed_in(staff_as(Role.SERVICER)).get(desk_of(loan))
    look = PersonalDataAccess.objects.get(subject=loan.borrower)
    assert look.purpose == "Correcting a loan"


def test_a_refund_is_ordered_once() -> None:
    loan = funded_loan()
    received(loan, "12050.00", on=SIGNED_ON)
    client = signed_in(staff_as(Role.SERVICER))
    url = page_of(loan, "refund")
    asked = {"amount": "50", "reason": "By the borrower's wish."}
    look = client.post(url, {**asked, **hidden(client.get(url))})
    assert {row.label for row in look.context["figures"] if row.changes} == {"Credit", "Status"}
    for _ in range(2):
        client.post(url, {**asked, **hidden(look), "confirm": "1"})
    refund = BankTransfer.objects.get(purpose="REFUND")
    assert refund.amount == yuan("50.00")
    assert "¥50.00" in client.get(desk_of(loan)).text


def test_a_charge_off_by_the_lead() -> None:
    loan = late_loan()
    client = signed_in(staff_as(Role.SERVICING_LEAD))
    url = page_of(loan, "charge-off")
    asked = {"reason": "The borrower has died."}
    look = client.post(url, {**asked, **hidden(client.get(url))})
    assert client.post(url, {**asked, **hidden(look), "confirm": "1"}).status_code == 302
    assert LoanEvent.objects.filter(kind="CHARGE_OFF").count() == 1
    page = client.get(desk_of(loan))
    assert [name for name, _action in page.context["actions"]] == [
        "repayment",
        "recovery",
        "reversal",
        "waiver",
        "dispute",
    ]


def test_the_loan_in_the_admin_names_who_why_and_what_reversed_it() -> None:
    loan = late_loan()
    staff = make_servicer()
    waived = waive(loan_id=loan.pk, amounts=amounts(interest="1"), **how(staff, reason="Kindness"))
    client = signed_in(staff_as(Role.SERVICER))
    page = client.get(reverse("admin:loans_loan_change", args=[loan.pk])).text
    assert "Kindness" in page
    assert str(staff.email) in page
    assert desk_of(loan) in page
    url = page_of(loan, "reversal")
    asked = {"event": str(waived.event_id), "reason": "Too kind"}
    look = client.post(url, {**asked, **hidden(client.get(url))})
    client.post(url, {**asked, **hidden(look), "confirm": "1"})
    page = client.get(reverse("admin:loans_loan_change", args=[loan.pk])).text
    assert re.search(r"reversed_by[^>]*>(<[^>]+>|\s)*3\s*<", page)


@pytest.mark.parametrize("waivers", [1, 5])
def test_queries_of_the_desk(
    django_assert_num_queries: DjangoAssertNumQueries, waivers: int
) -> None:
    loan = late_loan()
    staff = make_servicer()
    for _ in range(waivers):
        waive(loan_id=loan.pk, amounts=amounts(interest="1"), **how(staff))
    open_dispute(loan_id=loan.pk, number=1, **how(staff))
    charge_off(loan_id=loan.pk, **how(staff))
    client = signed_in(staff_as(Role.SERVICING_LEAD))
    client.get(desk_of(loan))
    with django_assert_num_queries(13):
        assert client.get(desk_of(loan)).status_code == 200
