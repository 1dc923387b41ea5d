"""The terms of a loan: frozen at signing, stored as JSON on the agreement.

Sources: docs/formulas/schedule.md, penalty.md, allocation.md. The day of the month on which
installments fall due is `due_day` where it is stated, else that of the anchor of the due dates.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from loans.engine.codec import InvalidInputError, Reader, shown
from zhixin.shared.business_days import BusinessCalendar, DueDateShift, following_days
from zhixin.shared.calendar import PeriodUnit, add_periods, falls_on
from zhixin.shared.money import Money, Rounding

MOST_INSTALLMENTS: Final = 1200
_MOST_EVERY: Final = 366
_LARGEST_RATE: Final = Decimal(10)
_MOST_DAYS: Final = 36_500
_LONGEST_MONTH: Final = 31
_FEE_AMOUNTS: Final = ("upfront_amount", "installment_amount")
_NO_SHIFT: Final = DueDateShift.NONE  # A member looked up on its class costs more than its use.


class InvalidTermsError(InvalidInputError):
    """The terms cannot be read or contradict themselves."""


_ZERO: Final = Money(0)


class Method(StrEnum):
    """How the principal comes back."""

    EQUAL_INSTALLMENT = "EQUAL_INSTALLMENT"  # 等额本息
    EQUAL_PRINCIPAL = "EQUAL_PRINCIPAL"  # 等额本金
    INTEREST_ONLY = "INTEREST_ONLY"  # 先息后本
    BULLET = "BULLET"  # 一次性还本付息
    FLAT = "FLAT"  # 等本等息


class DayCount(StrEnum):
    """How a span of dates becomes a part of a year."""

    THIRTY_360 = "THIRTY_360"
    ACTUAL_365 = "ACTUAL_365"
    ACTUAL_360 = "ACTUAL_360"
    ACTUAL_364 = "ACTUAL_364"
    ACTUAL_ACTUAL = "ACTUAL_ACTUAL"


class Bucket(StrEnum):
    """What an amount owed consists of."""

    PRINCIPAL = "PRINCIPAL"
    INTEREST = "INTEREST"
    FEES = "FEES"
    PENALTY = "PENALTY"


AllocationOrder = tuple[Bucket, ...]

INTEREST_FIRST: Final[AllocationOrder] = (
    Bucket.FEES,
    Bucket.INTEREST,
    Bucket.PENALTY,
    Bucket.PRINCIPAL,
)
"""Civil Code art 561: costs, then interest, then principal."""

PRINCIPAL_FIRST: Final[AllocationOrder] = (
    Bucket.PRINCIPAL,
    Bucket.INTEREST,
    Bucket.FEES,
    Bucket.PENALTY,
)
"""For hardship plans (conduct HS-22): every payment makes the debt smaller at once."""


class Across(StrEnum):
    """How an allocation order runs over several installments that are due."""

    INSTALLMENT = "INSTALLMENT"  # The oldest installment first, its buckets in order.
    BUCKET = "BUCKET"  # The first bucket of every installment, the oldest first; then the next.


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAllocation:
    """The order from `from_days_past_due` of the oldest installment on, in place of `allocation`.

    Source: 商业银行信用卡业务监督管理办法 art 57, principal first from day 91 (conduct HS-22).
    """

    from_days_past_due: int
    order: AllocationOrder
    across: Across = Across.INSTALLMENT

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "from_days_past_due": self.from_days_past_due,
            "order": [bucket.value for bucket in self.order],
            "across": self.across.value,
        }


class PrepaymentEffect(StrEnum):
    """What money beyond everything due does (docs/formulas/allocation.md)."""

    NEXT_INSTALLMENTS = "NEXT_INSTALLMENTS"
    SHORTEN_TERM = "SHORTEN_TERM"
    LOWER_INSTALLMENT = "LOWER_INSTALLMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The span between two due dates: `every` units."""

    every: int
    unit: PeriodUnit

    def __post_init__(self) -> None:
        """Refuse a period that is not a positive whole number of units."""
        if not 1 <= self.every <= _MOST_EVERY:
            raise InvalidTermsError(
                key="terms.period.every",
                problem=f"{self.every} is not from 1 to {_MOST_EVERY}",
                mend="Write a number such as 1",
            )

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"every": self.every, "unit": self.unit.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyRule:
    """Penalty interest 罚息 on overdue principal, in place of the contract's interest.

    Attributes:
        uplift: what the contract rate is raised by, as a fraction (0.5 = one and a half times).
        grace_days: days past due that cost nothing.
        annual_cap: the highest yearly rate of penalty (conduct PR-16), charged by the loan's day
            count as interest is: a year of 360 days reaches it on its 360th day, and 366 days cost
            366/360 of it. None for no cap.
    """

    uplift: Decimal
    grace_days: int
    annual_cap: Decimal | None

    def annual_rate(self, contract_rate: Decimal) -> Decimal:
        """Return the yearly penalty rate: min(contract rate × (1 + uplift), cap)."""
        rate = contract_rate * (1 + self.uplift)
        return rate if self.annual_cap is None else min(rate, self.annual_cap)

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        cap = None if self.annual_cap is None else f"{self.annual_cap:f}"
        return {"uplift": f"{self.uplift:f}", "grace_days": self.grace_days, "annual_cap": cap}


