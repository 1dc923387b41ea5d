"""The only writer of the journal: posts the difference between a fold and what is booked."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from enum import StrEnum

from django.db import connection

from loans.engine.ledger import HouseAccount, LedgerAccount
from loans.models import JournalEntry, Loan, LoanEvent, Posting
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money, total


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
    entry = JournalEntry.objects.create(
        loan=loan,
        event=event,
        business_date=business_date,
        reason=reason,
        posting_count=len(changes),
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )
    Posting.objects.bulk_create(
        Posting(
            entry=entry,
            loan=loan,
            account=account,
            debit=max(change, Money.zero()),
            credit=max(-change, Money.zero()),
        )
        for account, change in changes.items()
    )
    return entry


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
    entry = JournalEntry.objects.create(
        loan=None,
        business_date=business_date,
        reason=reason,
        posting_count=2,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )
    sides: tuple[LedgerAccount | HouseAccount, ...] = (LedgerAccount.BANK, HouseAccount.SUSPENSE)
    debited, credited = sides if reason is SuspenseReason.RECEIVED else sides[::-1]
    Posting.objects.bulk_create(
        [
            Posting(entry=entry, account=debited, debit=amount, credit=Money.zero()),
            Posting(entry=entry, account=credited, debit=Money.zero(), credit=amount),
        ]
    )
    return entry
