"""Record a fact about a loan, fold, and write what follows from it.

The only writer of loan events and of the projection. Callers hold the loan's row lock
(`Loan.objects.for_update()`) and a transaction.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence

from django.utils.translation import gettext as _

from loans.engine.events import Disbursed, Event
from loans.engine.lifecycle import LoanStatus
from loans.engine.servicing import replay
from loans.engine.state import InstallmentState, LoanState
from loans.models import (
    BankTransfer,
    Installment,
    Loan,
    LoanEvent,
    LoanStatusChange,
    MoneyCommand,
)
from loans.selectors.servicing import LoanBooks, books_of
from loans.services.ledger import post_difference
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.jobs import enqueue_after_commit
from zhixin.shared.money import Money

PROJECTED_FIELDS = (
    "status",
    "projected_as_of",
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


class UnableToRecordEventError(DomainError):
    """The event would find nothing to change, such as a plan on a loan that is paid."""


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
    books: LoanBooks | None = None,
) -> LoanEvent:
    """Append the event that `make_event(event_id, sequence)` returns, and refresh the loan.

    The event may take effect before `business_date`; the fold puts it where it belongs and
    the journal receives the difference on `business_date`. `loan` is as it was read under its lock,
    and so are its `books`, for callers that have them.
    Raises UnableToRecordEventError for an event that would change nothing.
    """
    event_id = uuid.uuid4()
    books = books or books_of(loan)
    sequence = len(books.events) + 1
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
        loan.save(update_fields=["disbursed_on"])
    state = refresh_loan(
        loan=loan,
        as_of=business_date,
        event=row,
        books=books,
        events=(*books.events, event),
        reason=event.kind,
        actor=actor,
        at=at,
    )
    if state.status == LoanStatus.PENDING and loan.disbursed_on is not None:
        loan.disbursed_on = None
        loan.save(update_fields=["disbursed_on"])
    if event.event_id in state.without_effect:
        raise UnableToRecordEventError(_("Nothing is left on this loan that this would change."))
    return row


def refresh_loan(
    *,
    loan: Loan,
    as_of: datetime.date,
    reason: str,
    actor: Actor,
    at: datetime.datetime,
    event: LoanEvent | None = None,
    events: Sequence[Event] | None = None,
    books: LoanBooks | None = None,
) -> LoanState:
    """Fold the locked loan, book the journal's difference and write its projection.

    A loan that the night has already carried to a later date stays there. Safe to run twice.
    `books` is what was kept of the loan, and `events` what is by now, for callers that hold them.
    """
    as_of = max(as_of, loan.projected_as_of or as_of)
    books = books or books_of(loan)
    state = replay(books.terms, books.events if events is None else events, as_of)
    post_difference(
        loan=loan,
        balances=state.balances,
        business_date=as_of,
        reason=reason,
        event=event,
        actor=actor,
        at=at,
        booked=books.booked,
    )
    _change_status(loan=loan, state=state, reason=reason, actor=actor, at=at)
    _write_loan(loan, state)
    _write_installments(loan, state, books)
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
    due, paid = state.due, state.paid
    return Installment(
        loan=loan,
        number=state.number,
        due_date=state.due_date,
        payable_through=state.payable_through,
        principal=due.principal,
        interest=due.interest,
        fees=due.fees,
        penalty=due.penalty,
        principal_paid=paid.principal,
        interest_paid=paid.interest,
        fees_paid=paid.fees,
        penalty_paid=paid.penalty,
        balance=state.balance,
        paid_on=state.paid_on,
    )


def _stored_form(state: InstallmentState) -> list[object]:
    """Return the installment as `LoanBooks.installments` holds a stored one."""
    due, paid = state.due, state.paid
    return [
        state.number,
        state.due_date.isoformat(),
        state.payable_through.isoformat(),
        due.principal.cents,
        due.interest.cents,
        due.fees.cents,
        due.penalty.cents,
        paid.principal.cents,
        paid.interest.cents,
        paid.fees.cents,
        paid.penalty.cents,
        state.balance.cents,
        state.paid_on.isoformat() if state.paid_on else None,
    ]


def _write_loan(loan: Loan, state: LoanState) -> None:
    """Write the summary columns that the fold changed."""
    before = [getattr(loan, name) for name in PROJECTED_FIELDS]
    project(loan, state)
    changed = [
        name
        for name, value in zip(PROJECTED_FIELDS, before, strict=True)
        if getattr(loan, name) != value
    ]
    if changed:
        loan.save(update_fields=changed)


def _write_installments(loan: Loan, state: LoanState, books: LoanBooks) -> None:
    """Write the installments that the fold changed; remove those that are no more."""
    stored = books.installments
    changed = [
        installment_row(loan, each)
        for each in state.installments
        if stored.get(each.number) != _stored_form(each)
    ]
    if changed:
        Installment.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["loan", "number"],
            update_fields=_UPDATED_FIELDS,
        )
    gone = stored.keys() - {each.number for each in state.installments}
    if gone:
        loan.installments.filter(number__in=gone).delete()


_UPDATED_FIELDS = tuple(
    column.name
    for column in Installment._meta.concrete_fields  # noqa: SLF001 - Django's public way to them.
    if column.name not in ("id", "loan", "number")
)
