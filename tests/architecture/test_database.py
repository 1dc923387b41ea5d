"""Migrations are complete; append-only tables refuse UPDATE and DELETE by raw SQL."""

from __future__ import annotations

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models

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
