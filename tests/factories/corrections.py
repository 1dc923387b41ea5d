"""Orders of corrections for tests, as staff give them at the desk."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

from accounts.engine.contact_rules import Channel
from accounts.models import User
from loans.engine.ledger import LedgerAccount
from loans.engine.state import Buckets
from loans.models import Installment, Loan
from loans.selectors.business_day import business_date
from loans.selectors.servicing import loan_state
from loans.services.corrections import Manner
from loans.services.ledger import booked_balances
from loans.services.servicing import installment_row
from tests.factories.accounts import make_person
from tests.factories.funded import SIGNED_AT
from zhixin.shared.money import Money, total


def make_servicer() -> User:
    """Return a member of staff."""
    return make_person(channel=Channel.EMAIL, is_staff=True)


def how(
    staff: User,
    *,
    key: str | None = None,
    reason: str = "The borrower showed the receipt.",
    on: datetime.date | None = None,
    seen: str | None = None,
) -> Manner:
    """Return by whom, why, under which key and when."""
    return {
        "actor": staff.as_actor(),
        "reason": reason,
        "key": str(uuid4()) if key is None else key,
        "business_date": on or business_date(),
        "at": SIGNED_AT,
        "seen": seen,
    }


def by_two(staff: User, **changes: Any) -> Manner:
    """Return the same, confirmed by a second person."""
    return {**how(staff, **changes), "second": make_servicer().as_actor()}


def yuan(text: str) -> Money:
    """Return the amount."""
    return Money.parse(text)


def amounts(
    *, principal: str = "0", interest: str = "0", fees: str = "0", penalty: str = "0"
) -> Buckets:
    """Return amounts by bucket."""
    return Buckets.of(
        principal=yuan(principal), interest=yuan(interest), fees=yuan(fees), penalty=yuan(penalty)
    )


def assert_books_agree(loan: Loan) -> None:
    """Journal sums to zero, journal and projection are what the fold says."""
    loan = Loan.objects.select_related("agreement").get(pk=loan.pk)
    assert loan.projected_as_of is not None
    state = loan_state(loan, as_of=loan.projected_as_of)
    booked = booked_balances(loan)
    assert total(booked.values()) == Money.zero()
    zero = Money.zero()
    assert {account: booked.get(account, zero) for account in LedgerAccount} == dict(state.balances)
    assert (loan.status, loan.principal_outstanding, loan.overdue_amount, loan.overpaid_amount) == (
        state.status,
        state.outstanding.principal,
        state.overdue.total,
        state.overpaid,
    )
    assert (loan.days_past_due, loan.bucket, loan.closed_on) == (
        state.days_past_due,
        state.bucket,
        state.closed_on,
    )
    names = [field.attname for field in Installment._meta.concrete_fields if field.name != "id"]
    rows = [
        [getattr(row, name) for name in names]
        for row in Installment.objects.filter(loan=loan).order_by("number")
    ]
    folded = [installment_row(loan, row) for row in state.installments]
    assert rows == [[getattr(row, name) for name in names] for row in folded]
