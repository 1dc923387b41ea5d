"""Cases by night, contact notes, the gate's word, and the collector's desk."""

from __future__ import annotations

import datetime

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import Message, PersonalDataAccess, User
from collections_app.engine.hardship import OfferKind
from collections_app.engine.states import CaseState
from collections_app.models import Case, CaseChange, ContactNote
from collections_app.selectors.case_desk import case_desk, next_case
from collections_app.selectors.contact import judge_call
from collections_app.services.cases import open_and_close_cases
from collections_app.services.contacts import (
    UnableToAddNoteError,
    UnableToCallError,
    add_note,
    ask_for_person,
    reveal_number,
)
from collections_app.services.negotiation import accept_offer
from loans.models import Loan
from loans.selectors.servicing import loan_state
from loans.services.repayments import request_repayment
from tests.factories.accounts import CARD_NUMBER
from tests.factories.collections_app import (
    FIRST_DUE,
    FIRST_LATE,
    asked,
    borrower_of,
    close_through,
    instant,
    late_loan,
    make_collector,
    make_staff,
)
from tests.factories.funded import Clock, funded_loan, settle
from zhixin.shared.actor import NIGHT
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db
NEXT_DAY = FIRST_LATE + datetime.timedelta(days=1)


def night(date: datetime.date) -> int:
    return open_and_close_cases(
        business_date=date, actor=NIGHT, clock=Clock(instant(date)), report=lambda _d, _t: None
    )


def note(case: Case, worker: User, *, at: datetime.datetime, **changes: object) -> ContactNote:
    values = {
        "channel": "PHONE",
        "direction": "OUTBOUND",
        "outcome": "NO_ANSWER",
        "text": "",
        **changes,
    }
    return add_note(
        case_id=case.pk,
        actor=worker.as_actor(),
        business_date=FIRST_LATE,
        at=at,
        **values,  # type: ignore[arg-type]  # Values of several types.
    )


def pay_what_is_late(loan: Loan, *, on: datetime.date) -> None:
    transfer = request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=loan_state(loan, as_of=on).due_now.total,
        key="pay",
        account_name="李小华",
        card_number=CARD_NUMBER,
        business_date=on,
        at=instant(on),
    )
    settle(transfer)


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def desk_url(case: Case) -> str:
    return reverse("admin:collections_case", args=[case.public_id])


# --- The night ----------------------------------------------------------------------------


def test_a_case_opens_on_the_first_late_day_and_not_before() -> None:
    loan = funded_loan()
    close_through(FIRST_DUE)
    assert not Case.objects.exists()
    close_through(FIRST_LATE)
    case = Case.objects.get()
    assert (case.loan, case.state, case.opened_on) == (loan, CaseState.OPEN, FIRST_LATE)
    assert case.days_past_due == 1
    assert case.overdue_amount == loan_state(loan, as_of=FIRST_LATE).overdue.total
    change = CaseChange.objects.get()
    assert (change.from_state, change.to_state, change.reason) == ("", "OPEN", "OVERDUE")


def test_the_night_twice_is_the_night_once() -> None:
    late_loan()
    before = list(Case.objects.values())
    assert night(FIRST_LATE) == 0
    assert list(Case.objects.values()) == before
    assert CaseChange.objects.count() == 1


def test_the_figures_follow_the_days_until_it_is_paid_and_cured() -> None:
    loan = late_loan()
    close_through(NEXT_DAY)
    case = Case.objects.get()
    assert (case.days_past_due, case.refreshed_on) == (2, NEXT_DAY)
    pay_what_is_late(loan, on=NEXT_DAY)
    # Paid today: out of the queue at once, ended by the night.
    assert not Case.objects.to_work().exists()
    assert Case.objects.open().count() == 1
    close_through(NEXT_DAY + datetime.timedelta(days=1))
    case.refresh_from_db()
    assert case.state == CaseState.CURED
    assert case.overdue_amount == Money.zero()
    close_through(FIRST_DUE + datetime.timedelta(days=32))
    assert Case.objects.filter(loan=loan).count() == 2


def test_who_waits_for_a_person_keeps_the_case_when_nothing_is_late() -> None:
    loan = late_loan()
    case = ask_for_person(
        loan_id=loan.pk, actor=borrower_of(loan), business_date=FIRST_LATE, at=instant(FIRST_LATE)
    )
    pay_what_is_late(loan, on=FIRST_LATE)
    close_through(NEXT_DAY)
    case.refresh_from_db()
    assert case.state == CaseState.OPEN
    assert list(Case.objects.to_work()) == [case]
    note(case, make_collector(), at=instant(NEXT_DAY), outcome="CANNOT_PAY")
    close_through(NEXT_DAY + datetime.timedelta(days=1))
    case.refresh_from_db()
    assert case.state == CaseState.CURED


