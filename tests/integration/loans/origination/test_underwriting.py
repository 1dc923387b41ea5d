"""The underwriter's decisions, on real PostgreSQL."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Message, User
from loans.engine.lifecycle import ApplicationState
from loans.models import LoanApplication
from loans.models.application import DecisionReason
from loans.selectors.referrals import referral_case
from loans.services.applications import withdraw_application
from loans.services.underwriting import (
    CLAIM_LAPSES_AFTER,
    AlreadyDecidedError,
    Ruling,
    UnableToDecideError,
    claim_next_referral,
    claim_referral,
    decide_referral,
)
from tests.factories.accounts import NOON, TODAY, make_borrower, make_person
from tests.factories.loans import (
    approve,
    make_approved,
    make_referred,
    make_underwriter,
    open_shop,
)
from zhixin.shared.money import Money

yuan = Money.parse
MINUTE = datetime.timedelta(minutes=1)


def decide(application: LoanApplication, underwriter: User, **over: object) -> LoanApplication:
    ruling = {"amount": None, "reason": DecisionReason.INCOME_NOT_SHOWN, "note": "Nothing sent."}
    return decide_referral(
        application_id=application.pk,
        underwriter=underwriter,
        ruling=Ruling(**(ruling | over)),  # type: ignore[arg-type]  # Values of several types.
        business_date=TODAY,
        at=NOON,
    )


def undecided(application: LoanApplication) -> bool:
    application.refresh_from_db()
    return (
        application.state == ApplicationState.REFERRED
        and application.decided_by is None
        and application.approved_amount is None
        and application.status_changes.count() == 2
    )


def test_an_approval_takes_the_policys_rate(underwriter: User) -> None:
    application = approve(make_referred(), underwriter)
    assert application.state == ApplicationState.APPROVED
    assert application.approved_amount == yuan("10000")
    assert application.approved_rate == Decimal("0.155")
    assert (application.decided_by, application.decision_date) == (underwriter, TODAY)
    assert application.decision_reason == DecisionReason.FITS_BUDGET
    assert application.status_changes.latest("pk").actor_user == underwriter
    assert Message.objects.latest("pk").kind == "application_approved"


def test_a_smaller_offer_waits_for_the_borrower(underwriter: User) -> None:
    application = approve(make_referred(), underwriter, amount=yuan("6000"))
    assert application.approved_amount == yuan("6000")
    assert application.smaller_offer_waits


def test_a_decline_says_why_in_a_sentence(underwriter: User) -> None:
    application = decide(make_referred(), underwriter)
    assert application.state == ApplicationState.DECLINED
    assert application.get_decision_reason_display() == (
        "We could not see your income in the documents that you sent."
    )
    assert Message.objects.latest("pk").kind == "application_declined"


# --- Refusals: nothing changes ------------------------------------------------------------


def test_nobody_decides_on_their_own_application(shop: None) -> None:
    clerk = make_borrower(is_staff=True)
    clerk.user_permissions.set(make_underwriter().user_permissions.all())
    clerk = User.objects.get(pk=clerk.pk)
    application = make_referred(clerk)
    assert claim_next_referral(underwriter=clerk, at=NOON) is None
    with pytest.raises(UnableToDecideError):
        claim_referral(application_id=application.pk, underwriter=clerk, at=NOON)
    with pytest.raises(UnableToDecideError):
        approve(application, clerk)
    assert undecided(application)


def test_the_database_refuses_a_decision_on_ones_own_application(shop: None) -> None:
    application = make_referred()
    with (
        pytest.raises(IntegrityError, match="application_not_decided_by_borrower"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE loans_loanapplication SET decided_by_id = borrower_id,"
            " decision_reason = 'FITS_BUDGET' WHERE id = %s",
            [application.pk],
        )
    assert undecided(application)


def test_the_database_refuses_a_persons_decision_without_a_reason(underwriter: User) -> None:
    application = make_referred()
    with (
        pytest.raises(IntegrityError, match="application_person_gives_reason"),
        transaction.atomic(),
    ):
        LoanApplication.objects.filter(pk=application.pk).update(decided_by=underwriter)
    assert undecided(application)


def test_without_the_permission_nothing_goes(shop: None) -> None:
    application, clerk = make_referred(), make_person(is_staff=True)
    with pytest.raises(UnableToDecideError):
        claim_next_referral(underwriter=clerk, at=NOON)
    with pytest.raises(UnableToDecideError):
        approve(application, clerk)
    assert undecided(application)


@pytest.mark.parametrize(
    "over",
    [
        {"amount": "10000.01", "reason": DecisionReason.FITS_BUDGET},
        {"amount": "999.99", "reason": DecisionReason.FITS_BUDGET},
        {"amount": "5000", "reason": DecisionReason.INCOME_NOT_SHOWN},
        {"amount": None, "reason": DecisionReason.FITS_BUDGET},
    ],
)
def test_a_ruling_that_contradicts_itself_is_refused(underwriter: User, over: dict) -> None:
    application = make_referred()
    amount = None if over["amount"] is None else yuan(over["amount"])
    with pytest.raises(UnableToDecideError):
        decide(application, underwriter, **(over | {"amount": amount}))
    assert undecided(application)


def test_what_was_decided_meanwhile_says_so(underwriter: User) -> None:
    application = make_referred()
    approve(application, underwriter)
    with pytest.raises(AlreadyDecidedError, match="Approved"):
        decide(application, make_underwriter())
    application.refresh_from_db()
    assert application.state == ApplicationState.APPROVED


def test_what_was_withdrawn_meanwhile_says_so(underwriter: User) -> None:
    application = make_referred()
    claim_referral(application_id=application.pk, underwriter=underwriter, at=NOON)
    borrower = application.borrower
    withdraw_application(
        application_id=application.pk, borrower=borrower, at=NOON, actor=borrower.as_actor()
    )
    with pytest.raises(AlreadyDecidedError, match="Withdrawn"):
        approve(application, underwriter)


def test_an_approved_application_is_not_a_referral(underwriter: User) -> None:
    application = make_approved()
    with pytest.raises(AlreadyDecidedError):
        decide(application, underwriter)
    application.refresh_from_db()
    assert application.state == ApplicationState.APPROVED


# --- The queue ----------------------------------------------------------------------------


def test_the_oldest_comes_first_and_ones_own_case_before_it(underwriter: User) -> None:
    younger = make_referred(at=NOON + MINUTE)
    older = make_referred(at=NOON)
    assert claim_next_referral(underwriter=underwriter, at=NOON) == older
    colleague = make_underwriter()
    assert claim_next_referral(underwriter=colleague, at=NOON) == younger
    assert claim_next_referral(underwriter=make_underwriter(), at=NOON) is None
    assert claim_next_referral(underwriter=colleague, at=NOON + MINUTE) == younger


def test_a_colleagues_case_is_free_after_a_while(underwriter: User) -> None:
    application = make_referred()
    claim_referral(application_id=application.pk, underwriter=underwriter, at=NOON)
    colleague = make_underwriter()
    with pytest.raises(UnableToDecideError):
        approve(application, colleague)
    assert undecided(application)
    later = NOON + CLAIM_LAPSES_AFTER
    assert claim_next_referral(underwriter=colleague, at=later) == application
    assert approve(application, colleague, at=later).decided_by == colleague


@pytest.mark.django_db(transaction=True)
def test_people_who_ask_together_get_different_cases() -> None:
    open_shop()
    cases = {make_referred(at=NOON + MINUTE * number).pk for number in range(3)}
    staff = [make_underwriter() for _ in range(4)]

    def take(underwriter: User) -> int | None:
        try:
            application = claim_next_referral(underwriter=underwriter, at=NOON)
        finally:
            connection.close()
        return None if application is None else application.pk

    with ThreadPoolExecutor(max_workers=4) as pool:
        taken = list(pool.map(take, staff))
    found = [key for key in taken if key is not None]
    # A locked row is skipped, so somebody may come away with nothing; nobody shares a case.
    assert len(found) == len(set(found))
    assert set(found) <= cases
    assert found


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_are_one() -> None:
    open_shop()
    application = make_referred()
    staff = [make_underwriter(), make_underwriter()]

    def rule(underwriter: User) -> str:
        try:
            approve(application, underwriter)
        except AlreadyDecidedError:
            return "too late"
        finally:
            connection.close()
        return "decided"

    with ThreadPoolExecutor(max_workers=2) as pool:
        assert sorted(pool.map(rule, staff)) == ["decided", "too late"]
    assert application.status_changes.count() == 3


def test_the_case_shows_facts_with_their_evidence(shop: None) -> None:
    case = referral_case(make_referred().pk, on=TODAY)
    rows = {row.label: (row.value, str(row.evidence), row.is_firm) for row in case.facts}
    assert rows["Age"] == ("36", "ID number checked", True)
    assert rows["Income a month, as stated"] == ("¥8,000.00", "stated", False)
    assert rows["Income a month, by document"] == ("not known", "", False)
    assert rows["Owed to us"] == ("¥0.00", "our own books", True)
    # 916.80 at the list rate of 18 %, over 0.8 × 8,000.
    assert [f"{ratio.share:.4f}" for ratio in case.ratios] == ["0.1433", "0.2214"]
    assert not case.was_declined_by_machine
