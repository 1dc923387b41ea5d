"""Record a fact about a loan, fold, and write what follows from it.

The only writer of loan events and of the projection. Callers hold the loan's row lock
(`Loan.objects.for_update()`) and a transaction.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable

from loans.engine.events import Disbursed, Event
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import InstallmentState, LoanState
from loans.models import (
    BankTransfer,
    Installment,
    Loan,
    LoanEvent,
    LoanStatusChange,
    MoneyCommand,
)
from loans.selectors.servicing import loan_state
from loans.services.ledger import post_difference
from zhixin.shared.actor import Actor
from zhixin.shared.jobs import enqueue_after_commit
from zhixin.shared.money import Money

PROJECTED_FIELDS = (
    "status",
    "projected_as_of",
    "disbursed_on",
    "closed_on",
    "principal_outstanding",
    "overdue_amount",
    "overpaid_amount",
    "next_due_date",
    "next_due_amount",
    "overdue_since",
    "days_past_due",
    "bucket",
    "classification",
)
EventMaker = Callable[[str, int], Event]


def record_event(
    *,
    loan: Loan,
    make_event: EventMaker,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
    reason: str = "",
    transfer: BankTransfer | None = None,
    command: MoneyCommand | None = None,
) -> LoanEvent:
    """Append the event that `make_event(event_id, sequence)` returns, and refresh the loan.

    The event may take effect before `business_date`; the fold puts it where it belongs and
    the journal receives the difference on `business_date`.
    """
    event_id = uuid.uuid4()
    sequence = loan.events.count() + 1
    event = make_event(str(event_id), sequence)
    row = LoanEvent.objects.create(
        event_id=event_id,
        loan=loan,
        sequence=sequence,
        kind=event.kind,
        effective_date=event.effective_date,
        body=event.to_json(),
        reason=reason,
        transfer=transfer,
        command=command,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )
    if isinstance(event, Disbursed):
        loan.disbursed_on = event.effective_date
    refresh_loan(loan=loan, as_of=business_date, event=row, reason=event.kind, actor=actor, at=at)
    return row


def refresh_loan(
    *,
    loan: Loan,
    as_of: datetime.date,
    reason: str,
    actor: Actor,
    at: datetime.datetime,
    event: LoanEvent | None = None,
) -> LoanState:
    """Fold the locked loan, book the journal's difference and write its projection.

    A loan that the night has already carried to a later date stays there. Safe to run twice.
    """
    as_of = max(as_of, loan.projected_as_of or as_of)
    state = loan_state(loan, as_of=as_of)
    post_difference(
        loan=loan,
        balances=state.balances,
        business_date=as_of,
        reason=reason,
        event=event,
        actor=actor,
        at=at,
    )
    _change_status(loan=loan, state=state, reason=reason, actor=actor, at=at)
    write_projection(loan=loan, state=state)
    return state


def _change_status(
    *, loan: Loan, state: LoanState, reason: str, actor: Actor, at: datetime.datetime
) -> None:
    if loan.status == state.status:
        return
    LoanStatusChange.objects.create(
        loan=loan,
        from_status=loan.status,
        to_status=state.status,
        business_date=state.as_of,
        reason=reason,
        actor_label=actor.label,
        recorded_at=at,
    )
    if state.status == LoanStatus.OVERPAID:
        enqueue_after_commit("loans.refund_closed_loan", loan_id=loan.pk)


def project(loan: Loan, state: LoanState) -> None:
    """Set the summary columns of `loan` (unsaved) to what the fold says."""
    loan.status = state.status
    loan.projected_as_of = state.as_of
    loan.closed_on = state.closed_on
    loan.principal_outstanding = state.outstanding.principal
    loan.overdue_amount = state.overdue.total
    loan.overpaid_amount = state.overpaid
    loan.next_due_date = state.next_due.date if state.next_due else None
    loan.next_due_amount = state.next_due.amount if state.next_due else Money.zero()
    loan.overdue_since = state.overdue_since
    loan.days_past_due = state.days_past_due
    loan.bucket = state.bucket
    loan.classification = state.classification


def installment_row(loan: Loan, state: InstallmentState) -> Installment:
    """Return the unsaved projection of one installment."""
    return Installment(
        loan=loan,
        number=state.number,
        due_date=state.due_date,
        payable_through=state.payable_through,
        principal=state.due.principal,
        interest=state.due.interest,
        fees=state.due.fees,
        penalty=state.due.penalty,
        principal_paid=state.paid.principal,
        interest_paid=state.paid.interest,
        fees_paid=state.paid.fees,
        penalty_paid=state.paid.penalty,
        balance=state.balance,
        paid_on=state.paid_on,
    )


def write_projection(*, loan: Loan, state: LoanState) -> None:
    """Write the summary columns and the installment rows of the locked loan."""
    project(loan, state)
    loan.save(update_fields=PROJECTED_FIELDS)
    rows = [installment_row(loan, installment) for installment in state.installments]
    columns = Installment._meta.concrete_fields  # noqa: SLF001 - Django's public way to them.
    fields = [column.name for column in columns if column.name not in _ROW_KEY]
    Installment.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["loan", "number"], update_fields=fields
    )
    loan.installments.filter(number__gt=len(rows)).delete()


_ROW_KEY = ("id", "loan", "number")
