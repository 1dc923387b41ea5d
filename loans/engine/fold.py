"""The working data of a fold: installments, credit and totals while events are applied in order.

One fixed order per day: due → accrue → penalty → pay → classify. Amounts are whole cents; interest
and penalty are kept as exact sums of cents × units until they are settled. Time is in `passage`,
money in `payments`, plans in `plan_change`, the rest in `interventions`.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from loans.engine.day_count import UNITS_A_YEAR, span_units
from loans.engine.events import InvalidEventError
from loans.engine.installments import (
    FEES,
    INTEREST,
    PENALTY,
    PRINCIPAL,
    Plan,
    Row,
    indices_of,
)
from loans.engine.terms import Across, DayCount, LoanTerms

_TURN: Final = attrgetter("payable_through", "number")
_BY_INSTALLMENT: Final = Across.INSTALLMENT  # A member looked up costs more than it is used for.


class Fold:
    """A loan in the middle of its fold. `cursor` is the day through which it is accrued.

    `event_id` is the event that is being applied, `base_event` the one that last changed what
    interest counts on. `without_effect` are events that found nothing to change; `plan_undone` says
    that a plan, whose installments other events may name, was reversed. `payout_undone_on` is the
    day of the first payout that was reversed: from it on, money may come while nothing is paid out.
    `out_of_turn` says that open rows may not be paid in the order of their last days: one was moved
    or disputed, or owes nothing but penalty.
    """

    # With slots an attribute is found faster; there are more than a shared dictionary holds.
    __slots__ = (
        "allocations",
        "base_event",
        "called",
        "charged_off_on",
        "closed_on",
        "closings",
        "credit",
        "credit_total",
        "cursor",
        "day_count",
        "disbursed",
        "disputes",
        "disputes_ended",
        "early",
        "event_id",
        "highest_number",
        "last_plan_on",
        "loss",
        "most_late",
        "open",
        "out_of_turn",
        "payout_undone_on",
        "plan_undone",
        "plans",
        "projecting",
        "queue",
        "received",
        "recognized_fees",
        "recognized_interest",
        "recovered",
        "refunded",
        "refunds",
        "repaid_early",
        "rounding",
        "rows",
        "terms",
        "unbilled",
        "waived",
        "waivers",
        "without_effect",
    )  # fmt: skip

    def __init__(self, terms: LoanTerms) -> None:
        """Start before the disbursement."""
        self.terms = terms
        self.rounding = terms.rounding
        self.day_count = terms.day_count
        self.cursor = dt.date.min
        self.plans: list[Plan] = []
        self.rows: list[Row] = []
        self.queue: deque[Row] = deque()
        self.open: list[Row] = []
        self.out_of_turn = False
        self.unbilled = 0
        self.credit: list[tuple[str, dt.date, int]] = []
        self.credit_total = 0
        self.disbursed = self.received = self.refunded = self.recovered = 0
        self.recognized_interest = self.recognized_fees = 0
        self.waived = [0, 0, 0, 0]
        self.loss = [0, 0, 0, 0]
        self.charged_off_on: dt.date | None = None
        self.called = False
        self.allocations: dict[str, dict[int, list[int]]] = {}
        self.disputes: dict[str, Row] = {}
        self.disputes_ended: dict[str, dict[str, int]] = {}
        self.closed_on: dt.date | None = None
        self.last_plan_on: dt.date | None = None
        self.most_late = 0
        self.highest_number = 0
        self.repaid_early = False
        self.projecting = False
        self.event_id = ""
        self.without_effect: list[str] = []
        self.plan_undone = False
        self.payout_undone_on: dt.date | None = None
        self.base_event = ""
        self.waivers: list[tuple[str, int | None, int, int, bool]] = []
        self.closings: dict[int, str] = {}
        self.early: list[tuple[str, int, int]] = []
        self.refunds: list[tuple[str, str | None, int]] = []

    @property
    def plan(self) -> Plan:
        """Return the plan in force."""
        return self.plans[-1]

    # -- installments --------------------------------------------------------------------------

    def lay_out(
        self,
        plan: Plan,
        start: dt.date,
        dates: Sequence[dt.date],
        payable: Sequence[dt.date],
        units: Sequence[int],
        *,
        fee: int = 0,
    ) -> None:
        """Queue the plan's installments behind what there is."""
        number = max((row.number for row in self.rows), default=0)
        year = UNITS_A_YEAR[self.day_count]
        thirty = self.day_count is DayCount.THIRTY_360
        columns = zip(dates, payable, units, strict=True)
        for index, (due_date, payable_through, unit) in enumerate(columns, 1):
            whole = span_units(self.day_count, start, due_date)
            row = Row(
                number=number + index,
                index=index,
                plan=plan,
                start=start,
                due_date=due_date,
                payable_through=payable_through,
                fee=fee,
                scale=(unit, year * whole) if thirty else (1, year),
                whole=whole,
            )
            self.rows.append(row)
            self.queue.append(row)
            start = due_date
        self.highest_number = max(self.highest_number, number + len(dates))

    def row_by_number(self, number: int) -> Row | None:
        """Return the installment, None when the loan needs it no more."""
        if number > self.highest_number and not self.plan_undone:
            raise InvalidEventError(
                key="event.number",
                problem=f"there is no installment {number}",
                mend=f"Write a number from 1 to {self.highest_number}",
            )
        return next((row for row in self.rows if row.number == number), None)

    def end_disputes(self, rows: Iterable[Row]) -> None:
        """End the disputes about the rows, by the event at hand."""
        numbers = {row.number for row in rows}
        ended = {
            event_id: row.number for event_id, row in self.disputes.items() if row.number in numbers
        }
        for event_id in ended:
            del self.disputes[event_id]
        if ended:
            self.disputes_ended[self.event_id] = ended

    def note_nothing_done(self) -> None:
        """Note that the event at hand found nothing to change."""
        self.without_effect.append(self.event_id)

    def open_row(self, row: Row) -> None:
        """Ask for what the row holds; money held pays it, and what waited for it, at once."""
        row.billed = True
        row.is_open = any(row.owed())
        # What is only looked at, how it will be, is paid by money held and by no other.
        if row.is_open and (self.credit or not self.projecting):
            last = self.open[-1] if self.open else None
            self.open.append(row)
            if last and last.payable_through > row.payable_through:
                self.sort_open()
        if self.credit:
            self.use_credit()
        if not row.is_open and row.paid_on is None and any(row.due()):
            row.paid_on = row.due_date
        if not self.projecting:
            self.note_closing(self.cursor)

    def sort_open(self) -> None:
        """Put first what has to be paid first: the last day in time decides, then the number."""
        self.open.sort(key=_TURN)

    def rows_in_turn(self, day: dt.date) -> list[Row]:
        """Return the open rows that money of `day` pays, in their order.

        First those that are payable by `day`, of these last what can be no later than it is: those
        that owe only penalty. A row waits, and is left out, while one that is not billed yet has to
        be paid before it; one that is suspended while any is not billed, and it comes last of all.
        """
        rows = self.open
        if not self.out_of_turn:
            return rows
        if self.disputes and self.queue:
            rows = [row for row in rows if not row.is_suspended]
        # What is payable by `day` waits for nothing: what is not billed then is due after it.
        if any(row.payable_through > day for row in rows):
            first = min((row.payable_through for row in self.queue), default=dt.date.max)
            rows = [row for row in rows if row.payable_through <= first]
        return sorted(rows, key=lambda row: _precedence(row, day))

    def owes_later(self) -> bool:
        """Return whether anything is left that is not billed yet."""
        if not self.queue:
            return False
        return bool(self.unbilled) or any(
            row.carried_interest or row.carried_fees or row.kept_penalty or row.accrued()
            for row in self.queue
        )

    # -- money held and placed -----------------------------------------------------------------

    def pay_open(
        self, event_id: str, amount: int, day: dt.date, *, waiting_too: bool = False
    ) -> int:
        """Pay what is due and does not wait, in the order in force on `day`; return what is left.

        With `waiting_too` also what waits, but for what is suspended.
        """
        if not self.open:
            return amount
        order, across = self._order_on(day)
        if waiting_too:
            rows = [row for row in self.open if not row.is_suspended]
        else:
            rows = self.rows_in_turn(day)
        for group, buckets in _passes(rows, order, across, day):
            for row in group:
                if not amount:
                    break
                amount = self._pay_row(row, event_id, amount, day, buckets)
        self._drop_closed()
        return amount

    def _drop_closed(self) -> None:
        """Leave out of the open rows what is open no more."""
        self.open = [row for row in self.open if row.is_open]

    def _order_on(self, day: dt.date) -> tuple[tuple[int, ...], Across]:
        """Return the plan's order, or that of the late rule which the oldest row has reached."""
        plan = self.plans[-1]
        found = plan.order, _BY_INSTALLMENT
        rules = plan.terms.late_allocation
        if rules:
            late = max((row.days_late_now(day) for row in self.open), default=0)
            for rule in rules:
                if late >= rule.from_days_past_due:
                    found = indices_of(rule.order), rule.across
        return found

    def prune(self) -> None:
        """Close the rows that owe nothing any more."""
        for row in self.open:
            row.is_open = any(row.owed())
        self._drop_closed()

    def _pay_row(
        self, row: Row, event_id: str, amount: int, day: dt.date, order: tuple[int, ...]
    ) -> int:
        """Pay what the row owes, bucket by bucket; return what is left."""
        owed, whole = row.owed(), amount
        was_unpaid = bool(owed[PRINCIPAL] + owed[INTEREST] + owed[FEES])
        covered = row.covered
        parts = [0, 0, 0, 0] if self.projecting else self.parts_of(event_id, row.number)
        for index in order:
            if not amount:
                break
            part = owed[index]
            if part:
                part = min(amount, part)
                covered[index] += part
                parts[index] += part
                owed[index] -= part
                amount -= part
                if index == PRINCIPAL:
                    row.principal_event = event_id
        if not (owed[PRINCIPAL] + owed[INTEREST] + owed[FEES]):
            row.paid_on = day
            if was_unpaid:
                row.settled_late = row.lateness(day)
            row.is_open = bool(owed[PENALTY])
            if row.is_open:
                self.out_of_turn = True
        self.count_recovered(whole - amount)
        return amount

    def repay_principal_early(self, event_id: str, part: int) -> None:
        """Repay principal that is not billed yet, within the running installment."""
        row = self.queue[0]
        row.early += part
        row.principal += part
        row.pay(PRINCIPAL, part)
        self.unbilled -= part
        self.repaid_early = True
        self.note_base(event_id)
        self.early.append((event_id, row.number, part))
        self.parts_of(event_id, row.number)[PRINCIPAL] += part
        self.count_recovered(part)

    def count_recovered(self, amount: int) -> None:
        """Count money that came after a charge-off."""
        if self.charged_off_on is not None:
            self.recovered += amount

    def parts_of(self, event_id: str, number: int) -> list[int]:
        """Return where the event's money went in installment `number`, to be added to."""
        return self.allocations.setdefault(event_id, {}).setdefault(number, [0, 0, 0, 0])

    def add_credit(self, event_id: str, day: dt.date, amount: int) -> None:
        """Hold money for the borrower."""
        self.credit.append((event_id, day, amount))
        self.credit_total += amount
        self.note_base(event_id)
        if self.queue:
            self.repaid_early = True

    def note_base(self, event_id: str) -> None:
        """Note that the event changed what interest counts on."""
        self.base_event = event_id

    def take_credit(self, amount: int) -> None:
        """Remove `amount` of credit, the oldest first."""
        self.credit_total -= amount
        while amount:
            event_id, day, held = self.credit.pop(0)
            taken = min(held, amount)
            amount -= taken
            if held > taken:
                self.credit.insert(0, (event_id, day, held - taken))

    def use_credit(self) -> None:
        """Pay what does not wait with money held."""
        for row in self.rows_in_turn(self.cursor):
            while self.credit and row.is_open:
                event_id, day, held = self.credit[0]
                rest = self._pay_row(row, event_id, held, day, self.plan.order)
                self.take_credit(held - rest)
        self._drop_closed()

    def count_waived(self, bucket: int, amount: int, *, number: int | None) -> None:
        """Add to what was forgiven of installment `number`, or of what a plan takes over (None).

        After a charge-off the loss has it already.
        """
        if not amount:
            return
        counted = self.charged_off_on is None
        if counted:
            self.waived[bucket] += amount
        self.waivers.append((self.event_id, number, bucket, amount, counted))

    def note_closing(self, day: dt.date) -> None:
        """Note the first day on which nothing is left to pay."""
        closed = not self.open and not self.owes_later()
        self.closed_on = (self.closed_on or day) if closed else None


def _passes(
    rows: list[Row], order: tuple[int, ...], across: Across, day: dt.date
) -> list[tuple[list[Row], tuple[int, ...]]]:
    """Return which buckets of which rows come one after another.

    Bucket by bucket only among rows of which none has to be paid before the other.
    """
    if across is _BY_INSTALLMENT:
        return [(rows, order)]
    groups: dict[tuple[bool, bool, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault(_precedence(row, day), []).append(row)
    return [(groups[each], (index,)) for each in sorted(groups) for index in order]


def _precedence(row: Row, day: dt.date) -> tuple[bool, bool, bool]:
    """Return what has to be paid first when money of `day` comes; the least is first."""
    return row.is_suspended, row.payable_through > day, not row.owes_more_than_penalty()