def test_the_database_keeps_one_open_case_a_loan() -> None:
    loan = late_loan()
    with pytest.raises(IntegrityError, match="case_open_once_a_loan"), transaction.atomic():
        Case.objects.create(loan=loan, opened_on=FIRST_LATE, refreshed_on=FIRST_LATE)
    with pytest.raises(IntegrityError, match="case_closed_date"), transaction.atomic():
        Case.objects.update(state=CaseState.CURED)


# --- Contacts -----------------------------------------------------------------------------


def test_a_note_takes_the_case_over_and_dates_the_next_step() -> None:
    case, worker = _open_case(), make_collector()
    written = note(case, worker, at=instant(FIRST_LATE), outcome="WILL_PAY", text=" Pays Friday. ")
    case.refresh_from_db()
    assert (written.text, written.gate_rule) == ("Pays Friday.", "OK")
    assert case.assigned_to == worker
    assert case.next_action_on == FIRST_LATE + datetime.timedelta(days=3)


def test_what_happened_at_night_is_recorded_with_the_rule_it_breaks() -> None:
    case = _open_case()
    at_two = instant(FIRST_LATE, hour=18)
    assert note(case, make_collector(), at=at_two).gate_rule == "CC-01"


def test_a_note_that_says_nothing_or_comes_too_late_is_refused() -> None:
    case, worker = _open_case(), make_collector()
    with pytest.raises(UnableToAddNoteError):
        note(case, worker, at=instant(FIRST_LATE), outcome="OTHER", text="  ")
    Case.objects.update(state=CaseState.CURED, closed_on=FIRST_LATE)
    with pytest.raises(UnableToAddNoteError):
        note(case, worker, at=instant(FIRST_LATE))
    assert not ContactNote.objects.exists()


def test_the_third_conversation_of_a_day_is_the_last() -> None:
    case, worker = _open_case(), make_collector()
    for hour in (1, 2, 3):
        assert judge_call(case.loan.borrower, at=instant(FIRST_LATE, hour)).allowed
        note(case, worker, at=instant(FIRST_LATE, hour), outcome="WILL_PAY")
    verdict = judge_call(case.loan.borrower, at=instant(FIRST_LATE, 4))
    assert (verdict.allowed, verdict.rule) == (False, "CC-04")
    assert verdict.earliest_next is not None
    assert verdict.earliest_next.date() == NEXT_DAY


def test_the_sixth_attempt_of_a_day_is_the_last() -> None:
    case, worker = _open_case(), make_collector()
    for minute in range(6):
        at = instant(FIRST_LATE) + datetime.timedelta(minutes=minute)
        assert note(case, worker, at=at).gate_rule == "OK"
    assert judge_call(case.loan.borrower, at=instant(FIRST_LATE, 5)).rule == "CC-03"


def test_the_number_is_shown_only_when_a_call_is_allowed_and_the_look_is_recorded() -> None:
    case, worker = _open_case(), make_collector()
    number = reveal_number(case_id=case.pk, actor=worker.as_actor(), at=instant(FIRST_LATE))
    assert number == case.loan.borrower.phone
    assert PersonalDataAccess.objects.get().fields == ["phone number"]
    with pytest.raises(UnableToCallError, match="CC-01"):
        reveal_number(case_id=case.pk, actor=worker.as_actor(), at=instant(FIRST_LATE, 18))
    assert PersonalDataAccess.objects.count() == 1


def test_the_look_at_a_number_is_explained_in_the_readers_language() -> None:
    """A collector who reads Chinese looks; a borrower who reads English is told why in English."""
    case, worker = _open_case(), make_collector()
    with translation.override("zh-hans"):
        reveal_number(case_id=case.pk, actor=worker.as_actor(), at=instant(FIRST_LATE))
    assert PersonalDataAccess.objects.get().purpose == "Calling about a late payment"
    privacy = reverse("accounts:privacy")
    client = signed_in(case.loan.borrower)
    assert "Calling about a late payment" in client.get(privacy).text
    chinese = client.get(privacy, headers={"accept-language": "zh-hans"}).text
    assert "Calling about a late payment" not in chinese


def test_who_comes_back_to_the_address_of_a_number_sees_the_case() -> None:
    case, worker = _open_case(), make_collector()
    url = reverse("admin:collections_number", args=[case.public_id])
    response = signed_in(worker).get(url)
    assert (response.status_code, response.headers["location"]) == (302, desk_url(case))
    assert PersonalDataAccess.objects.count() == 0
    assert signed_in(make_staff()).get(url).status_code == 403


def test_a_plan_stops_calls_except_the_one_that_was_asked_for() -> None:
    loan = late_loan()
    offer = asked(loan).offers.get(kind=OfferKind.DEFERRAL)
    accept_offer(
        offer_id=offer.pk,
        business_date=FIRST_LATE,
        actor=borrower_of(loan),
        at=instant(FIRST_LATE),
    )
    at = instant(FIRST_LATE, hour=5)
    assert judge_call(loan.borrower, at=at).rule == "CC-19"
    assert judge_call(loan.borrower, at=at, was_asked_for=True).allowed


