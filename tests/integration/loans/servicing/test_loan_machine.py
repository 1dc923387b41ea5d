"""Random histories of a loan through the services on real PostgreSQL.

After each step the journal holds what the fold says, every entry sums to zero, the projection is
the fold at its date, nothing recorded has changed, and each change of status is on record.
"""

from __future__ import annotations

import datetime

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from loans.engine.events import Event, InvalidEventError
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import LoanState, replay
from loans.models import Installment, Loan, LoanEvent
from loans.selectors.servicing import engine_event, events_of
from loans.services.ledger import booked_balances
from loans.services.night import age_overdue_loans, bill_due_installments
from loans.services.servicing import (
    PROJECTED_FIELDS,
    UnableToRecordEventError,
    installment_row,
    project,
    record_event,
)
from tests.factories.accounts import make_borrower
from tests.factories.funded import SIGNED_AT, set_business_date, signed_agreement
from tests.unit.loans.engine.loan_laws import assert_state_is_sound
from tests.unit.loans.engine.loan_machine import EventMaker, LoanRules, RefusedError
from zhixin.shared.actor import NIGHT, SYSTEM
from zhixin.shared.money import Money

_INSTALLMENT_FIELDS = tuple(
    field.name for field in Installment._meta.concrete_fields if field.name not in ("id", "loan")
)
_UNBALANCED = """
    SELECT entry_id FROM loans_posting WHERE loan_id = %s
    GROUP BY entry_id HAVING SUM(debit_cents) <> SUM(credit_cents)
"""


class StoredLoan(LoanRules):
    """A loan in the database; its day is the business date, and the night carries it there."""

    def begin(self) -> None:
        # What a history wrote is rolled back after it.
        self.scope = transaction.atomic()
        self.scope.__enter__()
        borrower = make_borrower()
        self.loan = Loan.objects.create(
            borrower=borrower,
            agreement=signed_agreement(borrower, self.terms),
            principal=self.terms.principal,
            annual_rate=self.terms.annual_rate,
            created_at=SIGNED_AT,
        )
        self.recorded: list[tuple[int, str]] = []
        self.status = LoanStatus.PENDING
        self.changes = 0
        set_business_date(self.day)

    def keep(self, make_event: EventMaker) -> Event:
        before = self.written()
        try:
            with transaction.atomic():
                loan = Loan.objects.for_update().select_related("agreement").get(pk=self.loan.pk)
                row = record_event(
                    loan=loan,
                    make_event=make_event,
                    business_date=self.day,
                    actor=SYSTEM,
                    at=SIGNED_AT,
                )
        except (InvalidEventError, UnableToRecordEventError) as error:
            assert self.written() == before
            raise RefusedError(str(error)) from error
        return engine_event(row)

    def written(self) -> tuple[int, int, int]:
        """Return how many rows of record the loan has."""
        loan = self.loan
        return loan.events.count(), loan.journal_entries.count(), loan.status_changes.count()

    def pass_days(self, days: int) -> None:
        for _ in range(days):
            self.day += datetime.timedelta(days=1)
            for step in (bill_due_installments, age_overdue_loans):
                step(
                    business_date=self.day,
                    actor=NIGHT,
                    clock=lambda: SIGNED_AT,
                    report=lambda _done, _all: None,
                )
        set_business_date(self.day)

    def check(self, state: LoanState) -> None:
        with connection.cursor() as cursor:
            # What commits would check, now.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            cursor.execute(_UNBALANCED, [self.loan.pk])
            assert cursor.fetchall() == []
        assert_state_is_sound(self.terms, state)
        loan = Loan.objects.select_related("agreement").get(pk=self.loan.pk)
        self.check_events(loan)
        assert loan.projected_as_of is not None
        projected = replay(self.terms, self.events, loan.projected_as_of)
        self.check_journal(loan, projected)
        self.check_projection(loan, projected)
        self.check_night(loan, state)
        self.check_status(loan)

    def check_events(self, loan: Loan) -> None:
        assert events_of(loan) == tuple(self.events)
        rows = [(row.sequence, str(row.body)) for row in loan.events.order_by("sequence")]
        assert rows[: len(self.recorded)] == self.recorded
        assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
        self.recorded = rows

    def check_journal(self, loan: Loan, projected: LoanState) -> None:
        booked = booked_balances(loan)
        for account in LedgerAccount:
            assert booked.get(account, Money(0)) == projected.balances[account], account

    def check_projection(self, loan: Loan, projected: LoanState) -> None:
        stored = [getattr(loan, name) for name in PROJECTED_FIELDS]
        project(loan, projected)
        assert stored == [getattr(loan, name) for name in PROJECTED_FIELDS]
        folded = [
            tuple(getattr(installment_row(loan, row), name) for name in _INSTALLMENT_FIELDS)
            for row in projected.installments
        ]
        rows = loan.installments.order_by("number").values_list(*_INSTALLMENT_FIELDS)
        assert list(rows) == sorted(folded, key=lambda row: row[0])

    def check_night(self, loan: Loan, state: LoanState) -> None:
        """Check that the night left no loan behind: what is owed late today is what is stored."""
        if loan.status in (LoanStatus.ACTIVE, LoanStatus.OVERDUE):
            assert loan.status == state.status
            assert loan.days_past_due == state.days_past_due
            assert loan.overdue_amount == state.overdue.total

    def check_status(self, loan: Loan) -> None:
        changes = list(loan.status_changes.order_by("pk").values_list("from_status", "to_status"))
        chain = [LoanStatus.PENDING, *(after for _, after in changes)]
        assert [before for before, _ in changes] == chain[:-1]
        assert chain[-1] == loan.status
        assert len(changes) >= self.changes
        self.changes = len(changes)

    def teardown(self) -> None:
        super().teardown()
        scope = getattr(self, "scope", None)
        if scope is not None:
            transaction.set_rollback(True)
            scope.__exit__(None, None, None)


def run_stored_loans(*, sequences: int, steps: int) -> None:
    """Run random histories through the services."""
    run_state_machine_as_test(
        StoredLoan,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_journal_and_projection_are_the_fold_after_every_step() -> None:
    run_stored_loans(sequences=40, steps=12)
    assert not LoanEvent.objects.exists()
