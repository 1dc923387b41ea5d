"""A statement of account: what was owed, what moved it, and what is owed, by bucket.

Derived from folds alone: each line is the difference of two folds, one before and one after what
the line tells, so that opening + Σ lines = closing to the cent. Only effective dates matter: a
repayment that was reversed stands in it twice, when it came and when it was taken back.
See docs/formulas/statement.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from loans.engine.day_count import span_units
from loans.engine.events import Disbursed, Event, Reversed, in_effective_order
from loans.engine.explanation_lines import penalty_line
from loans.engine.ledger import LedgerAccount
from loans.engine.servicing import replay
from loans.engine.state import (
    Buckets,
    InstallmentState,
    Line,
    LoanState,
    RepaymentAllocation,
    Span,
)
from loans.engine.taken_back import reversal_lines
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money

_DAY: Final = dt.timedelta(days=1)


class StatementInvariantError(Exception):
    """The lines of a statement do not lead from its opening to its closing."""


class LineKind(StrEnum):
    """What a line tells."""

    UPFRONT_FEE = "UPFRONT_FEE"
    BILLED = "BILLED"
    LATE_CHARGE = "LATE_CHARGE"
    CREDIT_USED = "CREDIT_USED"
    INTEREST_TO_DATE = "INTEREST_TO_DATE"
    EVENT = "EVENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What is owed by bucket, as billed: interest that accrues since the last due date is not in.

    `credit` is money of the borrower that is held; `total` is what is owed less it. Also a change
    of these, then any part may be negative.
    """

    principal: Money
    interest: Money
    fees: Money
    penalty: Money
    credit: Money

    @property
    def total(self) -> Money:
        """Return principal, interest, fees and penalty less the credit."""
        return self.principal + self.interest + self.fees + self.penalty - self.credit

    def __add__(self, other: Position) -> Position:
        """Return the sum by bucket."""
        return Position(
            principal=self.principal + other.principal,
            interest=self.interest + other.interest,
            fees=self.fees + other.fees,
            penalty=self.penalty + other.penalty,
            credit=self.credit + other.credit,
        )

    def __sub__(self, other: Position) -> Position:
        """Return the difference by bucket."""
        return Position(
            principal=self.principal - other.principal,
            interest=self.interest - other.interest,
            fees=self.fees - other.fees,
            penalty=self.penalty - other.penalty,
            credit=self.credit - other.credit,
        )


