"""Compare a loan's projection and journal with the fold of its events, and repair what differs.

Events are the truth. The projection is written anew; the journal is corrected by an entry that says
so. Neither touches an event.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import transaction

from loans.engine.events import Disbursed, Event, Reversed
from loans.engine.ledger import LedgerAccount
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.models import Installment, Loan
from loans.models.books import BooksCheck
from loans.selectors.business_day import business_date
from loans.selectors.servicing import events_of, terms_of
from loans.services.ledger import booked_balances
from loans.services.servicing import PROJECTED_FIELDS, installment_row, project, refresh_loan
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money

REPAIR_REASON = "REBUILT"
_BATCH = 500
_NOTHING = "–"
# What reading and folding raise when rows are not what they should be; a check must outlive it.
_UNFOLDABLE = (ValueError, LookupError, ArithmeticError, AssertionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is held and what the events say, of one column, installment or account."""

    check: BooksCheck
    item: str
    held: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanComparison:
    """A loan that was compared, with what was found; `repaired` when it was put right."""

    loan_id: int
    number: str
    differences: tuple[Difference, ...]
    repaired: bool = False


def loan_keys(numbers: Iterable[str] = ()) -> Iterator[int]:
    """Yield the keys of the loans with these contract numbers, of all without any, in batches."""
    loans = Loan.objects.order_by("pk")
    wanted = list(numbers)
    if wanted:
        loans = loans.filter(agreement__number__in=wanted)
    after = 0
    while batch := list(loans.filter(pk__gt=after).values_list("pk", flat=True)[:_BATCH]):
        yield from batch
        after = batch[-1]


@transaction.atomic
def compare_loan(*, loan_id: int) -> LoanComparison:
    """Compare one loan under its lock, at the date through which it is projected."""
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    return LoanComparison(
        loan_id=loan.pk, number=loan.agreement.number, differences=differences_of(loan)
    )


@transaction.atomic
def repair_loan(*, loan_id: int, actor: Actor, at: datetime.datetime) -> LoanComparison:
    """Compare one loan under its lock; write its projection anew and book what the journal lacks.

    A loan whose events cannot be folded is left as it is.
    """
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    found = differences_of(loan)
    can_repair = bool(found) and all(each.check != BooksCheck.FOLD for each in found)
    if can_repair:
        events = events_of(loan)
        # A loan that is paid out has a date of it, in the database's own rules.
        if _paid_out_on(events) is not None:
            _repair_payout_date(loan, events)
        refresh_loan(
            loan=loan,
            as_of=_as_of(loan),
            reason=REPAIR_REASON,
            actor=actor,
            at=at,
            events=events,
        )
        _repair_payout_date(loan, events)
    return LoanComparison(
        loan_id=loan.pk, number=loan.agreement.number, differences=found, repaired=can_repair
    )


def differences_of(loan: Loan) -> tuple[Difference, ...]:
    """Return what of the loan differs from the fold of its events; the loan is locked."""
    try:
        events = events_of(loan)
    except _UNFOLDABLE as error:
        return (_difference(BooksCheck.FOLD, "events", _NOTHING, error),)
    if not events and loan.projected_as_of is None:
        return tuple(_journal(loan, {}))
    try:
        state = replay(terms_of(loan), events, _as_of(loan))
    except _UNFOLDABLE as error:
        return (_difference(BooksCheck.FOLD, "events", _NOTHING, error),)
    return (
        *_columns(loan, events, state),
        *_installments(loan, state),
        *_journal(loan, dict(state.balances)),
    )


def _as_of(loan: Loan) -> datetime.date:
    return loan.projected_as_of or business_date()


def _repair_payout_date(loan: Loan, events: tuple[Event, ...]) -> None:
    paid_out_on = _paid_out_on(events)
    if loan.disbursed_on != paid_out_on:
        loan.disbursed_on = paid_out_on
        loan.save(update_fields=["disbursed_on"])


def _paid_out_on(events: tuple[Event, ...]) -> datetime.date | None:
    """Return the day of the payout that stands; one that came back was never made."""
    undone = {event.of for event in events if isinstance(event, Reversed)}
    payouts = (event for event in events if isinstance(event, Disbursed))
    return next((each.effective_date for each in payouts if each.event_id not in undone), None)


def _columns(loan: Loan, events: tuple[Event, ...], state: LoanState) -> Iterator[Difference]:
    folded = copy.copy(loan)
    project(folded, state)
    folded.disbursed_on = _paid_out_on(events)
    for name in ("disbursed_on", *PROJECTED_FIELDS):
        held, expected = getattr(loan, name), getattr(folded, name)
        if held != expected:
            yield _difference(BooksCheck.PROJECTION, name, held, expected)


def _installments(loan: Loan, state: LoanState) -> Iterator[Difference]:
    held = {row.number: row for row in loan.installments.all()}
    for each in state.installments:
        expected = installment_row(loan, each)
        row = held.pop(each.number, None)
        if row is None:
            yield _difference(BooksCheck.PROJECTION, f"#{each.number}", _NOTHING, each.due_date)
            continue
        for name in _ROW_NAMES:
            if getattr(row, name) != getattr(expected, name):
                yield _difference(
                    BooksCheck.PROJECTION,
                    f"#{each.number} {name}",
                    getattr(row, name),
                    getattr(expected, name),
                )
    for row in held.values():
        yield _difference(BooksCheck.PROJECTION, f"#{row.number}", row.due_date, _NOTHING)


def _journal(loan: Loan, balances: dict[LedgerAccount, Money]) -> Iterator[Difference]:
    booked = booked_balances(loan)
    for account in LedgerAccount:
        held = booked.get(account, Money.zero())
        expected = balances.get(account, Money.zero())
        if held != expected:
            yield _difference(BooksCheck.JOURNAL, account.value, held, expected)


def _difference(check: BooksCheck, item: str, held: object, expected: object) -> Difference:
    texts = (_NOTHING if value is None else str(value)[:200] for value in (held, expected))
    held_text, expected_text = texts
    return Difference(check=check, item=item, held=held_text, expected=expected_text)


_ROW_NAMES = [
    column.name
    for column in Installment._meta.concrete_fields  # noqa: SLF001 - Django's public way to them.
    if column.name not in {"id", "loan", "number"}
]
