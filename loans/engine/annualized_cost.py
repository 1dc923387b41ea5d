"""The all-in annualized cost of credit (年化综合成本), from the cash flows that are signed.

Decimal arithmetic throughout. Sources: conduct PR-02; Directive 2014/17/EU, Annex I; Regulation Z,
Appendix J. See docs/formulas/annualized_cost.md.
"""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from loans.engine.schedule import Schedule, build_schedule
from loans.engine.terms import LoanTerms, Method, Period
from zhixin.shared.calendar import PeriodUnit, add_months, whole_months_between
from zhixin.shared.money import Money

_CONTEXT: Final = decimal.Context(prec=70, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_TOLERANCE: Final = Decimal("1e-55")
_MOST_DOUBLINGS: Final = 200
_MOST_STEPS: Final = 400
_DAYS_A_YEAR: Final = 365
_DAYS_A_WEEK: Final = 7
_WEEKS_A_YEAR: Final = 52
_MONTHS_A_YEAR: Final = 12
_LARGEST_EXPONENT: Final = 10**18
_LARGEST_RATE: Final = Decimal(10) ** 15
_OUT_OF_RANGE: Final = "The rate that balances the flows is too large to be stated; check times"
_TWO: Final = 2
_LARGEST_FALL: Final = 10
_LARGEST_OF_TWO: Final = 100
"""Of two rates the lower is the answer when the higher one is above this (10,000 percent)."""


class CostMethod(StrEnum):
    """How a year is made of periods."""

    EFFECTIVE = "EFFECTIVE"  # compound, 复利
    NOMINAL = "NOMINAL"  # periodic rate × periods a year, 单利


class NoAnnualizedCostError(ValueError):
    """No rate balances the flows."""


class AmbiguousAnnualizedCostError(ValueError):
    """More than one rate may balance the flows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """An amount at a time: negative when paid out to the borrower, positive when paid back.

    Attributes:
        years: the time after the first payout, as an exact part of years.
    """

    amount: Money
    years: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSummary:
    """What a loan costs, from its actual schedule; rates are yearly fractions, unrounded."""

    total_repayment: Money
    total_interest: Money
    total_fees: Money
    total_cost: Money
    effective_annualized_cost: Decimal
    nominal_annualized_cost: Decimal
    first_installment: Money
    largest_installment: Money
    last_due_date: dt.date


def annualized_cost(
    flows: Iterable[CashFlow],
    *,
    method: CostMethod,
    periods_per_year: Fraction | int | None = None,
) -> Decimal:
    """Return the yearly rate X, as a fraction, at which the flows are worth nothing together.

    EFFECTIVE: Σ flow × (1 + X)^−t = 0. NOMINAL: the rate i of one period × `periods_per_year`,
    which it needs; Σ flow / ((1 + f × i) × (1 + i)^t) = 0, where f is the broken rest of t periods
    (Regulation Z, Appendix J, (b)(8)). Accuracy: at least 20 digits. Raises
    NoAnnualizedCostError when no rate balances the flows, AmbiguousAnnualizedCostError when more
    than one may.
    """
    if method is CostMethod.NOMINAL and not periods_per_year:
        raise ValueError("A nominal cost needs periods_per_year.")
    try:
        rate = _rate_of(flows, method, Fraction(periods_per_year or 1))
    except decimal.DecimalException:
        raise NoAnnualizedCostError(_OUT_OF_RANGE) from None
    if rate > _LARGEST_RATE:
        raise NoAnnualizedCostError(_OUT_OF_RANGE)
    return rate


def _rate_of(flows: Iterable[CashFlow], method: CostMethod, count: Fraction) -> Decimal:
    grid, coefficients = _on_a_grid(flows)
    with decimal.localcontext(_CONTEXT):
        discount = _solve(coefficients, _bracket(coefficients, grid))
        if method is CostMethod.EFFECTIVE:
            return discount**-grid - 1
        exponent = Decimal(grid * count.denominator) / Decimal(count.numerator)
        growth = discount ** -int(exponent) if exponent == int(exponent) else discount**-exponent
        periods = [(Fraction(step) * count / grid, cents) for step, cents in coefficients]
        return _simple_within_a_period(periods, growth - 1) * _decimal(count)


def cost_of(terms: LoanTerms) -> CostSummary:
    """Return what the loan costs when every installment is paid on its due date."""
    schedule = build_schedule(terms)
    flows = flows_of(terms, schedule)
    per_year = periods_per_year(terms.period)
    totals = schedule.totals
    sums = [
        sum(parts)
        for parts in zip(
            schedule.principal_cents, schedule.interest_cents, schedule.fee_cents, strict=True
        )
    ]
    effective = annualized_cost(flows, method=CostMethod.EFFECTIVE)
    return CostSummary(
        total_repayment=totals.total,
        total_interest=totals.interest,
        total_fees=totals.fees,
        total_cost=totals.interest + totals.fees,
        effective_annualized_cost=effective,
        nominal_annualized_cost=_nominal_of(flows, effective, per_year),
        first_installment=Money(sums[0]),
        largest_installment=Money(max(sums)),
        last_due_date=schedule.due_dates[-1],
    )


def flows_of(terms: LoanTerms, schedule: Schedule) -> tuple[CashFlow, ...]:
    """Return payout and installments as flows, placed by the rule of `years_between`."""
    start = terms.disbursement_date
    first = terms.first_due_date or terms.natural_first_due_date
    lead = years_between(start, first, unit=terms.period.unit, due_day=terms.due_day)
    step = 1 / periods_per_year(terms.period)
    numbers: Sequence[int] = range(terms.installment_count)
    if terms.method is Method.BULLET:
        numbers = [terms.installment_count - 1]
    flows = [CashFlow(amount=-terms.principal, years=Fraction(0))]
    columns = zip(
        numbers, schedule.principal_cents, schedule.interest_cents, schedule.fee_cents, strict=True
    )
    flows.extend(
        CashFlow(amount=Money(principal + interest + fees), years=lead + number * step)
        for number, principal, interest, fees in columns
    )
    return tuple(flows)


def periods_per_year(period: Period) -> Fraction:
    """Return how many periods a year has: 12 months, 52 weeks or 365 days."""
    a_year = {
        PeriodUnit.MONTH: _MONTHS_A_YEAR,
        PeriodUnit.WEEK: _WEEKS_A_YEAR,
        PeriodUnit.DAY: _DAYS_A_YEAR,
    }[period.unit]
    return Fraction(a_year, period.every)


def years_between(
    start: dt.date, end: dt.date, *, unit: PeriodUnit, due_day: int | None = None
) -> Fraction:
    """Return the time between two dates in whole units, the broken rest in days of a year.

    The whole units are counted back from `end`, then the days from there back to `start`, over the
    365 or 366 days of the year that ends where they do. A span of whole months from month end to
    month end (31 January to 28 February) is whole. A loan of DAY counts days of 365. `due_day` is
    the day of the month that months are counted back on, where `end` is a shorter month's last.

    Source: Directive 2014/17/EU, Annex I, and Directive (EU) 2023/2225, Annex III, remark (c);
    Regulation Z, Appendix J, (b)(5)(ii), measures whole months back from the later date too.
    """
    if unit is PeriodUnit.DAY:
        return Fraction((end - start).days, _DAYS_A_YEAR)
    if unit is PeriodUnit.WEEK:
        weeks = (end - start).days // _DAYS_A_WEEK
        mark = end - dt.timedelta(weeks=weeks)
        return Fraction(weeks, _WEEKS_A_YEAR) + _broken(start, mark)
    months = whole_months_between(start, end)
    if months is not None:
        return Fraction(months, _MONTHS_A_YEAR)
    months = (end.year - start.year) * _MONTHS_A_YEAR + end.month - start.month
    if add_months(end, -months, day=due_day) < start:
        months -= 1
    return Fraction(months, _MONTHS_A_YEAR) + _broken(start, add_months(end, -months, day=due_day))


def _broken(start: dt.date, mark: dt.date) -> Fraction:
    """Return the days up to `mark` as a part of the year that ends on it."""
    return Fraction((mark - start).days, (mark - add_months(mark, -_MONTHS_A_YEAR)).days)


def _nominal_of(flows: Iterable[CashFlow], effective: Decimal, per_year: Fraction) -> Decimal:
    """Return the nominal rate of flows that begin at no years, of which the effective is known."""
    periods = [(flow.years * per_year, flow.amount.cents) for flow in flows]
    try:
        with decimal.localcontext(_CONTEXT):
            compound = (1 + effective) ** (1 / _decimal(per_year)) - 1
            return _simple_within_a_period(periods, compound) * _decimal(per_year)
    except decimal.DecimalException:
        raise NoAnnualizedCostError(_OUT_OF_RANGE) from None


def _on_a_grid(flows: Iterable[CashFlow]) -> tuple[int, list[tuple[int, int]]]:
    """Return steps a year and (step, cents) in order, flows of one time summed, zeros left out."""
    by_time: dict[Fraction, int] = defaultdict(int)
    for flow in flows:
        by_time[flow.years] += flow.amount.cents
    used = {time: cents for time, cents in by_time.items() if cents}
    if not used or min(used.values()) > 0 or max(used.values()) < 0:
        raise NoAnnualizedCostError(
            "No rate balances the flows: give at least one amount paid out (negative) and one "
            "paid back (positive), at different times"
        )
    grid = math.lcm(*(time.denominator for time in used))
    first = min(used)
    steps = sorted((int((time - first) * grid), cents) for time, cents in used.items())
    if steps[-1][0] > _LARGEST_EXPONENT:
        raise NoAnnualizedCostError("The times of the flows are too finely divided to be solved")
    return grid, steps


def _has_one_rate(amounts: list[int]) -> bool:
    """Return whether one rate at most can balance the flows.

    One change of sign in the flows gives one rate (Descartes). With more, one change of sign in
    their running sums, which do not end at zero, still gives one rate that is not negative
    (Norstrom).
    """
    if _sign_changes(amounts) == 1:
        return True
    sums = list(itertools.accumulate(amounts))
    return _sign_changes(sums) == 1 and sums[-1] != 0 and (sums[-1] > 0) != (amounts[0] > 0)


def _sign_changes(amounts: list[int]) -> int:
    signs = [amount > 0 for amount in amounts if amount]
    return sum(left != right for left, right in itertools.pairwise(signs))


def _solve(steps: list[tuple[int, int]], bracket: tuple[Decimal, Decimal]) -> Decimal:
    """Return the discount per grid step that makes the flows worth nothing.

    Newton's method kept inside a bracket that halves whenever Newton leaves it.
    """
    low, high = bracket
    sign_low = _value(steps, low)[0] > 0
    guess = (low + high) / 2
    for _ in range(_MOST_STEPS):
        value, slope = _value(steps, guess)
        if value == 0:
            return guess
        if (value > 0) == sign_low:
            low = guess
        else:
            high = guess
        step = value / slope if slope else high - low
        following = guess - step
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - guess) < _TOLERANCE * guess:
            return following
        guess = following
    raise NoAnnualizedCostError("No rate was found that balances the flows")


def _bracket(steps: list[tuple[int, int]], grid: int) -> tuple[Decimal, Decimal]:
    """Return two discounts between which the value of the flows changes its sign once."""
    if not _has_one_rate([cents for _, cents in steps]):
        return _bracket_below_the_higher_rate(steps, grid)
    at_par = sum(cents for _, cents in steps)
    if at_par == 0:
        return Decimal("0.9"), Decimal("1.1")
    toward_zero = (at_par > 0) != (steps[0][1] > 0)
    exponent = Decimal(1) / max(steps[-1][0], 1)
    factor = Decimal("0.5") ** exponent if toward_zero else Decimal(2) ** exponent
    near = Decimal(1)
    for _ in range(_MOST_DOUBLINGS):
        far = near * factor
        if (_value(steps, far)[0] > 0) != (at_par > 0):
            return min(near, far), max(near, far)
        near = far
        factor *= factor
        if not Decimal("1e-1000000") < factor < Decimal("1e1000000"):
            break
    raise NoAnnualizedCostError("No rate was found that balances the flows")


def _bracket_below_the_higher_rate(
    steps: list[tuple[int, int]], grid: int
) -> tuple[Decimal, Decimal]:
    """Return the discounts at 10,000 percent and at nothing, when one rate lies between them.

    A charge paid before the first payout gives two changes of sign, so two rates at most: the
    cost, and one so high that the charge itself would earn it (the Commission's paper of January
    2015, example 43). When the value changes its sign up to 10,000 percent, only the cost is there.
    """
    amounts = [cents for _, cents in steps]
    far = Decimal(1 + _LARGEST_OF_TWO) ** (Decimal(-1) / grid)
    at_par = sum(amounts)
    paid_first = at_par != 0 and (at_par > 0) == (amounts[0] > 0)
    at_far = _value(steps, far)[0]
    if _sign_changes(amounts) != _TWO or not paid_first or (at_far > 0) == (at_par > 0):
        raise AmbiguousAnnualizedCostError(
            "More than one rate may balance the flows: their sign changes "
            f"{_sign_changes(amounts)} times; put them so that money goes out first and comes back"
        )
    return far, Decimal(1)


def _simple_within_a_period(periods: list[tuple[Fraction, int]], compound: Decimal) -> Decimal:
    """Return the rate of one period when the broken rest of a period bears simple interest.

    Newton's method from `compound`, the rate at which the rest compounds too and which lies near.
    No step makes a period's growth less than a tenth of what it was, so that none leads beyond -1.
    """
    if all(at.denominator == 1 for at, _ in periods):
        return compound
    split = [(int(at), _decimal(at - int(at)), cents) for at, cents in periods]
    rate = compound
    for _ in range(_MOST_STEPS):
        value = slope = Decimal(0)
        for whole, rest, cents in split:
            part = cents / ((1 + rest * rate) * (1 + rate) ** whole)
            value += part
            slope -= part * (rest / (1 + rest * rate) + whole / (1 + rate))
        following = max(rate - value / slope, (1 + rate) / _LARGEST_FALL - 1)
        if abs(following - rate) <= _TOLERANCE * (1 + abs(rate)):
            return following
        rate = following
    raise NoAnnualizedCostError("No rate was found that balances the flows")


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / number.denominator


def _value(steps: list[tuple[int, int]], discount: Decimal) -> tuple[Decimal, Decimal]:
    """Return the value of the flows at `discount` per step, and its slope."""
    value = slope = Decimal(0)
    power, at = Decimal(1), 0
    for step, cents in steps:
        power *= discount ** (step - at)
        at = step
        value += cents * power
        slope += step * cents * power
    return value, slope / discount