def _part_of(principal: Money, rate: Decimal, rounding: Rounding) -> int:
    return Money.rounded(principal.amount * rate, rounding=rounding).cents if rate else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTerms:
    """Fees, each a fixed amount plus a fraction of the principal; never held back at payout.

    `upfront_*` is owed from the payout and billed with the first installment, `installment_*` with
    every installment.
    """

    upfront_amount: Money = _ZERO
    upfront_rate: Decimal = Decimal(0)
    installment_amount: Money = _ZERO
    installment_rate: Decimal = Decimal(0)

    def upfront_cents(self, principal: Money, rounding: Rounding) -> int:
        """Return the up-front fee in cents."""
        return self.upfront_amount.cents + _part_of(principal, self.upfront_rate, rounding)

    def installment_cents(self, principal: Money, rounding: Rounding) -> int:
        """Return the fee of each installment in cents."""
        return self.installment_amount.cents + _part_of(principal, self.installment_rate, rounding)

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "upfront_amount": str(self.upfront_amount),
            "upfront_rate": f"{self.upfront_rate:f}",
            "installment_amount": str(self.installment_amount),
            "installment_rate": f"{self.installment_rate:f}",
        }


NO_FEES: Final = FeeTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanTerms:
    """Everything about a loan that is agreed at signing and never changes afterwards.

    Attributes:
        annual_rate: contract rate as a fraction a year.
        first_due_date: None for one period after `disbursement_date`.
        due_day: the day of the month of all due dates, or a shorter month's last day; None for the
            anchor's. A plan keeps it where the plan's first due date falls on it.
        rounding: how every interest, penalty and level installment becomes whole cents.
        installment_multiple: the level installment is rounded to a multiple of it; None = cents.
        installment_rounding: the rule for that multiple; None = `rounding`.
        grace_principal_periods: first installments that bear interest only.
        penalty: None for no penalty interest.
        allocation: the order of what is due, installment by installment.
        late_allocation: other orders from a number of days past due on, by those days.
        prepayment: what money beyond everything due does, unless the repayment itself says.
        calendar: whose rest days shift the last day in time; None for no shift.
        due_date_shift: how they shift it. Interest and due dates stay where they are.
    """

    principal: Money
    annual_rate: Decimal
    method: Method
    installment_count: int
    period: Period
    day_count: DayCount
    disbursement_date: dt.date
    rounding: Rounding
    first_due_date: dt.date | None = None
    installment_multiple: Money | None = None
    installment_rounding: Rounding | None = None
    grace_principal_periods: int = 0
    penalty: PenaltyRule | None = None
    allocation: AllocationOrder = INTEREST_FIRST
    late_allocation: tuple[LateAllocation, ...] = ()
    fees: FeeTerms = NO_FEES
    prepayment: PrepaymentEffect = PrepaymentEffect.NEXT_INSTALLMENTS
    calendar: BusinessCalendar | None = None
    due_date_shift: DueDateShift = DueDateShift.FOLLOWING
    due_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse terms that contradict themselves."""
        _check_amounts(self)
        _check_counts(self)
        _check_dates(self)
        _check_rules(self)

    @property
    def natural_first_due_date(self) -> dt.date:
        """Return the first due date when none is stated."""
        return add_periods(
            self.disbursement_date, 1, every=self.period.every, unit=self.period.unit
        )

    @property
    def shifting_calendar(self) -> BusinessCalendar | None:
        """Return the calendar whose rest days shift the last day in time; None for no shift."""
        return None if self.due_date_shift is _NO_SHIFT else self.calendar

    def last_day_in_time(self, day: dt.date) -> dt.date:
        """Return the day on which paying is in time where `day` is due: it or a business day."""
        calendar = self.shifting_calendar
        return day if calendar is None else following_days(calendar)[day]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form; `from_json` reads it back unchanged."""
        first_due = self.first_due_date
        multiple = self.installment_multiple
        rule = self.installment_rounding
        # Left out where it is not stated: agreements signed without it keep their text.
        due_day = {} if self.due_day is None else {"due_day": self.due_day}
        return {
            "principal": str(self.principal),
            "annual_rate": f"{self.annual_rate:f}",
            "method": self.method.value,
            "installment_count": self.installment_count,
            "period": self.period.to_json(),
            "day_count": self.day_count.value,
            "disbursement_date": self.disbursement_date.isoformat(),
            "first_due_date": None if first_due is None else first_due.isoformat(),
            "rounding": self.rounding.value,
            "installment_multiple": None if multiple is None else str(multiple),
            "installment_rounding": None if rule is None else rule.value,
            "grace_principal_periods": self.grace_principal_periods,
            "penalty": None if self.penalty is None else self.penalty.to_json(),
            "allocation": [bucket.value for bucket in self.allocation],
            "late_allocation": [rule.to_json() for rule in self.late_allocation],
            "fees": self.fees.to_json(),
            "prepayment": self.prepayment.value,
            "calendar": None if self.calendar is None else self.calendar.value,
            "due_date_shift": self.due_date_shift.value,
            **due_day,
        }

    @classmethod
    def from_json(cls, data: object) -> LoanTerms:
        """Return the terms that `data` states.

        Raises InvalidTermsError, which names the key and the mend, for a missing, unknown or
        unreadable key.
        """
        reader = Reader(data, where="terms", error=InvalidTermsError)
        terms = cls(
            principal=reader.money("principal"),
            annual_rate=reader.rate("annual_rate"),
            method=reader.choice("method", Method),
            installment_count=reader.integer("installment_count", least=1, most=MOST_INSTALLMENTS),
            period=read_period(reader),
            day_count=reader.choice("day_count", DayCount),
            disbursement_date=reader.date("disbursement_date"),
            rounding=reader.choice("rounding", Rounding),
            first_due_date=reader.optional(reader.date, "first_due_date"),
            installment_multiple=reader.optional(reader.money, "installment_multiple"),
            installment_rounding=reader.optional(
                lambda key: reader.choice(key, Rounding), "installment_rounding"
            ),
            grace_principal_periods=(
                reader.integer("grace_principal_periods", least=0, most=MOST_INSTALLMENTS)
                if reader.has("grace_principal_periods")
                else 0
            ),
            penalty=_read_penalty(reader),
            allocation=(read_allocation(reader) if reader.has("allocation") else INTEREST_FIRST),
            late_allocation=_read_late_allocation(reader),
            fees=_read_fees(reader),
            prepayment=(
                reader.choice("prepayment", PrepaymentEffect)
                if reader.has("prepayment")
                else PrepaymentEffect.NEXT_INSTALLMENTS
            ),
            calendar=reader.optional(lambda key: reader.choice(key, BusinessCalendar), "calendar"),
            due_date_shift=(
                reader.choice("due_date_shift", DueDateShift)
                if reader.has("due_date_shift")
                else DueDateShift.FOLLOWING
            ),
            due_day=reader.optional(
                lambda key: reader.integer(key, least=1, most=_LONGEST_MONTH), "due_day"
            ),
        )
        reader.finish()
        _check_due_day(reader, terms)
        return terms


