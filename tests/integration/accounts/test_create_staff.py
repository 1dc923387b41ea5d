"""Members of staff by the operator's command."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from tests.factories.accounts import make_person
from zhixin.shared.permissions import Role

pytestmark = pytest.mark.django_db

PASSWORD = "quiet-harbor-51"


@pytest.fixture(autouse=True)
def roles(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("sync_roles", stdout=StringIO(), stderr=StringIO())
    monkeypatch.setenv("STAFF_PASSWORD", PASSWORD)


def create(**changes: str) -> str:
    options = {
        "phone": "139 1234 5678",
        "role": "Underwriter",
        "password_from_environment": "STAFF_PASSWORD",
    }
    output = StringIO()
    call_command("create_staff", **(options | changes), stdout=output)
    return output.getvalue()


def test_an_underwriter_is_made_and_opens_the_admin_with_the_password() -> None:
    assert "+8613912345678 works as Underwriter" in create()
    user = User.objects.get(phone="+8613912345678")
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert [group.name for group in user.groups.all()] == ["Underwriter"]
    assert user.has_perm("loans.decide_referral")
    assert not user.has_perm("collections_app.work_case")
    client = Client()
    assert client.login(username="+8613912345678", password=PASSWORD)
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("role", list(Role))
def test_every_role_can_be_given(role: Role) -> None:
    create(role=role.value)
    assert User.objects.get().groups.get().name == role.value


def test_staff_may_have_an_email_address_instead() -> None:
    output = StringIO()
    call_command(
        "create_staff",
        email="Auditor@Example.com",
        role="Auditor",
        password_from_environment="STAFF_PASSWORD",
        stdout=output,
    )
    assert User.objects.get().email == "auditor@example.com"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phone": "12345"}, "mobile number"),
        ({"role": "King"}, "invalid choice"),
        ({"password_from_environment": "NOT_SET"}, "NOT_SET is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_nobody(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        create(**changes)
    assert User.objects.count() == 0


def test_a_weak_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAFF_PASSWORD", "12345678")
    with pytest.raises(CommandError, match="common"):
        create()
    assert User.objects.count() == 0


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="email"):
        call_command(
            "create_staff",
            email="nobody",
            role="Auditor",
            password_from_environment="STAFF_PASSWORD",
        )
    assert User.objects.count() == 0


def test_nobody_becomes_staff_by_the_account_they_borrow_with() -> None:
    borrower = make_person()
    with pytest.raises(CommandError, match="taken"):
        create(phone=borrower.phone or "")
    borrower.refresh_from_db()
    assert not borrower.is_staff
    assert User.objects.count() == 1


def test_the_password_may_be_typed_and_has_to_be_typed_twice_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = iter([PASSWORD, "another-one-52"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    with pytest.raises(CommandError, match="differ"):
        call_command("create_staff", phone="13912345678", role="Collector")
    assert User.objects.count() == 0
