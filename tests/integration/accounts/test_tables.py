"""What the database refuses, tried with raw SQL."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.engine.consent import ConsentPurpose
from accounts.models import BorrowerProfile, Consent, PersonalDataAccess, User
from accounts.services.consents import record_access, record_consent
from accounts.services.messages import queue_message
from tests.factories.accounts import NOON, make_borrower, make_person

pytestmark = pytest.mark.django_db


def refused(sql: str, *parameters: object) -> str:
    with (
        pytest.raises((IntegrityError, DatabaseError)) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, parameters)
    return str(caught.value)


def test_everybody_can_be_reached() -> None:
    user = make_person()
    assert "user_has_phone_or_email" in refused(
        "UPDATE accounts_user SET phone = NULL WHERE id = %s", user.pk
    )
    assert "user_phone_is_e164" in refused(
        "UPDATE accounts_user SET phone = '13800138000' WHERE id = %s", user.pk
    )


def test_one_account_for_each_address_in_any_case() -> None:
    User.objects.create_user(email="Li.Hua@Example.com")
    assert User.objects.get().email == "li.hua@example.com"
    other = make_person()
    assert "email" in refused(
        "UPDATE accounts_user SET email = 'LI.HUA@example.com' WHERE id = %s", other.pk
    )
    assert "email" in refused(
        "UPDATE accounts_user SET email = 'li.hua@example.com' WHERE id = %s", other.pk
    )


def test_personal_numbers_are_unreadable_in_the_table() -> None:
    user = make_borrower()
    profile = BorrowerProfile.objects.get(user=user)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id_number, bank_card_number, id_number_digest FROM accounts_borrowerprofile"
        )
        row = cursor.fetchone()
    assert profile.id_number[:6] == "330106"
    assert profile.bank_card_number == "6222020000000000000"
    assert "330106" not in "".join(row)
    assert "622202" not in "".join(row)
    assert len(row[2]) == 64


def test_amounts_are_not_negative() -> None:
    make_borrower()
    assert "profile_housing_cost_not_negative" in refused(
        "UPDATE accounts_borrowerprofile SET housing_cost_cents = -1"
    )


def test_consents_and_reads_are_append_only() -> None:
    user = make_person()
    actor = user.as_actor()
    record_consent(user=user, purpose=ConsentPurpose.MARKETING, granted=True, actor=actor, at=NOON)
    record_access(
        actor=make_person().as_actor(), subject=user, fields=["name"], purpose="test", at=NOON
    )
    for table in ("accounts_consent", "accounts_personaldataaccess"):
        assert "append_only" in refused(f"DELETE FROM {table}")
        assert "append_only" in refused(f"UPDATE {table} SET actor_label = 'x'")
    assert Consent.objects.get().granted is True
    assert PersonalDataAccess.objects.get().fields == ["name"]


def test_a_message_that_was_sent_says_when() -> None:
    queue_message(
        recipient=make_person(),
        kind="verification_code",
        purpose="AUTH",
        context={"code": "123456"},
        at=NOON,
    )
    assert "message_sent_has_instant" in refused("UPDATE accounts_message SET state = 'SENT'")
    assert "message_refused_names_rule" in refused("UPDATE accounts_message SET state = 'REFUSED'")
