"""Migrations are complete; append-only tables refuse what changes rows by raw SQL."""

from __future__ import annotations

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction

from zhixin.shared.models import AppendOnly

OURS = {"accounts", "risk", "loans", "collections_app", "education"}
APPEND_ONLY = [model for model in apps.get_models() if issubclass(model, AppendOnly)]


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    output = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=output)
    assert output.getvalue().strip() == "No changes detected"


def trigger_functions(model: type[models.Model]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(pg_get_triggerdef(oid) || ' ', '') FROM pg_trigger"
            " WHERE tgrelid = %s::regclass AND NOT tgisinternal",
            [model._meta.db_table],
        )
        return cursor.fetchone()[0] or ""


@pytest.mark.django_db
@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda model: model._meta.label)
def test_append_only_tables_have_their_trigger(model: type[models.Model]) -> None:
    definitions = trigger_functions(model)
    assert "BEFORE DELETE OR UPDATE" in definitions or "BEFORE UPDATE OR DELETE" in definitions


@pytest.mark.django_db
@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("setting", ["off", ""])
def test_append_only_tables_refuse_truncate(model: type[models.Model], setting: str) -> None:
    table = model._meta.db_table
    refusal = f"append_only: Cannot truncate {table} table"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('zhixin.allow_truncate', %s, true)", [setting])
        with pytest.raises(DatabaseError, match=refusal), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.django_db
def test_truncate_is_let_through_in_a_database_of_tests_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_setting('zhixin.allow_truncate')")
        database, setting = cursor.fetchone()
        cursor.execute(
            "SELECT DISTINCT position(%s in prosrc) FROM pg_trigger"
            " JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE tgname LIKE 'pgtrigger_append_only_truncate%%'",
            ["IF left(current_database(), 5) <> 'test_' OR"],
        )
        positions = cursor.fetchall()
    assert len(positions) == 1
    assert positions[0][0] > 0
    assert database.startswith("test_")
    assert setting == "on"


def test_the_tables_of_record_are_append_only() -> None:
    labels = {model._meta.label for model in APPEND_ONLY}
    assert {
        "loans.LoanEvent",
        "loans.JournalEntry",
        "loans.Posting",
        "loans.Agreement",
        "loans.CostSheet",
        "loans.BankNotice",
        "risk.Assessment",
        "accounts.Consent",
        "accounts.PersonalDataAccess",
        "collections_app.ContactNote",
    } <= labels


def test_money_columns_are_whole_cents() -> None:
    for model in apps.get_models():
        if model._meta.app_label not in OURS:
            continue
        for field in model._meta.concrete_fields:
            assert not isinstance(field, models.FloatField), field
            if type(field).__name__ == "MoneyField":
                assert field.column.endswith("_cents"), field
                assert field.db_type(connection) == "bigint", field