def read_period(reader: Reader) -> Period:
    """Return the period under the key `period`."""
    inner = Reader(reader.raw("period"), where=reader.name("period"), error=InvalidTermsError)
    period = Period(
        every=inner.integer("every", least=1, most=_MOST_EVERY),
        unit=inner.choice("unit", PeriodUnit),
    )
    inner.finish()
    return period


def read_allocation(reader: Reader, key: str = "allocation") -> AllocationOrder:
    """Return the order under `key`: each bucket once."""
    names = reader.listing(key)
    if sorted(map(str, names)) != sorted(Bucket):
        reader.fail(
            key,
            f"{shown(names)} does not hold each bucket once",
            'Write an order such as ["FEES", "INTEREST", "PENALTY", "PRINCIPAL"]',
        )
    return tuple(Bucket(str(name)) for name in names)


def read_late_allocation(data: object, *, where: str) -> LateAllocation:
    """Return the order for late loans that `data` states."""
    inner = Reader(data, where=where, error=InvalidTermsError)
    rule = LateAllocation(
        from_days_past_due=inner.integer("from_days_past_due", least=1, most=_MOST_DAYS),
        order=read_allocation(inner, "order"),
        across=inner.choice("across", Across) if inner.has("across") else Across.INSTALLMENT,
    )
    inner.finish()
    return rule


def _read_late_allocation(reader: Reader) -> tuple[LateAllocation, ...]:
    if not reader.has("late_allocation"):
        return ()
    return tuple(
        read_late_allocation(item, where=f"terms.late_allocation[{index}]")
        for index, item in enumerate(reader.listing("late_allocation"))
    )


