"""What a loan would cost: the same schedule and the same annualized cost as the contract.

Formulas: docs/formulas/schedule.md and annualized_cost.md. Nothing is worked out here that the
loan engine works out; this module only asks it, and adds up.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

from loans.engine.annualized_cost import CostSummary, cost_of
from loans.engine.schedule import Schedule, build_schedule
from loans.engine.terms import DayCount, LoanTerms, Method, Period
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

MONTHS_IN_A_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanOffer:
    """What a product fixes of its monthly loans; `usual_months` are the terms to compare with."""

    annual_rate: Decimal
    day_count: DayCount
    rounding: Rounding
    usual_months: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Another term beside the chosen one; the changes are other minus chosen."""

    months: int
    is_longer: bool
    installment_change: Money
    total_change: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A loan that nobody has signed: its schedule and what it costs.

    `annualized_cost` is the effective yearly rate of the cash flows, `simple_cost` the periodic
    rate times the periods of a year (单利); both are fractions.
    """

    terms: LoanTerms
    schedule: Schedule
    summary: CostSummary
    comparison: Comparison | None

    @property
    def principal(self) -> Money:
        """Return what is borrowed."""
        return self.terms.principal

    @property
    def total(self) -> Money:
        """Return everything that is repaid."""
        return self.summary.total_repayment

    @property
    def cost(self) -> Money:
        """Return what is repaid beyond the principal."""
        return self.summary.total_cost

    @property
    def annualized_cost(self) -> Decimal:
        """Return the effective cost a year (复利)."""
        return self.summary.effective_annualized_cost

    @property
    def simple_cost(self) -> Decimal:
        """Return the simple cost a year (单利)."""
        return self.summary.nominal_annualized_cost

    @property
    def first_installment(self) -> Money:
        """Return the first installment."""
        return self.summary.first_installment

    @property
    def last_installment(self) -> Money:
        """Return the last installment, which may differ by what rounding left over."""
        return self.schedule.rows[-1].total

    @property
    def falls(self) -> bool:
        """Return whether installments become smaller from month to month by design."""
        return self.terms.method is Method.EQUAL_PRINCIPAL


def estimate_loan(
    *, offer: LoanOffer, amount: Money, months: int, method: Method, start: dt.date
) -> Estimate:
    """Return what `amount` costs over `months` monthly installments from `start` on.

    The comparison is with the next longer usual term, or with the next shorter one when there is
    no longer one.
    """
    terms = LoanTerms(
        principal=amount,
        annual_rate=offer.annual_rate,
        method=method,
        installment_count=months,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=offer.day_count,
        disbursement_date=start,
        rounding=offer.rounding,
    )
    summary = cost_of(terms)
    return Estimate(
        terms=terms,
        schedule=build_schedule(terms),
        summary=summary,
        comparison=_compare(terms, summary, usual_months=offer.usual_months),
    )


def estimate_flat_fee(
    *, amount: Money, monthly_rate: Decimal, months: int, start: dt.date, rounding: Rounding
) -> Estimate:
    """Return what a flat fee of `monthly_rate` of the first amount, every month, really costs.

    `monthly_rate` is a fraction a month (0.006); the fee of every month is the same, so months
    count as twelfths of a year (30/360).
    """
    offer = LoanOffer(
        annual_rate=monthly_rate * MONTHS_IN_A_YEAR,
        day_count=DayCount.THIRTY_360,
        rounding=rounding,
        usual_months=(),
    )
    return estimate_loan(offer=offer, amount=amount, months=months, method=Method.FLAT, start=start)


def _compare(
    terms: LoanTerms, summary: CostSummary, *, usual_months: tuple[int, ...]
) -> Comparison | None:
    """Return the neighboring usual term beside `terms`, or None when there is none."""
    chosen = terms.installment_count
    longer = [months for months in usual_months if months > chosen]
    shorter = [months for months in usual_months if months < chosen]
    if not longer and not shorter:
        return None
    months = min(longer) if longer else max(shorter)
    other = cost_of(replace(terms, installment_count=months))
    return Comparison(
        months=months,
        is_longer=bool(longer),
        installment_change=other.first_installment - summary.first_installment,
        total_change=other.total_repayment - summary.total_repayment,
    )
