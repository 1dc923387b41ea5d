"""The admin shows a row about a person to whose work it is, and records the look."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db.models import Model

from accounts.admin import RecordsReads
from accounts.models import User
from collections_app.models import Case
from loans.models import (
    Agreement,
    BankTransfer,
    Loan,
    LoanApplication,
    LoanEvent,
    ProposedCorrection,
)
from zhixin.shared.admin import ReadOnlyModelAdmin

ABOUT_PEOPLE = {
    *(User, LoanApplication, Agreement, Loan),
    *(LoanEvent, BankTransfer, ProposedCorrection, Case),
}
# Rows that name a person as their author or worker only, and rows that are no matter of work.
EXEMPT = {
    "account.EmailAddress": "allauth's own table; no role holds its permission.",
    "accounts.User": "Accounts are for who runs the house: a permission of their own.",
    "auth.Group": "A role.",
    "education.QuizAttempt": "The person is not shown.",
    "loans.BankBill": "A day of the bank.",
    "loans.BankFile": "A file of the bank; its lines have a queue of their own.",
    "risk.PolicyVersion": "Rules; the person loaded them.",
    "risk.ScorecardVersion": "Rules; the person loaded them.",
}
NO_LOOKS = {
    "accounts.PersonalDataAccess": "The record of looks itself.",
    "collections_app.Case": "Its page leads on to the desk, which records.",
}


def names_person(model: type[Model]) -> bool:
    return any(field.related_model in ABOUT_PEOPLE for field in model._meta.fields)


def tables() -> list[tuple[str, admin.ModelAdmin]]:
    return [
        (model._meta.label, table)
        for model, table in admin.site._registry.items()
        if names_person(model) and model._meta.label not in EXEMPT
    ]


@pytest.mark.parametrize(("label", "table"), tables(), ids=str)
def test_a_table_about_people_is_narrowed_and_its_looks_recorded(
    label: str, table: admin.ModelAdmin
) -> None:
    assert isinstance(table, ReadOnlyModelAdmin)
    assert table.reach is not None
    if label not in NO_LOOKS:
        assert isinstance(table, RecordsReads)
        assert table.read_purpose
        assert table.read_fields


def test_the_list_of_tables_is_not_empty() -> None:
    labels = {label for label, _table in tables()}
    assert {"loans.Loan", "accounts.BorrowerProfile", "risk.Assessment"} <= labels
