"""The profile step by step, proofs of income, and who may read what."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.engine.consent import ConsentPurpose
from accounts.engine.finances import Employment
from accounts.models import BorrowerProfile, Consent, IncomeProof, PersonalDataAccess, User
from accounts.selectors.consents import has_consent
from accounts.selectors.profiles import (
    IncompleteProfileError,
    bank_account,
    financial_facts,
    profile_completeness,
)
from accounts.services import income_proofs, profiles
from tests.factories.accounts import (
    CARD_NUMBER,
    NOON,
    TODAY,
    grant,
    make_borrower,
    make_id_number,
    make_person,
    profile_of,
)
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\nA payslip."


def step_url(step: str) -> str:
    return reverse("accounts:profile_step", args=[step])


def upload(user: User, content: bytes = PDF, name: str = "payslip.pdf") -> IncomeProof:
    client = Client()
    client.force_login(user)
    answer = client.post(
        step_url("income-proof"),
        {
            "kind": "PAYSLIP",
            "stated_monthly_amount": "8,000.00",
            "document": SimpleUploadedFile(name, content),
            "consent": "on",
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    return IncomeProof.objects.get()


def test_all_steps_one_after_the_other(client: Client) -> None:
    user = make_person()
    client.force_login(user)
    number = make_id_number()
    answers: list[tuple[str, dict[str, object]]] = [
        ("identity", {"full_name": " 李  小华 ", "id_number": number, "consent": "on"}),
        (
            "work",
            {"employment": "EMPLOYED", "employer": "明天科技", "employed_since": "2021-03"},
        ),
        ("money-in", {"monthly_income": "8,000.00", "other_income": ""}),
        (
            "money-out",
            {
                "housing_cost": "1800",
                "living_costs": "2000",
                "debt_payments": "500",
                "debt_total": "6000",
                "adults": "2",
                "children": "1",
            },
        ),
        (
            "bank-account",
            {"bank_code": "ICBC", "card_number": "6222 0200 0000 0000 000", "consent": "on"},
        ),
    ]
    following = [step for step, _ in answers[1:]] + ["income-proof"]
    for (step, data), after in zip(answers, following, strict=True):
        assert client.get(step_url(step)).status_code == 200
        answer = client.post(step_url(step), data)
        assert (answer.status_code, answer["Location"]) == (302, step_url(after))
    assert client.get(step_url("income-proof")).status_code == 200
    profile = profile_of(user)
    assert profile.full_name == "李 小华"
    assert profile.id_number == number
    assert profile.birth_date == date(1990, 1, 1)
    assert profile.monthly_income == Money(800_000)
    assert profile.bank_card_number == CARD_NUMBER
    assert profile_completeness(user) == ()
    facts = financial_facts(user, as_of=TODAY)
    assert (facts.age, facts.months_employed) == (36, 63)
    assert facts.employment is Employment.EMPLOYED
    assert facts.stated_income == Money(800_000)
    assert facts.evidenced_income is None
    assert facts.housing_cost + facts.living_costs + facts.debt_payments == Money(430_000)
    assert (facts.adults, facts.children) == (2, 1)
    account = bank_account(user)
    assert account is not None
    assert account.holder_name == "李 小华"
    assert CARD_NUMBER not in repr(account)
    page = client.get(reverse("accounts:profile")).content.decode()
    assert number not in page
    assert CARD_NUMBER not in page
    assert "···· 0000" in page
    assert f"3301**********{number[-4:]}" in page


@pytest.mark.parametrize(
    ("id_number", "words"),
    [
        ("33010619900101", "18 characters"),
        ("330106199001010019", "swapped"),
        (make_id_number(birth_date=date(2015, 5, 5)), "18 years"),
    ],
)
def test_a_bad_id_number_is_explained_and_nothing_is_saved(
    client: Client, id_number: str, words: str
) -> None:
    client.force_login(make_person())
    page = client.post(
        step_url("identity"), {"full_name": "李小华", "id_number": id_number, "consent": "on"}
    )
    assert page.status_code == 422
    assert words in page.content.decode()
    assert 'value="李小华"' in page.content.decode()
    assert not BorrowerProfile.objects.filter(birth_date__isnull=False).exists()
    assert not Consent.objects.exists()


def test_without_consent_nothing_is_saved(client: Client) -> None:
    client.force_login(make_person())
    page = client.post(step_url("identity"), {"full_name": "李小华", "id_number": make_id_number()})
    assert page.status_code == 422
    assert "Without it we cannot decide" in page.content.decode()
    assert not BorrowerProfile.objects.exists()


def test_one_id_number_serves_one_account(client: Client) -> None:
    number = make_id_number()
    make_borrower(id_number=number)
    second = make_person()
    client.force_login(second)
    page = client.post(
        step_url("identity"), {"full_name": "王小明", "id_number": number, "consent": "on"}
    )
    assert page.status_code == 422
    assert "belongs to another account" in page.content.decode()
    assert not Consent.objects.filter(user=second).exists()


def test_an_identity_is_not_changed_by_its_owner(client: Client) -> None:
    user = make_borrower()
    before = profile_of(user).id_number
    client.force_login(user)
    client.post(
        step_url("identity"),
        {"full_name": "王小明", "id_number": make_id_number(), "consent": "on"},
    )
    assert (profile_of(user).full_name, profile_of(user).id_number) == ("李小华", before)
    with pytest.raises(profiles.UnableToSaveIdentityError):
        profiles.save_identity(
            user=user,
            full_name="王小明",
            id_number=make_id_number(),
            actor=user.as_actor(),
            at=NOON,
            today=TODAY,
        )
    assert profile_of(user).id_number == before


def test_work_asks_only_those_who_work(client: Client) -> None:
    user = make_person()
    client.force_login(user)
    page = client.post(step_url("work"), {"employment": "GIG"})
    assert page.status_code == 422
    answer = client.post(step_url("work"), {"employment": "RETIRED", "employer": "x"})
    assert answer.status_code == 302
    assert (profile_of(user).employment, profile_of(user).employer) == ("RETIRED", "")
    future = client.post(
        step_url("work"),
        {"employment": "EMPLOYED", "employer": "x", "employed_since": "2199-01"},
    )
    assert future.status_code == 422
    assert profile_of(user).employment == "RETIRED"


def test_a_wrong_card_number_is_refused(client: Client) -> None:
    user = make_person()
    client.force_login(user)
    page = client.post(
        step_url("bank-account"),
        {"bank_code": "ICBC", "card_number": "6222020000000000001", "consent": "on"},
    )
    assert page.status_code == 422
    assert not BorrowerProfile.objects.exists()


def test_facts_need_a_complete_profile() -> None:
    user = make_person()
    with pytest.raises(IncompleteProfileError) as caught:
        financial_facts(user, as_of=TODAY)
    assert caught.value.missing == (
        "identity",
        "work",
        "money-in",
        "money-out",
        "bank-account",
    )


def test_an_unknown_step_is_not_found(client: Client) -> None:
    client.force_login(make_person())
    assert client.get(step_url("shoe-size")).status_code == 404


def test_a_proof_is_stored_privately_under_a_random_name() -> None:
    proof = upload(make_person(), name="../../../etc/李小华.pdf")
    assert proof.stated_monthly_amount == Money(800_000)
    assert proof.document.name.startswith("income_proofs/")
    assert len(proof.document.name) == len("income_proofs/.pdf") + 32
    assert "李" not in proof.document.name
    assert oct(Path(proof.document.path).stat().st_mode & 0o777) == "0o600"
    assert has_consent(user=proof.user, purpose=ConsentPurpose.INCOME_PROOF) is True


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<script>alert(1)</script>", "payslip.pdf"),
        (b"MZ\x90\x00", "payslip.jpg"),
        (PDF + b"x" * 2000, "large.pdf"),
    ],
)
def test_other_files_are_refused(
    client: Client, settings: Settings, content: bytes, name: str
) -> None:
    settings.INCOME_PROOF_MAX_BYTES = 1000
    client.force_login(make_person())
    page = client.post(
        step_url("income-proof"),
        {
            "kind": "PAYSLIP",
            "stated_monthly_amount": "8000",
            "document": SimpleUploadedFile(name, content),
            "consent": "on",
        },
    )
    assert page.status_code == 422
    assert not IncomeProof.objects.exists()
    assert not Consent.objects.exists()


def test_a_proof_is_read_by_owner_and_permitted_staff_only() -> None:
    proof = upload(make_person())
    url = reverse("accounts:income_proof", args=[proof.public_id])
    stranger = make_person()
    colleague = make_person(is_staff=True)
    underwriter = make_person(is_staff=True)
    grant(underwriter, "accounts.view_incomeproof")
    grant(underwriter, "accounts.verify_incomeproof")
    reader = make_person(is_staff=True)
    grant(reader, "accounts.view_incomeproof")
    missing = url.replace(str(proof.public_id), "00000000-0000-4000-8000-000000000000")
    statuses = {}
    for person in (stranger, colleague, reader, underwriter, proof.user):
        client = Client()
        client.force_login(person)
        answer = client.get(url)
        statuses[person.pk] = answer.status_code
        if answer.status_code == 200:
            assert b"".join(answer.streaming_content) == PDF
            assert answer["X-Content-Type-Options"] == "nosniff"
        assert client.get(missing).status_code == 404
    assert statuses == {
        stranger.pk: 404,
        colleague.pk: 404,
        reader.pk: 404,
        underwriter.pk: 200,
        proof.user.pk: 200,
    }
    assert Client().get(url).status_code == 302
    look = PersonalDataAccess.objects.get()
    assert (look.subject, look.actor_user) == (proof.user, underwriter)
    assert look.fields == ["income_proof"]


def test_income_is_verified_once_and_never_by_its_owner() -> None:
    proof = upload(make_borrower())
    underwriter = make_person(is_staff=True)
    with pytest.raises(income_proofs.UnableToDecideIncomeProofError):
        income_proofs.verify_income(
            proof=proof, verified_income=Money(1), actor=proof.user, at=NOON
        )
    income_proofs.verify_income(
        proof=proof, verified_income=Money(750_000), actor=underwriter, at=NOON
    )
    with pytest.raises(income_proofs.UnableToDecideIncomeProofError):
        income_proofs.reject_income_proof(
            proof=proof, reason="unreadable", actor=underwriter, at=NOON
        )
    proof.refresh_from_db()
    assert (proof.verified_income, proof.rejected_reason) == (Money(750_000), "")
    assert (proof.decided_by, proof.decided_at) == (underwriter, NOON)
    assert financial_facts(proof.user, as_of=TODAY).evidenced_income == Money(750_000)


def test_privacy_shows_answers_and_looks_and_takes_both_answers(client: Client) -> None:
    user = make_borrower()
    client.force_login(user)
    page = client.get(reverse("accounts:privacy")).content.decode()
    assert "Nobody but you so far." in page
    url = reverse("accounts:answer_consent", args=["SERVICE_SMS"])
    assert has_consent(user=user, purpose=ConsentPurpose.SERVICE_SMS) is True
    assert client.get(url).status_code == 405
    client.post(url, {"answer": "no"})
    assert has_consent(user=user, purpose=ConsentPurpose.SERVICE_SMS) is False
    client.post(url, {"answer": "yes"})
    assert has_consent(user=user, purpose=ConsentPurpose.SERVICE_SMS) is True
    assert has_consent(user=user, purpose=ConsentPurpose.MARKETING) is False


def test_taking_back_the_bank_account_deletes_it(client: Client) -> None:
    user = make_borrower()
    client.force_login(user)
    client.post(reverse("accounts:answer_consent", args=["BANK_ACCOUNT"]), {"answer": "no"})
    assert bank_account(user) is None
    assert profile_of(user).bank_card_number == ""
    assert profile_completeness(user) == ("bank-account",)


def test_language_and_clock_of_messages(client: Client) -> None:
    user = make_person()
    client.force_login(user)
    url = reverse("accounts:contact_settings")
    client.post(url, {"language": "zh-hans", "time_zone": "Asia/Tokyo"})
    user.refresh_from_db()
    assert (user.language, user.time_zone) == ("zh-hans", "Asia/Tokyo")
    assert client.post(url, {"language": "tlh", "time_zone": "Moon"}).status_code == 422
