"""The rows of a repayment, written once more by bare ORM: what the services are measured against.

After a repayment has gone through the services, the rows that it in fact inserted or changed are
read back, and the same rows are made for a twin loan, to be written by plain `save()` and
`bulk_create()` in as many transactions. See docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import uuid4

from celery import current_app
from django.db import models, transaction

from loans.engine.lifecycle import TransferState
from loans.models import (
    BankNotice,
    BankTransfer,
    Installment,
    JournalEntry,
    Loan,
    LoanEvent,
    LoanStatusChange,
    MoneyCommand,
    Posting,
)
from zhixin.shared.money import Money, total

# How a transfer is before the bank's word.
_UNSETTLED: Final = {
    "state": TransferState.PENDING,
    "bank_reference": "",
    "settled_at": None,
    "bank_date": None,
}
_BUCKETS: Final = ("principal", "interest", "fees", "penalty")
_MESSAGES: Final = ("loans.send_transfer", "loans.tell_borrower_of_transfer")

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a loan and its installments were before a repayment."""

    loan: Loan
    installments: dict[int, Installment]
    status_changes: int

    @classmethod
    def of(cls, loan: Loan) -> Snapshot:
        """Return the loan as it is stored now."""
        loan.refresh_from_db()
        rows = {row.number: row for row in loan.installments.order_by("number")}
        return cls(copy(loan), rows, loan.status_changes.count())

    @property
    def due(self) -> Money:
        """Return what the oldest unpaid installment asks for."""
        row = next(each for each in self.installments.values() if each.paid_on is None)
        return total(getattr(row, name) - getattr(row, f"{name}_paid") for name in _BUCKETS)


@dataclass(slots=True, kw_only=True)
class TwinWrites:
    """The rows of one repayment, made for the twin and not saved yet."""

    command: MoneyCommand
    transfer: BankTransfer
    settled: dict[str, object]
    notice: BankNotice
    event: LoanEvent
    entry: JournalEntry
    postings: list[Posting]
    status_changes: list[LoanStatusChange]
    loan: Loan
    loan_fields: list[str]
    installments: list[Installment]

    def write(self) -> None:
        """Write them by plain ORM, in the services' two transactions."""
        with transaction.atomic():
            self.command.save(force_insert=True)
            self.transfer.command = self.command
            self.transfer.save(force_insert=True)
        with transaction.atomic():
            self.notice.transfer = self.transfer
            self.notice.save(force_insert=True)
            for name, value in self.settled.items():
                setattr(self.transfer, name, value)
            self.transfer.save(update_fields=list(self.settled))
            self.event.transfer = self.transfer
            self.event.save(force_insert=True)
            self.entry.event = self.event
            self.entry.save(force_insert=True)
            for posting in self.postings:
                posting.entry = self.entry
            _insert_at_once(self.postings)
            for change in self.status_changes:
                change.save(force_insert=True)
            self.loan.save(update_fields=self.loan_fields)
            for row in self.installments:
                row.save(force_update=True)

    def send_messages(self) -> None:
        """Send the two tasks that the services hand to the broker."""
        for name in _MESSAGES:
            current_app.send_task(name, kwargs={"transfer_id": self.transfer.pk}, retry=False)

    def row_counts(self) -> tuple[int, int]:
        """Return rows inserted and rows updated."""
        inserted = 5 + len(self.postings) + len(self.status_changes)
        return inserted, 2 + len(self.installments)


def _insert_at_once(rows: list[Posting]) -> None:
    type(rows[0])._default_manager.bulk_create(rows)  # noqa: SLF001 - Django's public way.


def twin_writes(transfer: BankTransfer, before: Snapshot, twin: Loan) -> TwinWrites:
    """Read back what the repayment of `transfer` wrote; return the same for the twin."""
    transfer = BankTransfer.objects.get(pk=transfer.pk)
    event = LoanEvent.objects.get(transfer=transfer)
    entry = JournalEntry.objects.get(event=event)
    changes = list(before.loan.status_changes.order_by("pk"))[before.status_changes :]
    after = Loan.objects.get(pk=before.loan.pk)
    fields = _changed(before.loan, after)
    twin.refresh_from_db()
    for name in fields:
        setattr(twin, name, getattr(after, name))
    return TwinWrites(
        command=_fresh(MoneyCommand.objects.get(transfer=transfer), key=uuid4().hex),
        transfer=_fresh(transfer, public_id=uuid4(), loan=twin, **_UNSETTLED),
        settled={name: getattr(transfer, name) for name in _UNSETTLED},
        notice=_fresh(BankNotice.objects.get(transfer=transfer)),
        event=_fresh(event, event_id=uuid4(), loan=twin),
        entry=_fresh(entry, loan=twin),
        postings=[_fresh(each, loan=twin) for each in entry.postings.order_by("pk")],
        status_changes=[_fresh(each, loan=twin) for each in changes],
        loan=twin,
        loan_fields=fields,
        installments=list(_changed_installments(before, twin)),
    )


def _changed_installments(before: Snapshot, twin: Loan) -> Iterator[Installment]:
    rows = {row.number: row for row in twin.installments.all()}
    for after in before.loan.installments.order_by("number"):
        fields = _changed(before.installments[after.number], after)
        if fields:
            for name in fields:
                setattr(rows[after.number], name, getattr(after, name))
            yield rows[after.number]


def _changed(before: models.Model, after: models.Model) -> list[str]:
    names = [field.attname for field in before._meta.concrete_fields]  # noqa: SLF001 - see above.
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _fresh(row: Row, **changes: object) -> Row:
    """Return an unsaved copy of the row with `changes`."""
    new = copy(row)
    new._state = copy(row._state)  # noqa: SLF001 - as Django's own copies of rows do it.
    new._state.adding = True  # noqa: SLF001 - as Django's own copies of rows do it.
    new._state.fields_cache = {}  # noqa: SLF001 - as Django's own copies of rows do it.
    new.pk = None
    for name, value in changes.items():
        setattr(new, name, value)
    return new
