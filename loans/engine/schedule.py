"""The repayment schedule of terms, by all five methods.

Formulas, sources and rounding: docs/formulas/schedule.md. Inside, amounts are whole cents and
factors exact ratios; an interest, a level installment and a fee are rounded, and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from loans.engine.day_count import UNITS_A_YEAR, Grid, Timetable, exact_ratio, timetable
from loans.engine.terms import LoanTerms, Method
from zhixin.shared.money import RATIO_RULES, Money, Rounding, round_ratio

# A member looked up on its class costs more than the sum it is needed for.
_EQUAL_INSTALLMENT: Final = Method.EQUAL_INSTALLMENT
_EQUAL_PRINCIPAL: Final = Method.EQUAL_PRINCIPAL
_BULLET: Final = Method.BULLET
_FLAT: Final = Method.FLAT
_PRINCIPAL_AT_THE_END: Final = (Method.INTEREST_ONLY, Method.BULLET)


class ScheduleInvariantError(AssertionError):
    """A finished schedule breaks a law: its parts do not re-add, or a part is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One installment as agreed: `days` are calendar days, `balance` the principal left after.

    `payable_through` is the last day on which paying is in time: the due date, or the next business
    day where the terms name a calendar. Interest counts to the due date.
    """

    number: int
    due_date: dt.date
    payable_through: dt.date
    days: int
    principal: Money
    interest: Money
    fees: Money
    total: Money
    balance: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTotals:
    """Sums over all rows."""

    principal: Money
    interest: Money
    fees: Money
    total: Money


class Schedule(NamedTuple):
    """A schedule as columns of equal length; `rows` shows it row by row."""

    due_dates: tuple[dt.date, ...]
    payable_through: tuple[dt.date, ...]
    days: tuple[int, ...]
    principal_cents: tuple[int, ...]
    interest_cents: tuple[int, ...]
    fee_cents: tuple[int, ...]

    @property
    def rows(self) -> tuple[ScheduleRow, ...]:
        """Return the rows in order."""
        balance = sum(self.principal_cents)
        rows = []
        columns = zip(
            self.due_dates,
            self.payable_through,
            self.days,
            self.principal_cents,
            self.interest_cents,
            self.fee_cents,
            strict=True,
        )
        for number, (due_date, payable, days, principal, interest, fees) in enumerate(columns, 1):
            balance -= principal
            rows.append(
                ScheduleRow(
                    number=number,
                    due_date=due_date,
                    payable_through=payable,
                    days=days,
                    principal=Money(principal),
                    interest=Money(interest),
                    fees=Money(fees),
                    total=Money(principal + interest + fees),
                    balance=Money(balance),
                )
            )
        return tuple(rows)

    @property
    def totals(self) -> ScheduleTotals:
        """Return the sums over all rows."""
        parts = sum(self.principal_cents), sum(self.interest_cents), sum(self.fee_cents)
        return ScheduleTotals(
            principal=Money(parts[0]),
            interest=Money(parts[1]),
            fees=Money(parts[2]),
            total=Money(sum(parts)),
        )


class Amortization(NamedTuple):
    """How much principal a row repays, given the balance and the row's interest.

    Attributes:
        last: the row that repays all that is left.
        grace: first rows without principal.
        level: total of principal and interest in cents (EQUAL_INSTALLMENT, FLAT).
        part: principal of each row in cents (EQUAL_PRINCIPAL).
    """

    method: Method
    last: int
    grace: int
    level: int
    part: int

    def principal_due(self, number: int, balance: int, interest: int) -> int:
        """Return the principal of row `number` in cents: never negative, never above balance."""
        if number >= self.last:
            return balance
        if number <= self.grace:
            return 0
        method = self.method
        if method is _EQUAL_PRINCIPAL:
            part = self.part
        elif method in _PRINCIPAL_AT_THE_END:
            return 0
        else:
            part = self.level - interest
        return min(part, balance) if part > 0 else 0


def build_schedule(terms: LoanTerms) -> Schedule:
    """Return the schedule that `terms` agree on.

    The last row repays the balance; a rounded level installment never changes the number of rows.
    Raises ScheduleInvariantError if a law fails, which would be a defect of this function.
    """
    dates, payable, days, units = timetable_of(terms)
    rate, scale = exact_ratio(terms.annual_rate)
    scale *= UNITS_A_YEAR[terms.day_count]
    numerators = [rate * unit for unit in units]
    if terms.method is _FLAT:
        interest, principal = _flat_columns(terms, numerators, scale)
    else:
        interest, principal = _declining_columns(terms, numerators, scale)
    schedule = Schedule(
        due_dates=dates,
        payable_through=payable,
        days=days,
        principal_cents=tuple(principal),
        interest_cents=tuple(interest),
        fee_cents=_fee_column(terms, principal),
    )
    _check_laws(schedule, terms)
    return schedule


def level_installment(
    *, balance: int, numerators: Sequence[int], scale: int, terms: LoanTerms
) -> int:
    """Return the equal installment in cents over periods that grow by 1 + numerator / scale.

    Formula: A = P × Π(1 + r·fᵢ) / Fₙ with F₁ = 1 and Fᵢ = 1 + Fᵢ₋₁ × (1 + r·fᵢ); with equal
    periods it is the annuity formula. Rounding: to the terms' multiple by their rule, else to
    cents. Source: docs/formulas/schedule.md.
    """
    growth = 1
    sum_of_growths = 0
    power = 1
    for numerator in numerators:
        step = scale + numerator
        sum_of_growths = power + sum_of_growths * step
        growth *= step
        power *= scale
    return round_installment(balance * growth, scale * sum_of_growths, terms)


def round_installment(numerator: int, denominator: int, terms: LoanTerms) -> int:
    """Return the level installment numerator / denominator in cents, by the terms' multiple."""
    rule = terms.installment_rounding or terms.rounding
    step = 1 if terms.installment_multiple is None else terms.installment_multiple.cents
    return round_ratio(numerator, denominator * step, rounding=rule) * step


