"""The fold of a loan, from what the database keeps.

What every repayment reads is read as plain SQL, one statement for all of it: through the ORM it
costs three times as much (docs/performance.md).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection

from loans.engine.events import Event, event_from_json
from loans.engine.ledger import LedgerAccount
from loans.engine.schedule import build_schedule
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.engine.terms import LoanTerms
from loans.models import Loan, LoanEvent
from loans.selectors.business_day import NoBusinessDateError
from zhixin.shared.money import Money

_EVENTS = "SELECT body::text FROM loans_loanevent WHERE loan_id = %s ORDER BY sequence"
_FACTS = """
    SELECT terms::text,
        ARRAY(SELECT body::text FROM loans_loanevent WHERE loan_id = %s ORDER BY sequence)
    FROM loans_agreement WHERE id = %s
"""
_BOOKS = """
    SELECT terms::text,
        ARRAY(SELECT body::text FROM loans_loanevent WHERE loan_id = %s ORDER BY sequence),
        (SELECT json_object_agg(account, cents) FROM (
            SELECT account, SUM(debit_cents - credit_cents) AS cents
            FROM loans_posting WHERE loan_id = %s GROUP BY account) booked),
        (SELECT json_agg(json_build_array(
            number, due_date, payable_through, principal_cents, interest_cents, fees_cents,
            penalty_cents, principal_paid_cents, interest_paid_cents, fees_paid_cents,
            penalty_paid_cents, balance_cents, paid_on))
            FROM loans_installment WHERE loan_id = %s),
        (SELECT "current_date" FROM loans_businessday)
    FROM loans_agreement WHERE id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanBooks:
    """All that is kept of a loan beside its own row.

    Attributes:
        booked: what the journal holds, debit positive, by account.
        installments: the stored rows by number, as `loans.services.servicing` writes them.
        business_date: the lender's day at the reading.
    """

    terms: LoanTerms
    events: tuple[Event, ...]
    booked: Mapping[LedgerAccount, Money]
    installments: Mapping[int, list[object]]
    business_date: datetime.date


def terms_of(loan: Loan) -> LoanTerms:
    """Return the frozen terms of the signed agreement.

    The due dates stay as signed. After a payout later than foreseen the fold counts interest from
    the payout, so that nobody pays for days on which they did not have the money.
    """
    return LoanTerms.from_json(loan.agreement.terms)


def first_due_date(loan: Loan) -> datetime.date:
    """Return the day before which the loan has to be paid out, by its signed terms."""
    return build_schedule(terms_of(loan)).rows[0].due_date


@lru_cache(maxsize=1024)
def _terms_from(text: str) -> LoanTerms:
    """Return the terms that the text states; they are frozen, and so is the text."""
    return LoanTerms.from_json(json.loads(text))


def engine_event(row: LoanEvent) -> Event:
    """Return the engine's event that the row keeps."""
    return event_from_json(row.body)


def events_of(loan: Loan) -> tuple[Event, ...]:
    """Return the loan's events in the order of their recording."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [loan.pk])
        return _events_from([body for (body,) in cursor.fetchall()])


@lru_cache(maxsize=16_384)
def _event_from(text: str) -> Event:
    """Return the event that the text states; neither ever changes."""
    return event_from_json(json.loads(text))


def _events_from(bodies: list[str]) -> tuple[Event, ...]:
    return tuple(_event_from(body) for body in bodies)


def books_of(loan: Loan) -> LoanBooks:
    """Return what is kept of the loan; it stays so while the caller holds the loan's lock."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOKS, [loan.pk, loan.pk, loan.pk, loan.agreement_id])
        terms, bodies, booked, rows, business_date = cursor.fetchone()
    if business_date is None:
        raise NoBusinessDateError
    return LoanBooks(
        terms=_terms_from(terms),
        events=_events_from(bodies),
        booked={LedgerAccount(name): Money(cents) for name, cents in (booked or {}).items()},
        installments={row[0]: row for row in rows or ()},
        business_date=business_date,
    )


def loan_state(loan: Loan, *, as_of: datetime.date) -> LoanState:
    """Return the state of the loan at `as_of`: the one source of its numbers."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [loan.pk, loan.agreement_id])
        terms, bodies = cursor.fetchone()
    return state_from(terms, bodies, as_of=as_of)


def state_from(terms: str, bodies: list[str], *, as_of: datetime.date) -> LoanState:
    """Return the fold of stored terms and events, as the texts of their JSON."""
    return replay(_terms_from(terms), _events_from(bodies), as_of)
