"""What is offered on a day, at which list rate, and what it would cost."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from decimal import Decimal

from loans.engine.annualized_cost import CostSummary, cost_of
from loans.engine.schedule import Schedule, build_schedule
from loans.engine.terms import (
    Bucket,
    DayCount,
    LoanTerms,
    Method,
    PenaltyRule,
    Period,
    read_late_allocation,
)
from loans.models import Merchant, Product, ProductVersion
from risk.engine.decision import InstallmentMath
from risk.selectors.policies import current_policy
from zhixin.shared.business_days import BusinessCalendar
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

CALCULATOR_PRODUCT = "personal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a loan would cost: its terms, every installment and the sums."""

    terms: LoanTerms
    schedule: Schedule
    cost: CostSummary

    @property
    def months(self) -> int:
        """Return the number of monthly installments."""
        return self.terms.installment_count

    @property
    def falls(self) -> bool:
        """Return whether the installments become smaller from month to month."""
        return self.terms.method is Method.EQUAL_PRINCIPAL


def offered_versions(*, on: datetime.date) -> list[ProductVersion]:
    """Return the version in force on `on` of each product that is offered, in their order."""
    versions = (
        ProductVersion.objects.filter(product__active=True, effective_from__lte=on)
        .order_by("product__position", "product_id", "-effective_from", "-number")
        .distinct("product__position", "product_id")
        .select_related("product")
    )
    return list(versions)


def offered_version(product_code: str, *, on: datetime.date) -> ProductVersion | None:
    """Return the version of the product in force on `on`; None when it is not offered."""
    return next(
        (version for version in offered_versions(on=on) if version.product.code == product_code),
        None,
    )


def merchants_of(product: Product) -> list[Merchant]:
    """Return the merchants whose bills the product pays, by name."""
    if not product.needs_merchant:
        return []
    found = Merchant.objects.filter(scenario=product.scenario, active=True)
    return sorted(found, key=lambda merchant: merchant.name)


def list_rate(product_code: str, *, on: datetime.date) -> Decimal:
    """Return the list rate a year of the product on `on`: the one in the policy of `risk`."""
    return current_policy(on).product(product_code).list_rate


def calculator_rate(*, on: datetime.date) -> Decimal:
    """Return the list rate a year of the personal credit loan, for the public calculator."""
    return list_rate(CALCULATOR_PRODUCT, on=on)


def terms_of_offer(
    version: ProductVersion,
    *,
    amount: Money,
    installment_count: int,
    method: str,
    annual_rate: Decimal,
    disbursement_date: datetime.date,
) -> LoanTerms:
    """Return the terms that a loan under this version would have if paid out on that date.

    The overdue rate is capped at the all-in cap (conduct PR-16).
    """
    return LoanTerms(
        principal=amount,
        annual_rate=annual_rate,
        method=Method(method),
        installment_count=installment_count,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount(version.day_count),
        disbursement_date=disbursement_date,
        rounding=Rounding(version.rounding),
        penalty=PenaltyRule(
            uplift=version.penalty_uplift.normalize(),
            grace_days=version.penalty_grace_days,
            annual_cap=version.all_in_cap.normalize(),
        ),
        allocation=tuple(Bucket(bucket) for bucket in version.allocation),
        late_allocation=tuple(
            read_late_allocation(rule, where="late_allocation") for rule in version.late_allocation
        ),
        calendar=BusinessCalendar(version.calendar) if version.calendar else None,
    )


def quote_of(terms: LoanTerms) -> Quote:
    """Return schedule and cost of `terms`."""
    return Quote(terms=terms, schedule=build_schedule(terms), cost=cost_of(terms))


def installment_math(
    version: ProductVersion, *, disbursement_date: datetime.date
) -> InstallmentMath:
    """Return the function that `risk` asks for the largest installment of a loan."""

    def largest_installment(
        principal: Money, annual_rate: Decimal, installment_count: int, method: str
    ) -> Money:
        terms = terms_of_offer(
            version,
            amount=principal,
            installment_count=installment_count,
            method=method,
            annual_rate=annual_rate,
            disbursement_date=disbursement_date,
        )
        schedule = build_schedule(terms)
        columns = zip(
            schedule.principal_cents, schedule.interest_cents, schedule.fee_cents, strict=True
        )
        return Money(max(sum(parts) for parts in columns))

    return largest_installment


@dataclass(frozen=True, slots=True, kw_only=True)
class TermComparison:
    """What another term would change: installment (the first one) and total, as differences."""

    months: int
    is_longer: bool
    installment_change: Money
    total_change: Money


def compare_terms(version: ProductVersion, quote: Quote) -> list[TermComparison]:
    """Return the next shorter and the next longer term that is offered, shorter first."""
    counts = sorted(version.installment_counts)
    shorter = [count for count in counts if count < quote.months][-1:]
    longer = [count for count in counts if count > quote.months][:1]
    return [_compared(quote, count) for count in shorter + longer]


def _compared(quote: Quote, count: int) -> TermComparison:
    other = cost_of(replace(quote.terms, installment_count=count))
    return TermComparison(
        months=count,
        is_longer=count > quote.months,
        installment_change=other.first_installment - quote.cost.first_installment,
        total_change=other.total_repayment - quote.cost.total_repayment,
    )
