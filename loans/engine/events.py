"""Events: append-only facts about a loan, each with the date from which it counts.

An event is never edited; a mistake is corrected by another event. `sequence` is the order of
recording and decides between events of one date only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from operator import attrgetter
from typing import ClassVar, Final

from loans.engine.codec import InvalidInputError, Reader, shown
from loans.engine.terms import (
    MOST_INSTALLMENTS,
    PRINCIPAL_FIRST,
    AllocationOrder,
    Method,
    Period,
    PrepaymentEffect,
    read_allocation,
    read_period,
)
from zhixin.shared.money import Money

_ZERO: Final = Money(0)


class InvalidEventError(InvalidInputError):
    """An event cannot be read, or does not fit the loan it is meant for.

    `event_id` is the event that does not fit, where one was read.
    """

    event_id = ""

    def placed(self, where: str) -> InvalidEventError:
        """Return the error with the event's place in its key, as in `events[3].amount`."""
        key = self.key.replace("event", where, 1)
        return InvalidEventError(key=key, problem=self.problem, mend=self.mend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have: identity, the date they count from, the order of recording."""

    kind: ClassVar[str] = ""
    after_payout: ClassVar[bool] = True

    event_id: str
    effective_date: dt.date
    sequence: int

    def to_json(self) -> dict[str, object]:
        """Return the JSON form; `event_from_json` reads it back unchanged."""
        data: dict[str, object] = {
            "type": self.kind,
            "id": self.event_id,
            "date": self.effective_date.isoformat(),
            "sequence": self.sequence,
        }
        for field in fields(self):
            if field.name not in _COMMON_FIELDS and getattr(self, field.name) != "":
                data[field.name] = _to_json(getattr(self, field.name))
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Disbursed(Event):
    """The whole principal was paid out (conduct PR-08)."""

    kind: ClassVar[str] = "DISBURSEMENT"
    after_payout: ClassVar[bool] = False

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaid(Event):
    """Money came from the borrower. `prepayment` None leaves its surplus to the terms' rule."""

    kind: ClassVar[str] = "REPAYMENT"

    amount: Money
    prepayment: PrepaymentEffect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed(Event):
    """The event `of` turned out not to be true: from `effective_date` it was never made."""

    kind: ClassVar[str] = "REVERSAL"

    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(Event):
    """Credit was paid back to the borrower; more than the credit becomes principal again."""

    kind: ClassVar[str] = "REFUND"

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived(Event):
    """Amounts forgiven of what is billed, oldest first; more than is owed forgives what is owed."""

    kind: ClassVar[str] = "WAIVER"

    principal: Money = _ZERO
    interest: Money = _ZERO
    fees: Money = _ZERO
    penalty: Money = _ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(Event):
    """A new plan for all that is outstanding (docs/formulas/plan_change.md).

    The principal outstanding is repaid by the plan's terms. Billed and accrued interest that is
    not waived is spread over the new installments and bears no interest. Penalty that is not waived
    is kept beside the plan, falls due with its last installment and does not grow.
    `interest_free_until` is the last day that costs no interest.
    """

    kind: ClassVar[str] = "PLAN_CHANGE"

    annual_rate: Decimal
    installment_count: int
    first_due_date: dt.date
    period: Period
    method: Method
    waived_penalty: Money = _ZERO
    waived_interest: Money = _ZERO
    allocation: AllocationOrder = PRINCIPAL_FIRST
    interest_free_until: dt.date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDateMoved(Event):
    """Installment `number` can be paid through `payable_through`, without interest or lateness."""

    kind: ClassVar[str] = "DUE_DATE_MOVE"

    number: int
    payable_through: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedOff(Event):
    """The lender wrote the loan off: everything is due, nothing accrues any more."""

    kind: ClassVar[str] = "CHARGE_OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Event):
    """Money came after the charge-off."""

    kind: ClassVar[str] = "RECOVERY"

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed(Event):
    """Installment `number` is fenced off: no penalty, no days past due until it is resolved."""

    kind: ClassVar[str] = "DISPUTE"

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeResolved(Event):
    """The dispute `of` is answered; the fenced days stay uncounted."""

    kind: ClassVar[str] = "DISPUTE_RESOLUTION"

    of: str


effective_order: Final = attrgetter("effective_date", "after_payout", "sequence", "event_id")
"""What events are sorted by: date, the payout first, order of recording."""


def in_effective_order(events: Iterable[Event]) -> list[Event]:
    """Return the events in the order in which they count.

    Only the first payout comes before all else on its date: a later one, after the first was
    reversed, finds what was recorded before it.
    """
    ordered = sorted(events, key=effective_order)
    payouts = [event for event in ordered if isinstance(event, Disbursed)]
    if len(payouts) > 1:
        first = payouts[0]
        ordered.sort(
            key=lambda event: (
                event.effective_date,
                event is not first,
                event.sequence,
                event.event_id,
            )
        )
    return ordered


_COMMON_FIELDS: Final = frozenset({"event_id", "effective_date", "sequence"})
_KINDS: Final[tuple[type[Event], ...]] = (
    Disbursed, Repaid, Reversed, Refunded, Waived, PlanChanged,
    DueDateMoved, ChargedOff, Recovered, Disputed, DisputeResolved,
)  # fmt: skip
EVENT_KINDS: Final = {kind.kind: kind for kind in _KINDS}


def event_from_json(data: object, *, sequence: int = 0, where: str = "event") -> Event:
    """Return the event that `data` states.

    `sequence` stands in where the data states none. Every event needs an id; only a reversal may
    leave it out, and then gets one from what it reverses. Raises InvalidEventError, which names
    the key and the mend.
    """
    reader = Reader(data, where=where, error=InvalidEventError)
    name = reader.text("type")
    kind = EVENT_KINDS.get(name)
    if kind is None:
        reader.fail("type", f"{shown(name)} is unknown", "Write one of " + ", ".join(EVENT_KINDS))
    values: dict[str, object] = {
        "event_id": _identity(reader, name),
        "effective_date": reader.date("date"),
        "sequence": reader.integer("sequence", least=0, most=10**12)
        if reader.has("sequence")
        else sequence,
    }
    for field in fields(kind):
        if field.name in _COMMON_FIELDS:
            continue
        if reader.has(field.name):
            values[field.name] = _READ[field.name](reader)
        elif field.name in _REQUIRED[name]:
            reader.raw(field.name)
    reader.finish()
    return kind(**values)  # type: ignore[arg-type]  # Each value was read by its field's reader.


def nameless_reversal(of: str) -> str:
    """Return the id of a reversal that has none of its own."""
    return f"reversal-of-{of}"


def _identity(reader: Reader, name: str) -> str:
    if name == Reversed.kind and not reader.states("id"):
        return nameless_reversal(reader.text("of"))
    return reader.text("id")


def _positive(reader: Reader, key: str) -> Money:
    amount = reader.money(key)
    if amount.cents <= 0:
        reader.fail(key, f"{amount} is not positive", "Write at least 0.01")
    return amount


def _not_negative(reader: Reader, key: str) -> Money:
    amount = reader.money(key)
    if amount.cents < 0:
        reader.fail(key, f"{amount} is negative", "Write 0.00 or more")
    return amount


def _reader_of_waiver(key: str) -> Callable[[Reader], object]:
    return lambda reader: _not_negative(reader, key)


_READ: Final[dict[str, Callable[[Reader], object]]] = {
    "amount": lambda reader: _positive(reader, "amount"),
    "prepayment": lambda reader: reader.choice("prepayment", PrepaymentEffect),
    "of": lambda reader: reader.text("of"),
    **{
        key: _reader_of_waiver(key)
        for key in ("principal", "interest", "fees", "penalty", "waived_penalty", "waived_interest")
    },
    "annual_rate": lambda reader: reader.rate("annual_rate"),
    "installment_count": lambda reader: reader.integer(
        "installment_count", least=1, most=MOST_INSTALLMENTS
    ),
    "first_due_date": lambda reader: reader.date("first_due_date"),
    "period": read_period,
    "method": lambda reader: reader.choice("method", Method),
    "allocation": read_allocation,
    "interest_free_until": lambda reader: reader.date("interest_free_until"),
    "reason": lambda reader: reader.text("reason"),
    "number": lambda reader: reader.integer("number", least=1, most=100_000),
    "payable_through": lambda reader: reader.date("payable_through"),
}

_REQUIRED: Final[dict[str, frozenset[str]]] = {
    kind.kind: frozenset(
        field.name
        for field in fields(kind)
        if field.name not in _COMMON_FIELDS and field.default is field.default_factory
    )
    for kind in _KINDS
}


def _to_json(value: object) -> object:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Period):
        return value.to_json()
    if isinstance(value, tuple):
        return [str(part) for part in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)