def amortization_of(
    terms: LoanTerms, *, balance: int, numerators: Sequence[int], scale: int
) -> Amortization:
    """Return the rule that repays `balance` over the periods by the terms' method."""
    count, grace = len(numerators), terms.grace_principal_periods
    level = part = 0
    if terms.method is _EQUAL_INSTALLMENT:
        level = level_installment(
            balance=balance, numerators=numerators[grace:], scale=scale, terms=terms
        )
    elif terms.method is _EQUAL_PRINCIPAL:
        part = round_ratio(balance, count - grace, rounding=terms.rounding)
    elif terms.method is _FLAT:
        paying = numerators[grace:]
        level = round_installment(balance * (scale + sum(paying)), scale * len(paying), terms)
    return Amortization(terms.method, count, grace, level, part)


def timetable_of(terms: LoanTerms) -> Timetable:
    """Return the columns of `timetable`; a bullet has one row over the term."""
    period = terms.period
    grid = Grid(
        terms.day_count,
        terms.disbursement_date,
        terms.first_due_date,
        terms.installment_count,
        period.every,
        period.unit,
        terms.due_day,
        terms.shifting_calendar,
    )
    found = timetable(grid)
    if terms.method is not _BULLET:
        return found
    dates, payable, days, units = found
    return dates[-1:], payable[-1:], (sum(days),), (sum(units),)


def _declining_columns(
    terms: LoanTerms, numerators: Sequence[int], scale: int
) -> tuple[list[int], list[int]]:
    """Return interest and principal of each row; interest is on the balance."""
    balance = terms.principal.cents
    rule = amortization_of(terms, balance=balance, numerators=numerators, scale=scale)
    settle = RATIO_RULES[terms.rounding]
    interest, principal = [], []
    for number, numerator in enumerate(numerators, 1):
        charge = settle(balance * numerator, scale)
        repaid = rule.principal_due(number, balance, charge)
        interest.append(charge)
        principal.append(repaid)
        balance -= repaid
    return interest, principal


def _flat_columns(
    terms: LoanTerms, numerators: Sequence[int], scale: int
) -> tuple[list[int], list[int]]:
    """Return interest and principal of each row; interest is on the original principal.

    The last row takes what rounding left of both.
    """
    balance = terms.principal.cents
    rule = amortization_of(terms, balance=balance, numerators=numerators, scale=scale)
    interest = flat_interest(balance, numerators, scale, rounding=terms.rounding)
    principal = []
    for number, charge in enumerate(interest, 1):
        repaid = rule.principal_due(number, balance, charge)
        principal.append(repaid)
        balance -= repaid
    return interest, principal


def flat_interest(
    principal: int, numerators: Sequence[int], scale: int, *, rounding: Rounding
) -> list[int]:
    """Return each row's interest in cents on the original principal; the last takes the rest."""
    settle = RATIO_RULES[rounding]
    rows = [settle(principal * numerator, scale) for numerator in numerators]
    whole = settle(principal * sum(numerators), scale)
    rows[-1] = max(whole - sum(rows[:-1]), 0)
    return rows


def _fee_column(terms: LoanTerms, principal: Sequence[int]) -> tuple[int, ...]:
    """Return each row's fee in cents; a row that starts when nothing is left has none."""
    each = terms.fees.installment_cents(terms.principal, terms.rounding)
    upfront = terms.fees.upfront_cents(terms.principal, terms.rounding)
    count = len(principal)
    asking = count
    while not principal[asking - 1]:
        asking -= 1
    return (each + upfront, *[each] * (asking - 1), *[0] * (count - asking))


def _check_laws(schedule: Schedule, terms: LoanTerms) -> None:
    if sum(schedule.principal_cents) != terms.principal.cents:
        raise ScheduleInvariantError("The principal of the rows must re-add to the loan's.")
    if min(*schedule.principal_cents, *schedule.interest_cents, 0) < 0:
        raise ScheduleInvariantError("No part of a row may be negative.")