def _read_penalty(reader: Reader) -> PenaltyRule | None:
    if not reader.has("penalty"):
        return None
    inner = Reader(reader.raw("penalty"), where="terms.penalty", error=InvalidTermsError)
    rule = PenaltyRule(
        uplift=inner.rate("uplift"),
        grace_days=inner.integer("grace_days", least=0, most=366) if inner.has("grace_days") else 0,
        annual_cap=inner.optional(inner.rate, "annual_cap"),
    )
    inner.finish()
    return rule


def _read_fees(reader: Reader) -> FeeTerms:
    if not reader.has("fees"):
        return NO_FEES
    inner = Reader(reader.raw("fees"), where="terms.fees", error=InvalidTermsError)
    zero, nothing = Money.zero(), Decimal(0)
    fees = FeeTerms(
        upfront_amount=inner.optional(inner.money, "upfront_amount") or zero,
        upfront_rate=inner.optional(inner.rate, "upfront_rate") or nothing,
        installment_amount=inner.optional(inner.money, "installment_amount") or zero,
        installment_rate=inner.optional(inner.rate, "installment_rate") or nothing,
    )
    inner.finish()
    return fees


def _refuse(key: str, problem: str, mend: str) -> None:
    raise InvalidTermsError(key=f"terms.{key}", problem=problem, mend=mend)


def _check_amounts(terms: LoanTerms) -> None:
    if terms.principal.cents <= 0:
        _refuse("principal", f"{terms.principal} is not positive", "Write at least 0.01")
    if not 0 <= terms.annual_rate <= _LARGEST_RATE:
        _refuse(
            "annual_rate",
            f"{terms.annual_rate} is not from 0 to {_LARGEST_RATE}",
            "Write a fraction a year such as 0.12 for 12 percent",
        )
    if terms.installment_multiple is not None and terms.installment_multiple.cents <= 0:
        _refuse(
            "installment_multiple",
            f"{terms.installment_multiple} is not positive",
            "Write an amount such as 1.00, or null for cents",
        )
    for key in _FEE_AMOUNTS:
        amount: Money = getattr(terms.fees, key)
        if amount.cents < 0:
            _refuse(f"fees.{key}", f"{amount} is negative", "Write 0.00 or more")


def _check_counts(terms: LoanTerms) -> None:
    if not 1 <= terms.installment_count <= MOST_INSTALLMENTS:
        _refuse(
            "installment_count",
            f"{terms.installment_count} is not from 1 to {MOST_INSTALLMENTS}",
            "Write a number such as 12",
        )
    if not 0 <= terms.grace_principal_periods < terms.installment_count:
        _refuse(
            "grace_principal_periods",
            f"{terms.grace_principal_periods} leaves no installment for the principal",
            "Write less than installment_count",
        )


def _check_dates(terms: LoanTerms) -> None:
    if terms.first_due_date is not None and terms.first_due_date <= terms.disbursement_date:
        _refuse(
            "first_due_date",
            f"{terms.first_due_date} is not after the disbursement",
            f"Write a date after {terms.disbursement_date}, or null",
        )

    start = terms.first_due_date or terms.disbursement_date
    try:
        add_periods(
            start, terms.installment_count, every=terms.period.every, unit=terms.period.unit
        )
    except (ValueError, OverflowError):
        _refuse("installment_count", "leads beyond the calendar", "Write fewer installments")


def _check_due_day(reader: Reader, terms: LoanTerms) -> None:
    """Refuse a due day that the first due date does not fall on.

    Checked where terms are read, and not where a plan replaces the first due date of a loan.
    """
    if terms.due_day is None:
        return
    if terms.period.unit is not PeriodUnit.MONTH:
        reader.fail("due_day", "is for periods of months only", "Remove it")
    first = terms.first_due_date or terms.natural_first_due_date
    if not falls_on(first, terms.due_day):
        reader.fail(
            "due_day",
            f"{terms.due_day} is not the day of the first due date {first}",
            f"Write {first.day}, or a first_due_date on that day or on a shorter month's last day",
        )


def _check_rules(terms: LoanTerms) -> None:
    if sorted(terms.allocation) != sorted(Bucket):
        _refuse("allocation", "does not hold each bucket once", "Name each bucket once")
    days = [late.from_days_past_due for late in terms.late_allocation]
    if days != sorted(set(days)) or min(days, default=1) < 1:
        _refuse(
            "late_allocation",
            f"begins at {days} days past due",
            "Write each number of days once, from 1 on, the smallest first",
        )
    if any(sorted(late.order) != sorted(Bucket) for late in terms.late_allocation):
        _refuse("late_allocation", "does not hold each bucket once", "Name each bucket once")
    rule = terms.penalty
    if rule is None:
        return
    if rule.grace_days < 0 or rule.uplift < 0 or (rule.annual_cap or 0) < 0:
        _refuse("penalty", "holds a negative number", "Write 0 or more")
