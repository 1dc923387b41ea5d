"""Assessments on real PostgreSQL: kept, unchangeable, decided again with the same result."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q
from django.test import Client
from django.utils import translation

from accounts.models import PersonalDataAccess, User
from risk.engine.decision import Outcome, decide
from risk.engine.documents import fingerprint
from risk.engine.facts import ApplicantFacts, LoanRequest
from risk.engine.policy import Policy
from risk.engine.reasons import Effect, ReasonCode
from risk.engine.scorecard import SCORE_FEATURES, Scorecard
from risk.models import Assessment, PolicyVersion, ScorecardVersion
from risk.selectors import reasons as texts
from risk.selectors.assessments import assessment_sheet, explain_assessment, latest_assessment
from risk.selectors.policies import NoPolicyError, current_policy
from risk.services.assessments import assess
from risk.services.policies import UnableToLoadPoliciesError, load_policies
from tests.factories.accounts import make_person
from tests.factories.risk import (
    applicant,
    largest_installment,
    loan_request,
    policy_document,
    scorecard_document,
    yuan,
)
from zhixin.shared.actor import SYSTEM

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)

pytestmark = pytest.mark.django_db


@pytest.fixture
def policies() -> None:
    load_policies(actor=SYSTEM, at=AT)


def assessed(subject: User, **changes: Any) -> Assessment:
    request_changes = {
        key: changes.pop(key) for key in ("amount", "purpose_code") if key in changes
    }
    return assess(
        subject=subject,
        facts=applicant(**changes),
        request=loan_request(**request_changes),
        installment_for=largest_installment,
        on=TODAY,
        at=AT,
        actor=subject.as_actor(),
    )


def test_loading_twice_is_the_same_as_once() -> None:
    first = load_policies(actor=SYSTEM, at=AT)
    second = load_policies(actor=SYSTEM, at=AT)
    assert (first.created, first.unchanged) == (("expert-1", "cn-2026-01"), ())
    assert (second.created, second.unchanged) == ((), ("expert-1", "cn-2026-01"))
    stored = PolicyVersion.objects.get()
    assert stored.sha256 == fingerprint(policy_document()) == fingerprint(stored.document)
    assert ScorecardVersion.objects.get().sha256 == fingerprint(scorecard_document())


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_policies")
    call_command("load_policies")
    assert capsys.readouterr().out == (
        "Policies and scorecards: 2 created, 0 unchanged.\n"
        "Policies and scorecards: 0 created, 2 unchanged.\n"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": "changed"}, "cn-2026-01 is in the database with another content"),
        ({"surprise": 1}, "policy has unknown keys: 'surprise'"),
        ({"code": "cn-x", "scorecard": "missing"}, "names the card missing"),
        ({"code": "cn-x", "format": 1.5}, "1.5 must stand in quotation marks"),
    ],
)
@pytest.mark.usefixtures("policies")
def test_a_wrong_file_changes_nothing(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    good = policy_document() | {"code": "cn-good", "effective_from": "2027-01-01"}
    (tmp_path / "a.json").write_text(json.dumps(good))
    (tmp_path / "b.json").write_text(json.dumps(policy_document() | change))
    with pytest.raises(UnableToLoadPoliciesError) as refusal:
        load_policies(actor=SYSTEM, at=AT, policy_dir=tmp_path)
    assert message in str(refusal.value)
    assert list(PolicyVersion.objects.values_list("code", flat=True)) == ["cn-2026-01"]


@pytest.mark.usefixtures("policies")
def test_the_newest_policy_that_has_begun_is_in_force(tmp_path: Path) -> None:
    later = policy_document() | {"code": "cn-2026-12", "effective_from": "2026-12-01"}
    (tmp_path / "later.json").write_text(json.dumps(later))
    load_policies(actor=SYSTEM, at=AT, policy_dir=tmp_path)
    assert current_policy(date(2026, 11, 30)).code == "cn-2026-01"
    assert current_policy(date(2026, 12, 1)).code == "cn-2026-12"
    with pytest.raises(NoPolicyError):
        current_policy(date(2025, 12, 31))


def test_without_a_policy_nothing_is_decided() -> None:
    with pytest.raises(NoPolicyError):
        assessed(make_person())
    assert Assessment.objects.count() == 0


@pytest.mark.usefixtures("policies")
def test_an_assessment_keeps_what_led_to_it() -> None:
    person = make_person()
    kept = Assessment.objects.get(pk=assessed(person).pk)
    assert kept.outcome == Outcome.APPROVE
    assert (kept.approved_amount, kept.limit) == (yuan(12000), yuan(37300))
    assert str(kept.annual_rate) == "0.15500000"
    assert (kept.score, kept.grade) == (631, "B")
    assert (kept.policy.code, kept.scorecard.code) == ("cn-2026-01", "expert-1")
    assert (kept.actor_user, kept.decided_at, kept.decision_date) == (person, AT, TODAY)
    assert latest_assessment(person.pk) == kept


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    "changes",
    [{}, {"age": 17}, {"amount": yuan(50000)}, {"stated_income": None}, {"loans_paid_off": 2}],
)
def test_it_can_be_decided_again_from_what_is_stored(changes: dict[str, Any]) -> None:
    kept = Assessment.objects.get(pk=assessed(make_person(), **changes).pk)
    again = decide(
        facts=ApplicantFacts.from_json(kept.facts),
        request=LoanRequest.from_json(kept.request),
        policy=Policy.from_json(kept.policy.document),
        scorecard=Scorecard.from_json(kept.scorecard.document),
        installment_for=largest_installment,
    )
    assert again.to_json() == kept.decision


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    "table", ["risk_assessment", "risk_policyversion", "risk_scorecardversion"]
)
@pytest.mark.parametrize("statement", ["UPDATE {} SET actor_label = 'x'", "DELETE FROM {}"])
def test_raw_sql_cannot_change_what_was_kept(table: str, statement: str) -> None:
    assessed(make_person())
    with (
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(table))
    assert Assessment.objects.exclude(actor_label="x").count() == 1
    assert PolicyVersion.objects.exclude(actor_label="x").count() == 1
    assert ScorecardVersion.objects.exclude(actor_label="x").count() == 1


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"outcome": "MAYBE", "approved_amount": None}, "assessment_outcome_known"),
        ({"approved_amount": None}, "assessment_approval_has_offer_within_limit"),
        ({"approved_amount": yuan(37301)}, "assessment_approval_has_offer_within_limit"),
        ({"annual_rate": None}, "assessment_approval_has_offer_within_limit"),
        ({"outcome": "REFER"}, "assessment_approval_has_offer_within_limit"),
        ({"outcome": "DECLINE", "approved_amount": None}, "assessment_decline_has_no_limit"),
    ],
)
def test_the_database_ties_outcome_and_figures(change: dict[str, Any], constraint: str) -> None:
    good = assessed(make_person())
    row = {
        field.attname: getattr(good, field.attname)
        for field in Assessment._meta.concrete_fields
        if field.name not in {"id", "public_id"}
    }
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Assessment.objects.create(**row | change)
    assert Assessment.objects.count() == 1


@pytest.mark.usefixtures("policies")
def test_a_smaller_offer_is_explained_with_what_would_change_it() -> None:
    explained = explain_assessment(assessed(make_person(), amount=yuan(50000)))
    assert explained.is_smaller_offer
    assert explained.adverse == (
        (
            "The installment of ¥4,584.00 would be above half of your counted income, which is "
            "¥4,500.00."
        ),
        (
            "With your other debts, an installment of at most ¥4,450.00 would be safe; this one is "
            "¥4,584.00."
        ),
        (
            "After living costs, other debts and a small reserve you have ¥3,800.00 a month left; "
            "the installment would be ¥4,584.00."
        ),
        (
            "In a month with a tenth less income and a tenth higher costs you would have ¥3,420.00 "
            "left; the installment would be ¥4,584.00."
        ),
    )
    assert explained.changes == (
        "With ¥37,300.00 instead: yes.",
        "With 18 installments instead: yes, but it costs more in all.",
    )


@pytest.mark.usefixtures("policies")
def test_an_approval_says_what_helped_and_what_held_back() -> None:
    explained = explain_assessment(assessed(make_person()))
    assert explained.helpful == (
        "Your grade takes 2.5 percentage points off the rate.",
        "The installment fits your budget with room to spare, even in a bad month.",
        "Other debts take only 5.6% of your counted income.",
    )
    assert explained.adverse == (
        "Loans that you have repaid to us so far: 0; more count for more.",
        "The installment would take 12.2% of your counted income; less counts for more.",
        "You have had your present work for 48 months; longer counts for more.",
    )
    assert explained.changes == ()


@pytest.mark.usefixtures("policies")
def test_a_refused_purpose_names_its_lesson_and_an_unknown_fact_its_name() -> None:
    refused = explain_assessment(assessed(make_person(), purpose_code="SHARES"))
    assert refused.outcome is Outcome.DECLINE
    assert refused.lesson_slugs == ("borrow-for-what",)
    unknown = explain_assessment(assessed(make_person(), housing_cost=None, age=None))
    assert unknown.adverse == ("We do not know: your age, what your home costs.",)


def test_every_code_has_its_words() -> None:
    helpful_only = {ReasonCode.DISCOUNT_FOR_GRADE, ReasonCode.AFFORDABLE_WITH_ROOM}
    assert set(texts.ADVERSE) == set(ReasonCode) - helpful_only
    assert set(texts.HELPFUL) == helpful_only | set(SCORE_FEATURES.values())
    assert set(texts.FEATURE_LABELS) == set(SCORE_FEATURES)
    figures = dict.fromkeys(
        ("maximum", "minimum", "installment", "debt", "open_principal", "cost", "discount"), "1"
    )
    figures |= {"value": "1", "days": "1", "number": "1", "term": "1", "facts": "age"}
    for code in texts.ADVERSE:
        assert texts.sentence(code, Effect.ADVERSE, figures).endswith(".")
    for code in texts.HELPFUL:
        assert texts.sentence(code, Effect.HELPFUL, figures).endswith(".")


@pytest.mark.usefixtures("policies")
def test_the_sheet_has_every_rule_point_and_sum() -> None:
    sheet = assessment_sheet(assessed(make_person()))
    assert (len(sheet.rule_rows), len(sheet.score_rows), len(sheet.amount_rows)) == (27, 10, 9)
    assert sheet.score_base + sum(row.points for row in sheet.score_rows) == 631


@pytest.mark.usefixtures("policies")
def test_staff_read_a_decision_in_the_admin_and_the_look_is_recorded(client: Client) -> None:
    person, staff = make_person(), make_person(is_staff=True)
    wanted = Q(content_type__app_label="risk") | Q(codename="open_any_loan")
    staff.user_permissions.set(Permission.objects.filter(wanted))
    made = assessed(person)
    client.force_login(staff)
    with translation.override("en"):
        page = client.get(f"/admin/risk/assessment/{made.pk}/change/")
        listed = client.get("/admin/risk/assessment/")
        policy = client.get(f"/admin/risk/policyversion/{made.policy_id}/change/")
        card = client.get(f"/admin/risk/scorecardversion/{made.scorecard_id}/change/")
    assert [each.status_code for each in (page, listed, policy, card)] == [200, 200, 200, 200]
    text = page.content.decode()
    assert "Other debts take only 5.6% of your counted income." in text
    assert "0.90 × 9000.00 − 1.10 × 3800.00 − 500.00" in text
    assert "Notice of NFRA 2025 No. 9" in policy.content.decode()
    assert "debt_ratio" not in card.content.decode()
    assert PersonalDataAccess.objects.get(subject=person).actor_user == staff
    refused = client.post(f"/admin/risk/assessment/{made.pk}/change/", {"grade": "A"})
    assert refused.status_code == 403
    assert Assessment.objects.get().grade == "B"