_ZERO: Final = Money(0)
NO_CHANGE: Final = Position(
    principal=_ZERO, interest=_ZERO, fees=_ZERO, penalty=_ZERO, credit=_ZERO
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line: what happened on `date`, how it changed the position, and the position after it.

    Attributes:
        number: of the installment that was billed.
        asked: what the installment asks for, as billed; money paid ahead is not taken off.
        event: of a line of kind EVENT, INTEREST_TO_DATE or UPFRONT_FEE.
        allocation: where a repayment went, as it stood when it was received.
        because: lines that re-add to the interest and fees of a billed installment, to a late
            charge, to interest for the days used, to an up-front fee, or to all that a reversal
            changed.
    """

    date: dt.date
    kind: LineKind
    change: Position
    balance: Position
    number: int | None = None
    asked: Buckets | None = None
    event: Event | None = None
    allocation: RepaymentAllocation | None = None
    because: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The account from `start` through `end`, both included.

    `charged` is all interest, fees and penalty charged in these days, less what was taken off again
    by reversals. `state` is the fold on `end`.
    """

    start: dt.date
    end: dt.date
    opening: Position
    lines: tuple[StatementLine, ...]
    closing: Position
    charged: Position
    state: LoanState


def position_of(state: LoanState) -> Position:
    """Return what is owed in `state` by bucket, and the credit held.

    Ties with the journal: principal, interest, fees and penalty are the receivables' balances
    until a charge-off, which takes the asset off the books but not the debt off the borrower.
    """
    return Position(
        principal=state.due_now.principal + state.unbilled.principal,
        interest=state.due_now.interest + state.unbilled.interest - state.accrued_interest,
        fees=state.due_now.fees + state.unbilled.fees,
        penalty=state.due_now.penalty + state.unbilled.penalty,
        credit=state.prepaid + state.overpaid,
    )


def statement(
    terms: LoanTerms, events: Iterable[Event], *, start: dt.date, end: dt.date
) -> Statement:
    """Return the statement of account from `start` through `end`.

    Raises ValueError when `end` is before `start`, StatementInvariantError when the lines do not
    lead from opening to closing.
    """
    if end < start:
        raise ValueError("A statement ends no earlier than it starts.")
    ordered = _in_order(events)
    applied = [event for day, event in ordered if day < start]
    first = now = replay(terms, applied, start - _DAY)
    opening = balance = position_of(now)
    lines: list[StatementLine] = []
    while now.as_of < end:
        day = _next_day(now, ordered, end=end)
        steps = [_Step(later=replay(terms, applied, day))]
        for event in [event for on, event in ordered if on == day]:
            applied.append(event)
            steps.append(_Step(later=replay(terms, applied, day), event=event))
        for step in steps:
            for line in _lines_of(now, step, balance, terms):
                balance = line.balance
                lines.append(line)
            now = step.later
    closing = position_of(now)
    if balance != closing:
        raise StatementInvariantError(f"The lines lead to {balance}, the fold to {closing}.")
    return Statement(
        start=start,
        end=end,
        opening=opening,
        lines=tuple(lines),
        closing=closing,
        charged=_charged_between(first, now),
        state=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A fold after days have passed, or after `event`."""

    later: LoanState
    event: Event | None = None


def _in_order(events: Iterable[Event]) -> list[tuple[dt.date, Event]]:
    """Return each event with the day on which it first counts; a reversal after its target.

    A reversal is the last of its day, but for that of a payout: the next payout comes after it.
    """
    known = in_effective_order(events)
    places = {event.event_id: place for place, event in enumerate(known)}
    by_id = {event.event_id: event for event in known}

    def order(event: Event) -> tuple[dt.date, bool, int, bool]:
        if not isinstance(event, Reversed):
            return event.effective_date, False, places[event.event_id], False
        target = by_id[event.of]
        return (
            max(event.effective_date, target.effective_date),
            not isinstance(target, Disbursed),
            max(places[event.event_id], places[event.of]),
            True,
        )

    return [(order(event)[0], event) for event in sorted(known, key=order)]


def _next_day(now: LoanState, ordered: list[tuple[dt.date, Event]], *, end: dt.date) -> dt.date:
    """Return the next day with something to tell: a due date of the plan in force, or an event."""
    days = [row.due_date for row in now.installments] + [day for day, _ in ordered]
    return min((day for day in days if now.as_of < day < end), default=end)


def _lines_of(
    now: LoanState, step: _Step, balance: Position, terms: LoanTerms
) -> Iterator[StatementLine]:
    if step.event is None:
        return _lines_of_time(now, step.later, balance, terms)
    return _lines_of_event(now, step.later, step.event, balance)


def _charged(state: LoanState) -> tuple[int, int, int]:
    """Return all interest, fees and penalty that were ever charged, in cents."""
    return (
        -state.balances[LedgerAccount.INTEREST_INCOME].cents,
        -state.balances[LedgerAccount.FEE_INCOME].cents,
        -state.balances[LedgerAccount.PENALTY_INCOME].cents,
    )


def _charged_between(now: LoanState, later: LoanState) -> Position:
    interest, fees, penalty = (
        Money(after - before) for before, after in zip(_charged(now), _charged(later), strict=True)
    )
    return replace(NO_CHANGE, interest=interest, fees=fees, penalty=penalty)


def _lines_of_time(
    now: LoanState, later: LoanState, balance: Position, terms: LoanTerms
) -> Iterator[StatementLine]:
    """Yield what the days after `now`, through `later`, did by themselves."""
    day, change = later.as_of, position_of(later) - position_of(now)
    charged = _charged_between(now, later)
    if charged.penalty:
        part = replace(NO_CHANGE, penalty=charged.penalty)
        balance += part
        yield StatementLine(
            date=day,
            kind=LineKind.LATE_CHARGE,
            change=part,
            balance=balance,
            because=_late_charge_lines(now, later, terms),
        )
    for row, part in _billed_between(now, later, charged):
        balance += part
        yield StatementLine(
            date=row.due_date,
            kind=LineKind.BILLED,
            change=part,
            balance=balance,
            number=row.number,
            asked=_asked(now, row),
            because=tuple(
                line
                for name in ("interest", "fees")
                for line in later.explain(f"installment.{row.number}.{name}")
            ),
        )
    used = change - charged
    if used != NO_CHANGE:
        yield StatementLine(
            date=day, kind=LineKind.CREDIT_USED, change=used, balance=balance + used
        )


def _billed_between(
    now: LoanState, later: LoanState, charged: Position
) -> Iterator[tuple[InstallmentState, Position]]:
    """Yield the newly billed installments with the interest and fees that each added."""
    known = {row.number for row in now.installments if row.billed}
    rows = [row for row in later.installments if row.billed and row.number not in known]
    rest = replace(charged, penalty=_ZERO)
    for row in rows[:-1]:
        part = replace(NO_CHANGE, interest=row.due.interest - row.carried_interest)
        rest -= part
        yield row, part
    if rows:
        yield rows[-1], rest


def _asked(now: LoanState, row: InstallmentState) -> Buckets:
    """Return what an installment asks for when it is billed: not what was repaid before."""
    early = sum(part.amount.cents for part in now.early if part.number == row.number)
    return row.due._replace(
        principal_cents=row.due.principal_cents - early,
        penalty_cents=row.kept_penalty.cents,
    )


def _lines_of_event(
    now: LoanState, later: LoanState, event: Event, balance: Position
) -> Iterator[StatementLine]:
    """Yield what an event did; what it made due by closing the running period stands apart.

    So does the up-front fee, which is owed from the payout on and never held back from it.
    """
    day, change = later.as_of, position_of(later) - position_of(now)
    charged = _charged_between(now, later)
    if isinstance(event, Reversed):
        charged = NO_CHANGE
    if charged.interest.cents > 0:
        part = replace(NO_CHANGE, interest=charged.interest)
        change -= part
        balance += part
        yield StatementLine(
            date=day,
            kind=LineKind.INTEREST_TO_DATE,
            change=part,
            balance=balance,
            event=event,
            because=_interest_to_date_lines(now, later, charged.interest),
        )
    fee = charged.fees if isinstance(event, Disbursed) else _ZERO
    part = replace(NO_CHANGE, fees=fee)
    balance += change - part
    yield StatementLine(
        date=day,
        kind=LineKind.EVENT,
        change=change - part,
        balance=balance,
        event=event,
        allocation=next((r for r in later.repayments if r.event_id == event.event_id), None),
        because=reversal_lines(now, later, change=change.total)
        if isinstance(event, Reversed)
        else (),
    )
    if fee:
        yield StatementLine(
            date=day,
            kind=LineKind.UPFRONT_FEE,
            change=part,
            balance=balance + part,
            event=event,
            because=later.explain("unbilled.fees"),
        )


def _interest_to_date_lines(now: LoanState, later: LoanState, whole: Money) -> tuple[Line, ...]:
    """Return the days behind the interest that an event made due; they re-add to it exactly."""
    if whole == now.accrued_interest:
        return now.explain("accrued_interest")
    known = {row.number for row in now.installments if row.billed}
    lines = [
        line
        for row in later.installments
        if row.billed and row.number not in known
        for line in later.explain(f"installment.{row.number}.interest")
        if line.rule != "CARRIED_INTEREST"
    ]
    gap = whole.amount - sum((line.amount for line in lines), Decimal(0))
    if gap:
        lines.append(Line(amount=gap, rule="REST_OF_INTEREST", text_key="rest_of_interest"))
    return tuple(lines)


def _late_charge_lines(now: LoanState, later: LoanState, terms: LoanTerms) -> tuple[Line, ...]:
    """Return the late charge of the days after `now`, by installment, re-adding to the cent."""
    before = {row.number: row for row in now.installments}
    lines: list[Line] = []
    for row in later.installments:
        earlier = before.get(row.number)
        charged = row.due.penalty - row.kept_penalty
        if earlier is not None:
            charged -= earlier.due.penalty - earlier.kept_penalty
        spans = [
            _line_after(row, span, now.as_of, terms)
            for span in row.penalty_spans
            if span.end > now.as_of
        ]
        gap = charged.amount - sum((line.amount for line in spans), Decimal(0))
        lines += spans
        if gap:
            lines.append(Line(amount=gap, rule="ROUNDING", text_key="rounding", number=row.number))
    return tuple(lines)


def _line_after(row: InstallmentState, span: Span, day: dt.date, terms: LoanTerms) -> Line:
    """Return the late charge of the part of the span that lies after `day`."""
    if span.start < day:
        units = span_units(terms.day_count, day, span.end)
        span = span._replace(start=day, units=units)
    return penalty_line(row, span)
