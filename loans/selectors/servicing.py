"""The fold of a loan, from what the database keeps."""

from __future__ import annotations

import datetime
import json

from django.db import connection

from loans.engine.events import Event, event_from_json
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.engine.terms import LoanTerms
from loans.models import Loan, LoanEvent


def terms_of(loan: Loan) -> LoanTerms:
    """Return the frozen terms of the signed agreement.

    The due dates stay as signed. After a payout later than foreseen the fold counts interest from
    the payout, so that nobody pays for days on which they did not have the money.
    """
    return LoanTerms.from_json(loan.agreement.terms)


def engine_event(row: LoanEvent) -> Event:
    """Return the engine's event that the row keeps."""
    return event_from_json(row.body)


def events_of(loan: Loan) -> tuple[Event, ...]:
    """Return the loan's events in the order of their recording."""
    # Read with every fold: as plain SQL it costs a third of what it does through the ORM.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body FROM loans_loanevent WHERE loan_id = %s ORDER BY sequence", [loan.pk]
        )
        return tuple(event_from_json(json.loads(body)) for (body,) in cursor.fetchall())


def loan_state(loan: Loan, *, as_of: datetime.date) -> LoanState:
    """Return the state of the loan at `as_of`: the one source of its numbers."""
    return replay(terms_of(loan), events_of(loan), as_of)
