"""What a fold yields: the state of a loan on a date, every amount settled to cents.

What a fold makes dozens of is a named tuple, which is made three times as fast as a frozen
dataclass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from loans.engine.events import Event
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus
from loans.engine.schedule import Amortization
from zhixin.shared.money import Money


class Classification(StrEnum):
    """Asset classification 五级分类 (conduct CL-01)."""

    NORMAL = "NORMAL"
    SPECIAL_MENTION = "SPECIAL_MENTION"
    SUBSTANDARD = "SUBSTANDARD"
    DOUBTFUL = "DOUBTFUL"
    LOSS = "LOSS"


class Buckets(NamedTuple):
    """An amount split by what it consists of, in cents; the properties give Money."""

    principal_cents: int
    interest_cents: int
    fees_cents: int
    penalty_cents: int

    @classmethod
    def of(cls, *, principal: Money, interest: Money, fees: Money, penalty: Money) -> Buckets:
        """Return the buckets of these amounts."""
        return cls(principal.cents, interest.cents, fees.cents, penalty.cents)

    @property
    def principal(self) -> Money:
        """Return the part that is principal."""
        return Money(self.principal_cents)

    @property
    def interest(self) -> Money:
        """Return the part that is interest."""
        return Money(self.interest_cents)

    @property
    def fees(self) -> Money:
        """Return the part that is fees."""
        return Money(self.fees_cents)

    @property
    def penalty(self) -> Money:
        """Return the part that is penalty."""
        return Money(self.penalty_cents)

    @property
    def total(self) -> Money:
        """Return the sum of the parts."""
        return Money(sum(self))

    def to_json(self) -> dict[str, str]:
        """Return the parts and their sum as texts."""
        return {
            "principal": str(self.principal),
            "interest": str(self.interest),
            "fees": str(self.fees),
            "penalty": str(self.penalty),
            "total": str(self.total),
        }


NOTHING: Final = Buckets(0, 0, 0, 0)


class Span(NamedTuple):
    """Days (after `start`, through `end`) at one base in cents; `units` as the day count says.

    `event_id` is the event that last changed the base, beside the schedule's own installments.
    """

    base_cents: int
    start: dt.date
    end: dt.date
    units: int
    event_id: str


class InstallmentState(NamedTuple):
    """One installment: what it asks, what was paid on it, and how late it is.

    Attributes:
        plan: 0 for the agreement's schedule, then 1, 2, … for each plan change.
        payable_through: the last day on which paying is in time.
        billed: whether it is due (or was closed early); if not, amounts are what it will ask when
            nothing else happens.
        due: what falls due, with principal that was repaid early within its period; it is the sum
            of paid, waived, moved (what a plan change took over) and outstanding, by bucket. Before
            a payout it is a forecast, of which nothing is outstanding.
        balance: principal of the loan left after this installment.
        interest_spans, penalty_spans: the days and bases that the amounts come from.
        interest_rate, penalty_rate: yearly rates of those spans.
        interest_scale, penalty_units_a_year: what a unit of a span is, as a part of a year.
        carried_interest, carried_fees: parts that an earlier plan left, which bear no interest; of
            the agreement's first installment, the up-front fee.
        kept_penalty: part of the penalty that an earlier plan left, which grows no more.
        amortization: the rule that gave the principal; None where the rest was called or repaid.
        disputed: whether it is in dispute. suspended: whether it has been since before it was late,
            so that nobody has to pay it before the answer.
        plan_event: the payout or plan change that laid the installment out.
        days_late: days past due, or those when all but penalty was settled; see `days_late_now`.
    """

    number: int
    plan: int
    start_date: dt.date
    due_date: dt.date
    payable_through: dt.date
    days: int
    billed: bool
    due: Buckets
    balance: Money
    paid: Buckets
    waived: Buckets
    moved: Buckets
    outstanding: Buckets
    days_late: int
    paid_on: dt.date | None
    disputed: bool
    suspended: bool
    interest_spans: tuple[Span, ...]
    penalty_spans: tuple[Span, ...]
    interest_rate: Decimal
    penalty_rate: Decimal
    interest_scale: tuple[int, int]
    penalty_units_a_year: int
    carried_interest: Money
    carried_fees: Money
    kept_penalty: Money
    amortization: Amortization | None
    plan_event: str

    @property
    def days_late_now(self) -> int:
        """Return the days past due; none when nothing or only penalty is still to pay."""
        owed = self.outstanding
        if owed.principal.cents or owed.interest.cents or owed.fees.cents:
            return self.days_late
        return 0

    @property
    def principal(self) -> Money:
        """Return the principal due."""
        return self.due.principal

    @property
    def interest(self) -> Money:
        """Return the interest due."""
        return self.due.interest

    @property
    def fees(self) -> Money:
        """Return the fees due."""
        return self.due.fees

    @property
    def penalty(self) -> Money:
        """Return the penalty so far."""
        return self.due.penalty

    @property
    def total(self) -> Money:
        """Return all that is due."""
        return self.due.total


class AllocationPart(NamedTuple):
    """A part of a repayment: which installment and what of it was paid."""

    number: int
    amount: Buckets


class RepaymentAllocation(NamedTuple):
    """Where a repayment went: amount = Σ parts + credit + refunded, or nothing when reversed."""

    event_id: str
    effective_date: dt.date
    amount: Money
    parts: tuple[AllocationPart, ...]
    credit: Money
    reversed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivedPart:
    """What an event forgave: of installment `number`, or of what a plan took over (None).

    `counted` is False after a charge-off, whose loss has the amount already.
    """

    event_id: str
    number: int | None
    amount: Buckets
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyPart:
    """Principal that a repayment took before its due date, within the running installment."""

    event_id: str
    number: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedPart:
    """What a refund paid back: credit that `of` had left, or principal lent again (None)."""

    event_id: str
    of: str | None
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """The next installment that asks for money; `date` is the last day on which it is in time.

    `amount` is all that has to be paid by then beside what is late now: also another installment
    of that day, and penalty that is left of an earlier one.
    """

    number: int
    date: dt.date
    due_date: dt.date
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an explanation; the lines of a number re-add to it exactly.

    Attributes:
        amount: in major units; may be unrounded, a line of rule ROUNDING then closes the gap.
        base, rate, days, start, end: what the amount was computed from, where it was.
        time: the part of a year that the days are, as ratios to multiply: amount = base × rate ×
            time.
        rule: which rule gave it (docs/formulas).
        text_key: what the line is, for the page to translate.
    """

    amount: Decimal
    rule: str
    text_key: str
    base: Money | None = None
    rate: Decimal | None = None
    days: int | None = None
    start: dt.date | None = None
    end: dt.date | None = None
    time: tuple[tuple[int, int], ...] = ()
    event_id: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTotals:
    """Sums over all installments, and of the money that moved."""

    scheduled: Buckets
    paid: Buckets
    waived: Buckets
    disbursed: Money
    received: Money
    refunded: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanState:
    """A loan on the date `as_of`, with interest and penalty through that date.

    Attributes:
        outstanding: what is owed if the loan ended today, by bucket; interest includes what has
            accrued since the last due date, and money paid ahead is taken off.
        unbilled: principal not due yet, accrued and carried interest, carried fees, kept penalty.
        payoff_amount: its sum; paying it closes the loan.
        due_now: billed and unpaid, also what may be paid on a later day (a rest day, a moved due
            date). overdue: the part that is late.
        next_due: the unpaid installment whose last day in time comes next, with all that has to
            be paid by then beside what is late; None when none is to come but what is suspended,
            and when all is called.
        called: whether the loan is charged off and no plan has spread it since, so that all is due.
        days_past_due: of the oldest installment that is late by principal, interest or fees.
        overdue_since: the day from which those days count, the last on which paying was in time.
        most_days_past_due: the most ever reached, whatever happened since.
        bucket: M0 to M6+ (conduct CL-06).
        accrued_interest_unrounded: contract interest since the last due date.
        penalty_accrued: all penalty ever charged, settled. penalty_per_day: what the next day
            adds, unrounded; tomorrow: of which installment and principal.
        prepaid: money held against the next installments. overpaid: credit on a closed loan.
        balances: what the journal should hold; debits positive; sums to zero.
        without_effect: events that found nothing to change, such as a plan on a loan that is paid.
        plan_events: the payout, then each plan change that took effect.
        closings: which event called the rest of the loan in which installment, before its date.
        disputes: which event contests which installment, while nothing has ended that.
            disputes_ended: those that a plan has ended by taking the installment over, by the plan.
        early, waivers, refunds: which event repaid early, forgave or paid back what, in order.
        events: what the state was folded from, in no order that counts.
    """

    as_of: dt.date
    status: LoanStatus
    installments: tuple[InstallmentState, ...]
    totals: StateTotals
    outstanding: Buckets
    unbilled: Buckets
    due_now: Buckets
    overdue: Buckets
    next_due: NextDue | None
    called: bool
    days_past_due: int
    overdue_since: dt.date | None
    most_days_past_due: int
    bucket: str
    classification: Classification
    accrued_interest_unrounded: Decimal
    accrued_interest: Money
    annual_rate: Decimal
    penalty_rate: Decimal
    penalty_accrued: Money
    penalty_per_day: Decimal
    tomorrow: tuple[tuple[int, Span], ...]
    payoff_amount: Money
    prepaid: Money
    overpaid: Money
    closed_on: dt.date | None
    plan_number: int
    repayments: tuple[RepaymentAllocation, ...]
    balances: Mapping[LedgerAccount, Money]
    without_effect: tuple[str, ...]
    plan_events: tuple[str, ...]
    closings: Mapping[int, str]
    disputes: Mapping[str, int]
    disputes_ended: Mapping[str, Mapping[str, int]]
    early: tuple[EarlyPart, ...]
    waivers: tuple[WaivedPart, ...]
    refunds: tuple[RefundedPart, ...]
    events: tuple[Event, ...] = field(compare=False, repr=False)

    @property
    def payable_rows(self) -> tuple[InstallmentState, ...]:
        """Return the billed rows that cannot wait: late, payable today at the latest, or called.

        What is suspended waits for the answer, also once the loan is called.
        """
        return tuple(
            row
            for row in self.installments
            if row.billed
            and row.outstanding.total
            and not row.suspended
            and (self.called or row.payable_through <= self.as_of)
        )

    @property
    def payable_now(self) -> Money:
        """Return what is to be paid today: `due_now` but what may be paid later or is suspended."""
        return Money(sum(row.outstanding.total.cents for row in self.payable_rows))

    @property
    def suspended(self) -> Money:
        """Return what of `payoff_amount` nobody has to pay before a dispute is answered."""
        rows = (row for row in self.installments if row.billed and row.suspended)
        return Money(sum(row.outstanding.total.cents for row in rows))

    @property
    def next_due_rows(self) -> tuple[InstallmentState, ...]:
        """Return the rows that `next_due` asks for: those of its day, and open ones not late."""
        if self.next_due is None:
            return ()
        return rows_asked_by(self.installments, self.next_due.date)

    @property
    def waiting_rows(self) -> tuple[InstallmentState, ...]:
        """Return the billed rows that can be paid after one that is not billed yet.

        Those that are suspended are paid last of all.
        """
        to_come = [row.payable_through for row in self.installments if not row.billed]
        first = min(to_come, default=dt.date.max)
        return tuple(
            row
            for row in self.installments
            if row.billed
            and row.outstanding.total
            and (row.suspended or row.payable_through > first)
        )

    @property
    def due_before_choice(self) -> Money:
        """Return what money pays before the borrower's choice counts: `due_now` but what waits."""
        return self.due_now.total - Money(
            sum(row.outstanding.total.cents for row in self.waiting_rows)
        )

    @property
    def running(self) -> InstallmentState | None:
        """Return the installment whose interest accrues now."""
        return next((row for row in self.installments if not row.billed), None)

    def explain(self, key: str) -> tuple[Line, ...]:
        """Return the lines that re-add to the number `key` (see `loans.engine.explanation`)."""
        from loans.engine.explanation import explain  # noqa: PLC0415 - it needs this module.

        return explain(self, key)


def rows_asked_by(
    installments: Iterable[InstallmentState], day: dt.date
) -> tuple[InstallmentState, ...]:
    """Return the rows that have to be paid by `day`, the next last day in time, but late ones.

    Nobody has to pay those that are suspended.
    """
    return tuple(
        row
        for row in installments
        if row.payable_through <= day
        and any(row.outstanding)
        and not row.suspended
        and not (row.billed and row.days_late_now)
    )
