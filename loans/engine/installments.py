"""Plans and installments while a fold works on them; no business of other packages.

Amounts are whole cents; interest and penalty are kept as exact sums of cents × units until they
are settled.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import lcm
from operator import add, sub
from typing import Final

from loans.engine.day_count import UNITS_A_YEAR, exact_ratio, span_units
from loans.engine.schedule import Amortization, round_installment
from loans.engine.state import NOTHING, Buckets, Span
from loans.engine.terms import AllocationOrder, Bucket, LoanTerms
from zhixin.shared.money import RATIO_RULES

PRINCIPAL, INTEREST, FEES, PENALTY = range(4)
BUCKET_INDEX: Final = {
    Bucket.PRINCIPAL: PRINCIPAL,
    Bucket.INTEREST: INTEREST,
    Bucket.FEES: FEES,
    Bucket.PENALTY: PENALTY,
}
NO_RATE: Final = Decimal(0)


@cache
def indices_of(order: AllocationOrder) -> tuple[int, ...]:
    """Return the places of the buckets in lists of amounts, in the order given."""
    return tuple(BUCKET_INDEX[bucket] for bucket in order)


@dataclass(slots=True, kw_only=True)
class Plan:
    """The rules in force from a date: the agreement's (number 0), then each plan change's.

    Of a flat charge, `flat_base` is what it counts on, `flat_rows` what undisturbed rows charge,
    and `flat_most` what they charge as agreed, which is the most; else 0 and none. `order` is the
    allocation as bucket indices, `settle` rounds a ratio by the terms' rule.
    """

    number: int
    terms: LoanTerms
    amortization: Amortization
    rate: tuple[int, int]
    penalty_rate: Decimal
    grace_days: int
    allocation: AllocationOrder
    interest_free_until: dt.date | None
    flat_base: int
    flat_rows: list[int]
    event_id: str
    order: tuple[int, ...] = field(init=False)
    settle: Callable[[int, int], int] = field(init=False)
    flat_most: list[int] = field(init=False)
    grace: dt.timedelta = field(init=False)
    units_a_year: int = field(init=False)
    penalty_scale: tuple[int, int] = field(init=False)
    has_penalty: bool = field(init=False)

    def __post_init__(self) -> None:
        """Work out what a cent of overdue principal costs in a unit, in cents, as a ratio."""
        numerator, denominator = exact_ratio(self.penalty_rate)
        self.order = indices_of(self.allocation)
        self.settle = RATIO_RULES[self.terms.rounding]
        self.flat_most = self.flat_rows
        self.grace = dt.timedelta(days=self.grace_days)
        self.units_a_year = UNITS_A_YEAR[self.terms.day_count]
        self.penalty_scale = numerator, denominator * self.units_a_year
        self.has_penalty = bool(numerator)


class Row:
    """One installment while the fold works on it."""

    __slots__ = (
        "amortization",
        "billed",
        "carried_fees",
        "carried_interest",
        "covered",
        "days",
        "due_date",
        "early",
        "fee",
        "fees",
        "fenced_since",
        "index",
        "interest",
        "is_open",
        "kept_penalty",
        "moved",
        "number",
        "paid_on",
        "payable_through",
        "penalty_spans",
        "penalty_units",
        "plan",
        "principal",
        "principal_event",
        "scale",
        "settled_late",
        "settled_penalty",
        "settled_units",
        "spans",
        "start",
        "units",
        "waived",
        "whole",
    )  # fmt: skip

    def __init__(
        self,
        *,
        number: int,
        index: int,
        plan: Plan,
        start: dt.date,
        due_date: dt.date,
        payable_through: dt.date,
        fee: int,
        scale: tuple[int, int],
        whole: int,
    ) -> None:
        """Make an installment that is not due yet.

        `scale` times cents × units of `spans`, times the rate, is the interest; `whole` is the
        units of the undisturbed period.
        """
        self.number = number
        self.index = index
        self.plan = plan
        self.start = start
        self.due_date = due_date
        self.payable_through = payable_through
        self.days = (due_date - start).days
        self.fee = fee
        self.scale = scale
        self.whole = whole
        self.units = 0
        self.spans: list[Span] = []
        self.penalty_units = 0
        self.penalty_spans: list[Span] = []
        self.carried_interest = 0
        self.carried_fees = 0
        self.kept_penalty = 0
        self.early = 0
        self.principal = 0
        self.interest = 0
        self.fees = 0
        # By bucket; `covered` is what the row asks for no more: these two and what was paid.
        self.waived = self.moved = NOTHING
        self.covered = [0, 0, 0, 0]
        self.billed = False
        self.is_open = False
        self.settled_units = 0
        self.settled_penalty = 0
        self.paid_on: dt.date | None = None
        self.settled_late = 0
        self.fenced_since: dt.date | None = None
        self.amortization: Amortization | None = None
        self.principal_event = plan.event_id

    def penalty(self) -> int:
        """Return the penalty so far in cents: the rounded cumulative, and what a plan kept."""
        if not self.penalty_units:
            return self.kept_penalty
        if self.settled_units != self.penalty_units:
            numerator, denominator = self.plan.penalty_scale
            self.settled_units = self.penalty_units
            self.settled_penalty = self.plan.settle(self.penalty_units * numerator, denominator)
        return self.kept_penalty + self.settled_penalty

    def interest_ratio(self) -> tuple[int, int]:
        """Return the row's own accrued interest in cents, unrounded, as a ratio.

        A flat charge is never more than the agreement's: its last row may have less than its days.
        """
        rate, scale, most = self.plan.rate, self.scale, self.plan.flat_most
        numerator, denominator = self.units * rate[0] * scale[0], rate[1] * scale[1]
        if most and numerator > most[self.index - 1] * denominator:
            return most[self.index - 1], 1
        return numerator, denominator

    def accrued(self) -> int:
        """Return the row's own accrued interest, settled to cents."""
        return self.plan.settle(*self.interest_ratio())

    def due(self) -> Buckets:
        """Return what the row asks for, by bucket."""
        return Buckets(self.principal, self.interest, self.fees, self.penalty())

    def owed(self) -> list[int]:
        """Return what is still to pay, by bucket."""
        principal, interest, fees, penalty = self.covered
        return [
            self.principal - principal,
            self.interest - interest,
            self.fees - fees,
            self.penalty() - penalty,
        ]

    def pay(self, bucket: int, part: int) -> None:
        """Take money for the bucket."""
        self.covered[bucket] += part

    def paid(self) -> Buckets:
        """Return what was paid, by bucket."""
        paid = Buckets(*self.covered)
        if self.waived is NOTHING and self.moved is NOTHING:
            return paid
        return Buckets(*map(sub, paid, map(add, self.waived, self.moved)))

    def waive(self, bucket: int, part: int) -> None:
        """Forgive a part of the bucket."""
        parts = [0, 0, 0, 0]
        parts[bucket] = part
        self.waived = Buckets(*map(add, self.waived, parts))
        self.covered[bucket] += part

    def move(self, parts: Sequence[int]) -> None:
        """Hand parts of all buckets over to a plan."""
        self.moved = Buckets(*map(add, self.moved, parts))
        self.covered = list(map(add, self.covered, parts))

    @property
    def is_settled(self) -> bool:
        """Return whether the row was due, or called, and nothing of it is still to pay."""
        return self.billed and not self.is_open

    def owes_more_than_penalty(self) -> bool:
        """Return whether principal, interest or fees are still to pay."""
        covered = self.covered
        return self.principal + self.interest + self.fees != covered[0] + covered[1] + covered[2]

    @property
    def is_suspended(self) -> bool:
        """Return whether nobody has to pay the row: it came into dispute before it was late.

        A dispute that came after the last day in time stops the days, but the row stays late; and
        penalty alone is owed for days before the dispute.
        """
        since = self.fenced_since
        return since is not None and since <= self.payable_through and self.owes_more_than_penalty()

    def principal_owed(self) -> int:
        """Return the principal still to pay."""
        return self.principal - self.covered[0]

    def days_late_now(self, day: dt.date) -> int:
        """Return the days past due on `day`; penalty alone does not make a row late."""
        if not self.is_open or not self.owes_more_than_penalty():
            return 0
        return self.lateness(day)

    def days_late_in_all(self, day: dt.date) -> int:
        """Return the days past due on `day`, or those when all but penalty was settled."""
        if not self.is_open or not self.owes_more_than_penalty():
            return self.settled_late
        return self.lateness(day)

    def lateness(self, day: dt.date) -> int:
        """Return the days past due on `day` of a row that is not settled; a fence stops them."""
        until = day if self.fenced_since is None else min(day, self.fenced_since)
        if until <= self.payable_through:
            return 0
        return (until - self.payable_through).days


