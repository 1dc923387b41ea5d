"""What others ask about cases; those below ask by names in the settings."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from collections_app.models import Case


def has_open_case(*, loan_id: int) -> bool:
    """Return whether somebody works, or is to work, on a case about the loan."""
    return Case.objects.open().filter(loan_id=loan_id).exists()


def loans_of_cases() -> QuerySet[Any, Any]:
    """Return the keys of the loans that the team works on, or has worked on."""
    return Case.objects.of_the_team().values("loan_id")


def people_of_cases() -> QuerySet[Any, Any]:
    """Return the keys of the borrowers of these loans."""
    return Case.objects.of_the_team().values("loan__borrower_id")
