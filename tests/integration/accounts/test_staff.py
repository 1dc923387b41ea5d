"""Roles, the admin, the developer's outbox."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.engine.contact_rules import HoldReason
from accounts.models import (
    BorrowerProfile,
    IncomeProof,
    IncomeProofKind,
    PersonalDataAccess,
    User,
)
from accounts.services import holds, income_proofs
from accounts.services.messages import queue_message
from tests.factories.accounts import NOON, grant, make_borrower, make_person, profile_of
from zhixin.shared.actor import SYSTEM
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db


def staff_with(*permissions: str) -> Client:
    user = make_person(is_staff=True)
    for permission in permissions:
        grant(user, permission)
    client = Client()
    client.force_login(user)
    return client


def staff_in(role: str) -> Client:
    call_command("sync_roles", stdout=StringIO(), stderr=StringIO())
    user = make_person(is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def proof_of(user: User) -> IncomeProof:
    return income_proofs.upload_income_proof(
        user=user,
        kind=IncomeProofKind.PAYSLIP,
        stated_monthly_amount=Money(800_000),
        document=ContentFile(b"%PDF-1.7"),
        size=8,
        actor=user.as_actor(),
        at=NOON,
    )


def test_sync_roles_sets_exactly_what_the_code_names_and_names_what_is_missing() -> None:
    out, err = StringIO(), StringIO()
    group = Group.objects.create(name="Auditor")
    call_command("sync_roles", stdout=out, stderr=err)
    auditor = set(group.permissions.values_list("codename", flat=True))
    assert {"view_user", "view_message", "view_incomeproof", "view_consent"} <= auditor
    reads = {"open_any_loan"}  # Opens the desk; correcting needs permissions of its own.
    assert all(codename.startswith("view_") for codename in auditor - reads)
    call_command("sync_roles", stdout=StringIO(), stderr=StringIO())
    assert set(group.permissions.values_list("codename", flat=True)) == auditor
    assert set(Group.objects.values_list("name", flat=True)) == {
        "Underwriter",
        "Collector",
        "Content editor",
        "Auditor",
        "Servicer",
        "Servicing lead",
    }
    assert "Auditor" in out.getvalue()


def test_a_profile_is_masked_and_the_look_is_recorded() -> None:
    user = make_borrower()
    profile = profile_of(user)
    client = staff_in("Auditor")
    url = reverse("admin:accounts_borrowerprofile_change", args=[profile.pk])
    page = client.get(url)
    assert page.status_code == 200
    text = page.content.decode()
    assert profile.masked_id_number in text
    assert profile.id_number not in text
    assert profile.bank_card_number not in text
    look = PersonalDataAccess.objects.get()
    assert (look.subject, look.purpose) == (user, "Working on the profile")
    client.force_login(user)
    assert "Working on the profile" in client.get(reverse("accounts:privacy")).content.decode()


def test_the_auditor_reads_everything_and_changes_nothing() -> None:
    user = make_borrower()
    proof_of(user)
    holds.place_hold(person=user, reason=HoldReason.DISPUTE, until=None, actor=SYSTEM, at=NOON)
    client = staff_in("Auditor")
    for model in (
        "user",
        "borrowerprofile",
        "incomeproof",
        "message",
        "contacthold",
        "consent",
        "personaldataaccess",
    ):
        assert client.get(reverse(f"admin:accounts_{model}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:accounts_{model}_add")).status_code == 403
    url = reverse("admin:accounts_user_change", args=[user.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"phone": "", "email": "x@example.com"}).status_code == 403
    profile_url = reverse(
        "admin:accounts_borrowerprofile_change", args=[BorrowerProfile.objects.get().pk]
    )
    assert client.post(profile_url, {"full_name": "x"}).status_code == 403
    assert BorrowerProfile.objects.get().full_name == "李小华"


def test_an_underwriter_verifies_income_in_the_admin() -> None:
    proof = proof_of(make_borrower())
    client = staff_with("accounts.view_incomeproof", "accounts.verify_incomeproof")
    url = reverse("admin:accounts_incomeproof_change", args=[proof.pk])
    assert client.get(url).status_code == 200
    neither = client.post(url, {"verified_income": "", "rejected_reason": ""})
    assert neither.status_code == 200
    assert IncomeProof.objects.get().decided_at is None
    done = client.post(url, {"verified_income": "7,500", "rejected_reason": ""})
    assert done.status_code == 302
    decided = IncomeProof.objects.get()
    assert decided.verified_income == Money(750_000)
    assert decided.decided_by is not None
    again = client.post(url, {"verified_income": "9,000", "rejected_reason": ""})
    assert again.status_code == 403
    assert IncomeProof.objects.get().verified_income == Money(750_000)


def test_codes_are_hidden_from_staff_and_shown_to_developers() -> None:
    message = queue_message(
        recipient=make_person(),
        kind="verification_code",
        purpose="AUTH",
        context={"code": "135790"},
        at=NOON,
    )
    client = staff_in("Auditor")
    page = client.get(reverse("admin:accounts_message_change", args=[message.pk]))
    assert page.status_code == 200
    assert b"135790" not in page.content
    listed = client.get(reverse("admin:accounts_message_changelist"))
    for shown in (page, listed):
        # Staff read why it was sent, not the name of its template.
        assert b"verification_code" not in shown.content
    outbox = Client().get(reverse("dev:outbox"))
    assert b">135790<" in outbox.content
    assert b'hx-trigger="every 2s"' in outbox.content


def test_the_style_guide_renders() -> None:
    assert Client().get(reverse("dev:styleguide")).status_code == 200


def test_people_are_added_by_an_administrator() -> None:
    admin = User.objects.create_superuser(email="root@example.com", password="x")
    client = Client()
    client.force_login(admin)
    url = reverse("admin:accounts_user_add")
    assert client.get(url).status_code == 200
    answer = client.post(
        url,
        {
            "email": "new@example.com",
            "phone": "",
            "usable_password": "true",
            "password1": "drei-worte-lang",
            "password2": "drei-worte-lang",
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    assert User.objects.get(email="new@example.com").check_password("drei-worte-lang")


def test_a_hold_placed_twice_moves_its_end() -> None:
    person = make_person()
    first = holds.place_hold(
        person=person, reason=HoldReason.DISPUTE, until=None, actor=SYSTEM, at=NOON
    )
    second = holds.place_hold(
        person=person,
        reason=HoldReason.DISPUTE,
        until=NOON.replace(day=20),
        actor=SYSTEM,
        at=NOON,
    )
    assert second.pk == first.pk
    assert second.until == NOON.replace(day=20)
    with pytest.raises(holds.UnableToPlaceHoldError):
        holds.place_hold(person=person, reason=HoldReason.FRAUD, until=NOON, actor=SYSTEM, at=NOON)
    with pytest.raises(holds.UnableToReleaseHoldError):
        holds.release_hold(person=person, reason=HoldReason.FRAUD, actor=SYSTEM, at=NOON)
    assert person.contact_holds.count() == 1