def level_over(rows: Sequence[Row], plan: Plan, *, balance: int, through: dt.date) -> int:
    """Return the level installment in cents that repays `balance` over `rows`.

    The running row keeps the interest it has accrued `through` that day and accrues on for its days
    left; interest-free days count for nothing.
    """
    factors, accrued = [], Fraction(0)
    for row in rows:
        start = max(row.start, through)
        if plan.interest_free_until is not None:
            start = max(start, plan.interest_free_until)
        units = span_units(plan.terms.day_count, start, max(start, row.due_date))
        rate = Fraction(plan.rate[0], plan.rate[1])
        factors.append(rate * units * Fraction(row.scale[0], row.scale[1]))
        if row.units:
            accrued += Fraction(*row.interest_ratio())
    return _level_of(balance, accrued, factors, plan.terms)


def _level_of(
    balance: int, accrued: Fraction, factors: Sequence[Fraction], terms: LoanTerms
) -> int:
    """Return the level installment in cents for periods that grow by 1 + factor.

    The first row also pays `accrued` interest, which bears none itself.
    """
    shared = lcm(*(factor.denominator for factor in factors))
    growth, sums, power = 1, 0, 1
    for factor in factors:
        step = shared + factor.numerator * (shared // factor.denominator)
        sums = power + sums * step
        growth *= step
        power *= shared
    whole = Fraction(balance * growth, shared * sums)
    if accrued:
        later = Fraction(growth, shared + factors[0].numerator * (shared // factors[0].denominator))
        whole += accrued * later / sums
    return round_installment(whole.numerator, whole.denominator, terms)
