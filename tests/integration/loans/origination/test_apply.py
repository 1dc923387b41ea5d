"""From a request to a decision, on real PostgreSQL."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.engine.consent import ConsentPurpose
from accounts.engine.finances import Employment
from accounts.models import BorrowerProfile, Message, User
from accounts.selectors.profiles import IncompleteProfileError
from accounts.services.consents import record_consent
from loans.engine.lifecycle import ApplicationState
from loans.models import ApplicationStatusChange, LoanApplication, Merchant, Product
from loans.models.application import DecisionReason
from loans.selectors.applications import applicant_facts, application_cards, review_due_date
from loans.selectors.products import calculator_rate, list_rate, offered_versions
from loans.services.applications import (
    OFFER_VALID_DAYS,
    ApplicationAlreadyOpenError,
    PurposeRefusedError,
    UnableToApplyError,
    UnableToChangeApplicationError,
    ask_for_review,
    choose_amount,
    withdraw_application,
)
from loans.services.products import load_catalog
from loans.services.underwriting import Ruling, decide_referral
from risk.models import Assessment
from tests.factories.accounts import NOON, TODAY, make_borrower
from tests.factories.funded import funded_loan
from tests.factories.loans import (
    approve,
    asked,
    make_approved,
    make_referred,
    make_underwriter,
    open_shop,
    submit,
)
from zhixin.shared.money import Money

yuan = Money.parse


def nothing_stored() -> bool:
    return not (
        LoanApplication.objects.exists()
        or Assessment.objects.exists()
        or ApplicationStatusChange.objects.exists()
        or Message.objects.exists()
    )


def changes_of(application: LoanApplication) -> list[tuple[str, str]]:
    rows = application.status_changes.order_by("pk")
    return [(row.from_state, row.to_state) for row in rows]


# --- The catalog --------------------------------------------------------------------------


def test_the_catalog_loads_once_and_leaves_changes_alone(shop: None) -> None:
    Product.objects.filter(code="travel").update(name_en="Journeys", active=False)
    again = load_catalog()
    assert (again.products, again.versions, again.merchants) == (0, 0, 0)
    assert Product.objects.get(code="travel").name_en == "Journeys"
    assert [version.product.code for version in offered_versions(on=TODAY)] == [
        "personal",
        "shopping",
        "medical",
        "education",
    ]


def test_nothing_is_offered_before_its_date(shop: None) -> None:
    assert offered_versions(on=datetime.date(2025, 12, 31)) == []


def test_the_list_rate_is_the_policys(shop: None) -> None:
    assert list_rate("personal", on=TODAY) == Decimal("0.1800")
    assert calculator_rate(on=TODAY) == Decimal("0.1800")
    assert list_rate("shopping", on=TODAY) == Decimal("0.1440")


# --- Decisions ----------------------------------------------------------------------------


def test_a_request_that_fits_is_approved_at_once(borrower: User) -> None:
    application = submit(borrower)
    assert application.state == ApplicationState.APPROVED
    assert application.approved_amount == yuan("10000")
    assert application.approved_rate == Decimal("0.1550")
    assert application.contract_amount == yuan("10000")
    assert not application.smaller_offer_waits
    assert (application.decided_at, application.decision_date) == (NOON, TODAY)
    assert changes_of(application) == [("DRAFT", "SUBMITTED"), ("SUBMITTED", "APPROVED")]
    assert Message.objects.get().kind == "application_approved"


def test_more_than_fits_becomes_a_smaller_offer(borrower: User) -> None:
    application = submit(borrower, asked(amount="20000"))
    assert application.state == ApplicationState.APPROVED
    assert application.approved_amount == yuan("11700")
    assert application.smaller_offer_waits


def test_an_unclear_purpose_goes_to_a_person(borrower: User) -> None:
    application = submit(borrower, asked(purpose="OTHER"))
    assert application.state == ApplicationState.REFERRED
    assert application.approved_amount is None
    assert application.decided_at is None
    assert changes_of(application)[-1] == ("SUBMITTED", "REFERRED")
    assert Message.objects.get().kind == "application_referred"


@pytest.mark.parametrize("words", ["炒股", "帮我还其他贷款", "buy stock"])
def test_screened_words_go_to_a_person(borrower: User, words: str) -> None:
    assert submit(borrower, asked(words=words)).state == ApplicationState.REFERRED


def test_a_student_is_declined_with_the_reason(shop: None) -> None:
    application = submit(make_student())
    assert application.state == ApplicationState.DECLINED
    assert application.approved_amount is None
    assert Message.objects.get().kind == "application_declined"


def make_student() -> User:
    return make_borrower(employment=Employment.STUDENT)


def test_a_scenario_loan_names_its_merchant(borrower: User) -> None:
    merchant = Merchant.objects.filter(scenario="SHOPPING").first()
    assert merchant is not None
    application = submit(
        borrower,
        asked(product="shopping", amount="5000", purpose="SHOPPING", merchant=merchant),
    )
    assert application.state == ApplicationState.APPROVED
    assert application.merchant == merchant


def test_the_facts_hold_what_the_person_owes_us(shop: None) -> None:
    loan = funded_loan(borrower=make_borrower())
    facts = applicant_facts(loan.borrower, as_of=TODAY)
    assert facts.open_principal == yuan("12000")
    assert facts.open_loan_count == 1
    # 500.00 to others, and 1,066.19 a month on 12,000 at 12 % over 12 months.
    assert facts.debt_payments == yuan("1566.19")
    assert facts.worst_days_past_due_now == 0
    assert facts.loans_paid_off == 0
    # The signed application of the loan counts; the one that is being sent does not yet.
    assert facts.applications_30d == 1


def test_the_first_application_does_not_count_itself(borrower: User) -> None:
    application = submit(borrower)
    assert application.assessment is not None
    assert application.assessment.facts["applications_30d"] == 0


# --- Refusals: nothing is stored ----------------------------------------------------------


@pytest.mark.parametrize("purpose", ["SHARES", "HOUSE_PURCHASE", "INVESTMENT", "GAMBLING"])
def test_a_prohibited_purpose_is_refused_with_its_lesson(borrower: User, purpose: str) -> None:
    with pytest.raises(PurposeRefusedError) as refusal:
        submit(borrower, asked(purpose=purpose))
    assert refusal.value.lesson_slug == "borrow-for-what"
    assert nothing_stored()


@pytest.mark.parametrize(
    "request_over",
    [
        {"amount": "999.99"},
        {"amount": "200000.01"},
        {"months": 13},
        {"method": "BULLET"},
        {"product": "yacht"},
        {"product": "shopping", "purpose": "SHOPPING"},
    ],
)
def test_what_is_not_offered_is_refused(borrower: User, request_over: dict) -> None:
    with pytest.raises(UnableToApplyError):
        submit(borrower, asked(**request_over))
    assert nothing_stored()


def test_a_merchant_of_another_scenario_is_refused(borrower: User) -> None:
    dentist = Merchant.objects.filter(scenario="MEDICAL").first()
    with pytest.raises(UnableToApplyError):
        submit(borrower, asked(product="shopping", purpose="SHOPPING", merchant=dentist))
    assert nothing_stored()


def test_without_consent_nothing_is_decided(borrower: User) -> None:
    record_consent(
        user=borrower,
        purpose=ConsentPurpose.CREDIT_DECISION,
        granted=False,
        actor=borrower.as_actor(),
        at=NOON + datetime.timedelta(minutes=1),
    )
    with pytest.raises(UnableToApplyError):
        submit(borrower)
    assert nothing_stored()


def test_an_incomplete_profile_is_refused(borrower: User) -> None:
    BorrowerProfile.objects.filter(user=borrower).update(monthly_income=None)
    with pytest.raises(IncompleteProfileError):
        submit(borrower)
    assert nothing_stored()


def test_a_second_open_application_is_refused_and_led_to_the_first(borrower: User) -> None:
    first = submit(borrower)
    with pytest.raises(ApplicationAlreadyOpenError) as refusal:
        submit(borrower, asked(amount="5000"))
    assert refusal.value.application == first
    assert LoanApplication.objects.count() == 1
    assert Assessment.objects.count() == 1


def test_the_database_refuses_a_second_open_application(borrower: User) -> None:
    first = submit(borrower)
    with pytest.raises(IntegrityError, match="application_open_once"), transaction.atomic():
        LoanApplication.objects.create(
            borrower=borrower,
            request_key="another",
            product_version=first.product_version,
            amount=yuan("5000"),
            installment_count=12,
            method="EQUAL_INSTALLMENT",
            purpose_code="DAILY_NEEDS",
            state=ApplicationState.REFERRED,
            business_date=TODAY,
            created_at=NOON,
        )


def test_a_declined_application_does_not_stand_in_the_way(shop: None) -> None:
    person = make_student()
    submit(person)
    submit(person, asked(amount="2000"))
    assert LoanApplication.objects.filter(borrower=person).count() == 2


# --- Once, however often it is sent -------------------------------------------------------


def test_the_same_form_twice_is_one_application(borrower: User) -> None:
    first = submit(borrower, key="form-1")
    again = submit(borrower, asked(amount="5000"), key="form-1")
    assert again == first
    assert again.amount == yuan("10000")
    assert Assessment.objects.count() == 1
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_threads_that_send_one_form_make_one_application() -> None:
    open_shop()
    borrower = make_borrower()

    def send(_number: int) -> int:
        try:
            return submit(borrower, key="form-1").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        keys = set(pool.map(send, range(4)))
    assert len(keys) == 1
    assert LoanApplication.objects.count() == 1
    assert Assessment.objects.count() == 1
    assert ApplicationStatusChange.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_threads_with_two_forms_open_one_application() -> None:
    open_shop()
    borrower = make_borrower()

    def send(number: int) -> str:
        try:
            submit(borrower, key=f"form-{number}")
        except ApplicationAlreadyOpenError:
            return "refused"
        finally:
            connection.close()
        return "made"

    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = sorted(pool.map(send, range(4)))
    assert answers == ["made", "refused", "refused", "refused"]
    assert LoanApplication.objects.count() == 1


# --- A person, less, never mind -----------------------------------------------------------


def review(application: LoanApplication) -> LoanApplication:
    borrower = application.borrower
    return ask_for_review(
        application_id=application.pk, borrower=borrower, at=NOON, actor=borrower.as_actor()
    )


def test_a_machines_decline_comes_before_a_person_once(shop: None) -> None:
    declined = submit(make_student())
    referred = review(declined)
    assert referred.state == ApplicationState.REFERRED
    assert referred.decided_at is None
    assert changes_of(referred)[-1] == ("DECLINED", "REFERRED")
    assert review(declined).state == ApplicationState.REFERRED
    assert len(changes_of(referred)) == 3
    assert review_due_date(referred) == datetime.date(2026, 6, 18)


def test_what_a_person_has_declined_is_not_looked_at_again(shop: None) -> None:
    application = submit(make_student())
    review(application)
    decline(application)
    with pytest.raises(UnableToChangeApplicationError):
        review(application)
    application.refresh_from_db()
    assert application.state == ApplicationState.DECLINED


def decline(application: LoanApplication) -> None:
    decide_referral(
        application_id=application.pk,
        underwriter=make_underwriter(),
        ruling=Ruling(amount=None, reason=DecisionReason.INCOME_NOT_SHOWN, note="No income."),
        business_date=TODAY,
        at=NOON,
    )


def test_the_database_lets_an_application_be_reviewed_once(shop: None) -> None:
    application = submit(make_student())
    review(application)
    with pytest.raises(IntegrityError, match="application_reviewed_once"), transaction.atomic():
        ApplicationStatusChange.objects.create(
            application=application,
            from_state="DECLINED",
            to_state="REFERRED",
            actor_label="again",
            recorded_at=NOON,
        )


def test_an_approval_needs_no_review(borrower: User) -> None:
    application = submit(borrower)
    with pytest.raises(UnableToChangeApplicationError):
        review(application)
    application.refresh_from_db()
    assert application.state == ApplicationState.APPROVED


def take(application: LoanApplication, amount: str, on: datetime.date = TODAY) -> LoanApplication:
    return choose_amount(
        application_id=application.pk,
        borrower=application.borrower,
        amount=yuan(amount),
        business_date=on,
    )


def test_one_may_take_less(shop: None) -> None:
    application = take(make_approved(), "6000")
    assert application.contract_amount == yuan("6000")
    assert application.approved_amount == yuan("10000")


def test_accepting_the_smaller_offer(borrower: User) -> None:
    application = submit(borrower, asked(amount="20000"))
    assert not take(application, "11700").smaller_offer_waits


@pytest.mark.parametrize("amount", ["10000.01", "999.99", "0.01"])
def test_more_than_the_offer_or_too_little_is_refused(shop: None, amount: str) -> None:
    application = make_approved()
    with pytest.raises(UnableToChangeApplicationError):
        take(application, amount)
    application.refresh_from_db()
    assert application.chosen_amount is None


def test_the_database_refuses_a_choice_above_the_offer(shop: None) -> None:
    application = make_approved()
    with (
        pytest.raises(IntegrityError, match="application_choice_within_offer"),
        transaction.atomic(),
    ):
        LoanApplication.objects.filter(pk=application.pk).update(chosen_amount=yuan("10000.01"))


def test_an_offer_lapses_and_makes_room(borrower: User) -> None:
    application = submit(borrower)
    last = TODAY + datetime.timedelta(days=OFFER_VALID_DAYS)
    assert take(application, "10000", on=last).chosen_amount == yuan("10000")
    late = last + datetime.timedelta(days=1)
    with pytest.raises(UnableToChangeApplicationError):
        take(application, "9000", on=late)
    submit(borrower, on=late)
    application.refresh_from_db()
    assert application.state == ApplicationState.EXPIRED


def test_withdrawing_twice_is_once(borrower: User) -> None:
    application = submit(borrower)
    for _ in range(2):
        withdrawn = withdraw_application(
            application_id=application.pk, borrower=borrower, at=NOON, actor=borrower.as_actor()
        )
        assert withdrawn.state == ApplicationState.WITHDRAWN
    assert changes_of(application)[-1] == ("APPROVED", "WITHDRAWN")
    assert len(changes_of(application)) == 3
    assert application_cards(borrower, on=TODAY) == []


def test_a_declined_application_cannot_be_withdrawn(shop: None) -> None:
    application = submit(make_student())
    with pytest.raises(UnableToChangeApplicationError):
        withdraw_application(
            application_id=application.pk,
            borrower=application.borrower,
            at=NOON,
            actor=application.borrower.as_actor(),
        )
    application.refresh_from_db()
    assert application.state == ApplicationState.DECLINED


def test_nobody_touches_somebody_elses_application(shop: None) -> None:
    application, stranger = make_approved(), make_borrower()
    for act in (
        lambda: choose_amount(
            application_id=application.pk,
            borrower=stranger,
            amount=yuan("5000"),
            business_date=TODAY,
        ),
        lambda: withdraw_application(
            application_id=application.pk, borrower=stranger, at=NOON, actor=stranger.as_actor()
        ),
        lambda: ask_for_review(
            application_id=application.pk, borrower=stranger, at=NOON, actor=stranger.as_actor()
        ),
    ):
        with pytest.raises(LoanApplication.DoesNotExist):
            act()
    application.refresh_from_db()
    assert (application.state, application.chosen_amount) == (ApplicationState.APPROVED, None)


def test_a_person_may_approve_what_was_referred(shop: None) -> None:
    application = make_referred()
    approve(application, make_underwriter())
    application.refresh_from_db()
    assert application.state == ApplicationState.APPROVED
    kinds = Message.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["application_referred", "application_approved"]
