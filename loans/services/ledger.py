"""The only writer of the journal: posts the difference between a fold and what is booked."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from django.db import connection

from loans.engine.ledger import HouseAccount, LedgerAccount
from loans.models import JournalEntry, Loan, LoanEvent
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money, total

# An entry and its postings at once: every movement of money writes them (docs/performance.md).
_BOOK = """
    WITH entry AS (
        INSERT INTO loans_journalentry (
            loan_id, event_id, business_date, reason, posting_count,
            actor_user_id, actor_label, recorded_at
        )
        VALUES (
            %(loan_id)s, %(event_id)s, %(business_date)s, %(reason)s, %(posting_count)s,
            %(actor_user_id)s, %(actor_label)s, %(recorded_at)s
        )
        RETURNING id, loan_id
    ), booked AS (
        INSERT INTO loans_posting (entry_id, loan_id, account, debit_cents, credit_cents)
        SELECT entry.id, entry.loan_id, account, GREATEST(cents, 0), GREATEST(-cents, 0)
        FROM entry, unnest(%(accounts)s::text[], %(cents)s::bigint[]) AS change (account, cents)
    )
    SELECT id FROM entry
"""


class UnbalancedBalancesError(AssertionError):
    """The fold's balances do not sum to zero; nothing may be posted from it."""


def booked_balances(loan: Loan) -> dict[LedgerAccount, Money]:
    """Return what the journal holds for the loan, debit positive, by account."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account, SUM(debit_cents - credit_cents) FROM loans_posting"
            " WHERE loan_id = %s GROUP BY account",
            [loan.pk],
        )
        return {LedgerAccount(account): Money(int(cents)) for account, cents in cursor.fetchall()}


def post_difference(
    *,
    loan: Loan,
    balances: Mapping[LedgerAccount, Money],
    business_date: datetime.date,
    reason: str,
    event: LoanEvent | None,
    actor: Actor,
    at: datetime.datetime,
    booked: Mapping[LedgerAccount, Money] | None = None,
) -> JournalEntry | None:
    """Book the entry after which the journal of the locked loan holds `balances`.

    `booked` is what it holds now, for callers that have read it under the lock.

    Returns None when it does already, so that running twice books once. Raises
    UnbalancedBalancesError when the balances do not sum to zero.
    """
    if total(balances.values()):
        raise UnbalancedBalancesError(f"Balances of loan {loan.pk} do not sum to zero.")
    if booked is None:
        booked = booked_balances(loan)
    changes = {
        account: balances.get(account, Money.zero()) - booked.get(account, Money.zero())
        for account in LedgerAccount
    }
    changes = {account: change for account, change in changes.items() if change}
    if not changes:
        return None
    return _book(
        changes.items(),
        loan_id=loan.pk,
        event_id=event.pk if event else None,
        business_date=business_date,
        reason=reason,
        actor=actor,
        at=at,
    )


class SuspenseReason(StrEnum):
    """Why money without a loan moves in the books."""

    RECEIVED = "SUSPENSE_RECEIVED"
    BOOKED = "SUSPENSE_BOOKED"
    RETURNED = "SUSPENSE_RETURNED"


def post_suspense(
    *,
    amount: Money,
    reason: SuspenseReason,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> JournalEntry:
    """Book money of which nobody knows the loan: into suspense, or out of it for another reason.

    The other side is the bank without a loan. Money that is booked on a loan leaves suspense by
    this entry and reaches the loan by its event's own; the caller does both in one transaction.
    """
    if amount <= Money.zero():
        raise ValueError("Only an amount above zero can be in suspense.")
    received = amount if reason is SuspenseReason.RECEIVED else -amount
    return _book(
        [(LedgerAccount.BANK, received), (HouseAccount.SUSPENSE, -received)],
        loan_id=None,
        event_id=None,
        business_date=business_date,
        reason=reason,
        actor=actor,
        at=at,
    )


def _book(
    changes: Collection[tuple[LedgerAccount | HouseAccount, Money]],
    *,
    loan_id: int | None,
    event_id: int | None,
    business_date: datetime.date,
    reason: str,
    actor: Actor,
    at: datetime.datetime,
) -> JournalEntry:
    """Write an entry with a posting for each change, which is debit positive."""
    facts: dict[str, Any] = {
        "loan_id": loan_id,
        "event_id": event_id,
        "business_date": business_date,
        "reason": reason,
        "posting_count": len(changes),
        "actor_user_id": actor.user_id,
        "actor_label": actor.label,
        "recorded_at": at,
    }
    sides: dict[str, Any] = {
        "accounts": [account.value for account, _change in changes],
        "cents": [change.cents for _account, change in changes],
    }
    with connection.cursor() as cursor:
        cursor.execute(_BOOK, facts | sides)
        (key,) = cursor.fetchone()
    return JournalEntry(pk=key, **facts)