# --- The desk -----------------------------------------------------------------------------


def test_the_queue_is_in_the_order_of_work() -> None:
    worker = make_collector()
    older = _open_case()
    newer_loan = funded_loan()
    set_day = FIRST_LATE
    Case.objects.filter(pk=older.pk).update(days_past_due=30)
    newer = ask_for_person(
        loan_id=newer_loan.pk,
        actor=borrower_of(newer_loan),
        business_date=set_day,
        at=instant(set_day),
    )
    assert list(Case.objects.to_work().in_order_of_work()) == [newer, older]
    assert next_case(worker=worker, business_date=set_day) == newer
    assert next_case(worker=worker, business_date=set_day, after=newer) == older
    page = signed_in(worker).get(reverse("admin:collections_app_case_changelist"))
    assert page.status_code == 200
    assert list(page.context["cl"].queryset) == [newer, older]


def test_a_collector_works_a_case_in_two_clicks() -> None:
    case, worker = _open_case(), make_collector()
    client = signed_in(worker)
    row_url = reverse("admin:collections_app_case_change", args=[case.pk])
    assert client.get(row_url).headers["location"] == desk_url(case)
    page = client.get(desk_url(case))
    borrower = case.loan.borrower
    assert borrower.phone not in page.text
    assert borrower.masked_contact in page.text
    assert "How to begin" in page.text
    assert PersonalDataAccess.objects.filter(subject=borrower, actor_user=worker).exists()
    response = client.post(
        desk_url(case),
        {"outcome": "WILL_PAY", "channel": "PHONE", "direction": "OUTBOUND", "and_next": "1"},
    )
    assert response.status_code == 302
    assert response.headers["location"] == reverse("admin:collections_next_case")
    assert ContactNote.objects.get().by == worker
    after = client.get(response.headers["location"])
    assert after.headers["location"] == reverse("admin:collections_app_case_changelist")
    assert "Will pay" in client.get(desk_url(case)).text


def test_the_timeline_never_shows_codes() -> None:
    case = _open_case()
    Message.objects.create(
        recipient=case.loan.borrower,
        address=case.loan.borrower.phone or "",
        channel="SMS",
        kind="login_code",
        purpose="AUTH",
        language="en",
        body="Your code is 123456.",
        created_at=instant(FIRST_LATE),
    )
    page = signed_in(make_collector()).get(desk_url(case))
    assert "123456" not in page.text
    assert "has been due for 1 day." in page.text


def test_the_desk_shows_the_borrowers_own_clock() -> None:
    case, worker = _open_case(), make_collector()
    case.loan.borrower.time_zone = "Asia/Tokyo"
    desk = case_desk(case, worker=worker, business_date=FIRST_LATE, at=instant(FIRST_LATE))
    assert desk.local_clock == "13:00"


def test_an_auditor_sees_everything_and_changes_nothing() -> None:
    case = _open_case()
    auditor = make_staff("collections_app.view_case", "loans.open_any_loan")
    client = signed_in(auditor)
    page = client.get(desk_url(case))
    assert page.status_code == 200
    assert "Note a contact" not in page.text
    note_form = {"outcome": "WILL_PAY", "channel": "PHONE", "direction": "OUTBOUND"}
    assert client.post(desk_url(case), note_form).status_code == 403
    number_url = reverse("admin:collections_number", args=[case.public_id])
    assert client.post(number_url).status_code == 403
    assert not ContactNote.objects.exists()


def test_other_staff_and_borrowers_see_nothing() -> None:
    case = _open_case()
    assert signed_in(make_staff()).get(desk_url(case)).status_code == 403
    assert signed_in(case.loan.borrower).get(desk_url(case)).status_code == 302


def test_a_collector_does_not_open_a_case_of_their_own() -> None:
    worker = make_collector()
    own = late_loan(borrower=worker)
    case = Case.objects.get(loan=own)
    assert signed_in(worker).get(desk_url(case)).status_code == 404
    assert next_case(worker=worker, business_date=FIRST_LATE) is None


def test_nobody_adds_changes_or_deletes_rows() -> None:
    case = _open_case()
    client = signed_in(make_collector())
    for name in ("case", "contactnote"):
        assert client.get(reverse(f"admin:collections_app_{name}_add")).status_code == 403
    delete_url = reverse("admin:collections_app_case_delete", args=[case.pk])
    assert client.post(delete_url, {"post": "yes"}).status_code == 403
    assert Case.objects.filter(pk=case.pk).exists()


def _open_case() -> Case:
    late_loan()
    return Case.objects.select_related("loan__borrower").get()
