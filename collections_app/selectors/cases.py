"""What others ask about cases; loans ask by `settings.OPEN_CASE_CHECK`."""

from __future__ import annotations

from collections_app.models import Case


def has_open_case(*, loan_id: int) -> bool:
    """Return whether somebody works, or is to work, on a case about the loan."""
    return Case.objects.open().filter(loan_id=loan_id).exists()
