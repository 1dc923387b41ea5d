"""Loans as collections need them: frozen read models, so that no table is reached into."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from accounts.models import User
from loans.engine.events import Event
from loans.engine.lifecycle import LoanStatus
from loans.engine.terms import LoanTerms
from loans.models import Loan, LoanEvent
from loans.models.loan import OPEN_STATUSES
from loans.selectors.servicing import events_of, terms_of
from zhixin.shared.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanStanding:
    """How a loan stands, by its projection."""

    loan_id: int
    public_id: UUID
    number: str
    borrower_id: int
    status: LoanStatus
    days_past_due: int
    overdue_amount: Money
    next_due_date: datetime.date | None
    next_due_amount: Money

    @property
    def is_late(self) -> bool:
        """Return whether a payment is late; the days of a loan that was written off stand still."""
        return bool(self.days_past_due) and not self.is_written_off

    @property
    def is_written_off(self) -> bool:
        """Return whether it was written off and is owed still."""
        return self.status is LoanStatus.CHARGED_OFF

    @property
    def is_open(self) -> bool:
        """Return whether something is still owed and may be collected."""
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBasis:
    """What a plan is computed from. `event_count` tells whether the loan has changed since."""

    loan_id: int
    number: str
    borrower: User
    is_open: bool
    terms: LoanTerms
    events: tuple[Event, ...]
    event_count: int
    owed_on_other_loans: Money


def overdue_standings() -> list[LoanStanding]:
    """Return every loan that is late, by the projection that the night has just written."""
    late = Loan.objects.filter(status=LoanStatus.OVERDUE, days_past_due__gt=0)
    return [_standing(loan) for loan in late.select_related("agreement").order_by("pk")]


def standings_of(loan_ids: Collection[int]) -> dict[int, LoanStanding]:
    """Return how these loans stand, by their keys."""
    loans = Loan.objects.filter(pk__in=loan_ids).select_related("agreement")
    return {loan.pk: _standing(loan) for loan in loans}


def owed_standings_of(borrower: User) -> list[LoanStanding]:
    """Return the borrower's loans on which something is owed, what is due soonest first.

    Those that were written off are among them.
    """
    loans = Loan.objects.owed().filter(borrower=borrower).select_related("agreement")
    return [_standing(loan) for loan in loans.order_by("next_due_date", "pk")]


def lock_standing(loan_id: int) -> LoanStanding:
    """Lock the loan's row until the caller's transaction ends; return how it stands then."""
    return _standing(Loan.objects.for_update().select_related("agreement").get(pk=loan_id))


def plan_basis(loan_id: int) -> PlanBasis:
    """Return what a plan for the loan is computed from."""
    loan = Loan.objects.select_related("agreement", "borrower").get(pk=loan_id)
    events = events_of(loan)
    elsewhere = (
        Loan.objects.open()
        .filter(borrower=loan.borrower)
        .exclude(pk=loan.pk)
        .aggregate(owed=Sum("principal_outstanding"))["owed"]
    )
    return PlanBasis(
        loan_id=loan.pk,
        number=loan.agreement.number,
        borrower=loan.borrower,
        is_open=loan.status in OPEN_STATUSES,
        terms=terms_of(loan),
        events=events,
        event_count=len(events),
        owed_on_other_loans=elsewhere or Money.zero(),
    )


def event_count_of(loan_id: int) -> int:
    """Return how many events the loan has: an offer made from fewer is out of date."""
    return LoanEvent.objects.filter(loan_id=loan_id).count()


def _standing(loan: Loan) -> LoanStanding:
    return LoanStanding(
        loan_id=loan.pk,
        public_id=loan.public_id,
        number=loan.agreement.number,
        borrower_id=loan.borrower_id,
        status=LoanStatus(loan.status),
        days_past_due=loan.days_past_due,
        overdue_amount=loan.overdue_amount,
        next_due_date=loan.next_due_date,
        next_due_amount=loan.next_due_amount,
    )
