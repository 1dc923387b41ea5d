"""Offers to a borrower who cannot repay: state and budget in, affordable plans out.

Rules and a worked table: docs/formulas/hardship.md. Every offer passes three laws, checked here and
by the database: no installment above what the budget bears (conduct HS-15), no rate above the
present one, no fee and no penalty turned into principal (HS-17).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Final

from collections_app.engine.policy import HardshipPolicy
from loans.engine.events import PlanChanged
from loans.engine.modification import (
    PlanComparison,
    UnableToModifyError,
    defer,
    extend,
    freeze_interest,
    preview,
)
from loans.engine.servicing import Event, InstallmentState, LoanState, replay
from loans.engine.terms import LoanTerms, Method
from zhixin.shared.calendar import add_months, add_periods
from zhixin.shared.money import Money, Rounding, total

_RATE_STEP: Final = Decimal("0.0001")


class OfferLawError(AssertionError):
    """An offer breaks a law that no offer may break."""


class OfferKind(StrEnum):
    """What a plan changes."""

    DEFERRAL = "DEFERRAL"
    LONGER_TERM = "LONGER_TERM"
    INTEREST_FREEZE = "INTEREST_FREEZE"


class WhyNot(StrEnum):
    """Why an option is not offered."""

    ABOVE_BUDGET = "ABOVE_BUDGET"
    NO_INTEREST = "NO_INTEREST"
    NOT_POSSIBLE = "NOT_POSSIBLE"
    NOT_NEEDED = "NOT_NEEDED"


class CreditFileEffect(StrEnum):
    """What a plan does to the borrower's record; the page says it in words."""

    CHANGED_BEFORE_LATE = "CHANGED_BEFORE_LATE"
    CHANGED_AFTER_LATE = "CHANGED_AFTER_LATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the borrower can pay on this loan each month, now and after a dated change.

    `later` and `later_from` stand together: from that date on `later` can be paid.
    """

    now: Money
    later: Money | None = None
    later_from: dt.date | None = None

    def on(self, date: dt.date) -> Money:
        """Return what can be paid on `date`."""
        if self.later is not None and self.later_from is not None and date >= self.later_from:
            return self.later
        return self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInstallment:
    """One payment of an offered plan; `number` goes on from the loan's, so each is named once."""

    number: int
    due_date: dt.date
    principal: Money
    interest: Money
    fees: Money
    penalty: Money
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class HardshipOffer:
    """One plan to choose, with everything that it changes.

    Attributes:
        comparison: old and new, from the same day.
        old_installment: the largest payment to come without the plan; all that is late when the
            schedule has ended.
        schedule: every payment of the plan.
        bearable: what the budget bears when the plan's first payment falls due.
        annual_rate_old, annual_rate_new: yearly rates as fractions.
        waived_penalty: late charges that the lender gives up with the plan.
        months: of the deferral or of the freeze; for a longer term the number of payments.
    """

    kind: OfferKind
    change: PlanChanged
    comparison: PlanComparison
    old_installment: Money
    schedule: tuple[PlannedInstallment, ...]
    bearable: Money
    annual_rate_old: Decimal
    annual_rate_new: Decimal
    waived_penalty: Money
    months: int
    credit_file: CreditFileEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOffered:
    """An option that is left out, why, and what its installment would be."""

    kind: OfferKind
    reason: WhyNot
    installment: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What every option is computed from."""

    terms: LoanTerms
    events: tuple[Event, ...]
    on: dt.date
    state: LoanState
    means: Means
    policy: HardshipPolicy

    @property
    def penalty(self) -> Money:
        return self.state.outstanding.penalty

    @property
    def needs_relief(self) -> bool:
        """Return whether something is late, or a payment to come is more than can be borne."""
        return bool(self.state.overdue.total) or any(
            row.outstanding.total > self.means.on(row.due_date)
            for row in self.state.installments
            if row.outstanding.total
        )


def offers_for(
    terms: LoanTerms,
    events: Iterable[Event],
    on: dt.date,
    *,
    means: Means,
    policy: HardshipPolicy,
) -> tuple[tuple[HardshipOffer, ...], tuple[NotOffered, ...]]:
    """Return the plans that the borrower can bear, and why each other option is left out.

    A deferral, a longer term at a lower rate, an interest freeze, in this order. The last two make
    the loan cheaper and are for those in need only; a deferral costs its interest and is for
    everybody. All penalty that is outstanding is waived by accepting. When the first tuple is
    empty a person has to help.
    """
    known = tuple(events)
    case = _Case(
        terms=terms,
        events=known,
        on=on,
        state=replay(terms, known, on),
        means=means,
        policy=policy,
    )
    results = [_attempt(case, kind) for kind in OfferKind]
    offers = tuple(result for result in results if isinstance(result, HardshipOffer))
    for offer in offers:
        check_offer(offer, state=case.state)
    return offers, tuple(result for result in results if isinstance(result, NotOffered))


def check_offer(offer: HardshipOffer, *, state: LoanState) -> None:
    """Raise OfferLawError when the offer breaks one of the laws of this module.

    The principal of the schedule is exactly what is outstanding now (less money paid ahead).
    """
    principal = total(row.principal for row in offer.schedule)
    laws = {
        "HS-15: above the budget": all(row.total <= offer.bearable for row in offer.schedule),
        "HS-17: a higher rate": offer.annual_rate_new <= offer.annual_rate_old,
        "HS-17: a fee or a late charge": not total(row.penalty for row in offer.schedule)
        and total(row.fees for row in offer.schedule) <= _fees_to_come(state),
        "principal is not conserved": principal <= state.outstanding.principal
        and principal >= state.outstanding.principal - state.prepaid,
        "the parts do not add up": total(row.total for row in offer.schedule)
        == offer.comparison.new_total,
    }
    broken = [law for law, kept in laws.items() if not kept]
    if broken:
        raise OfferLawError("; ".join(broken))


def _fees_to_come(state: LoanState) -> Money:
    """Return the fees still to pay; what was paid ahead of them may go to principal instead."""
    return total(row.outstanding.fees for row in state.installments) + state.prepaid


def _attempt(case: _Case, kind: OfferKind) -> HardshipOffer | NotOffered:
    attempts = {
        OfferKind.DEFERRAL: _deferral,
        OfferKind.LONGER_TERM: _longer_term,
        OfferKind.INTEREST_FREEZE: _freeze,
    }
    if kind is not OfferKind.DEFERRAL and not case.needs_relief:
        return NotOffered(kind=kind, reason=WhyNot.NOT_NEEDED, installment=None)
    try:
        return attempts[kind](case)
    except UnableToModifyError:
        return NotOffered(kind=kind, reason=WhyNot.NOT_POSSIBLE, installment=None)


def _deferral(case: _Case) -> HardshipOffer | NotOffered:
    months = case.policy.deferral_months
    change = defer(case.terms, case.events, case.on, months=months, waived_penalty=case.penalty)
    return _judge(case, OfferKind.DEFERRAL, change, months)


def _longer_term(case: _Case) -> HardshipOffer | NotOffered:
    """Return the shortest longer term that is a real relief and fits, by bisection."""
    rate = (case.state.annual_rate * case.policy.rate_factor).quantize(_RATE_STEP, ROUND_DOWN)
    unpaid = sum(1 for row in case.state.installments if row.outstanding.total)
    first = _longer(case, unpaid + 1, rate)
    low, high = unpaid + 1, _longest_count(case, first.first_due_date)
    if high < low:
        return NotOffered(kind=OfferKind.LONGER_TERM, reason=WhyNot.NOT_POSSIBLE, installment=None)
    target = min(case.means.on(first.first_due_date), _relieved(case))
    while low < high:
        middle = (low + high) // 2
        if _largest(case, _longer(case, middle, rate)) <= target:
            high = middle
        else:
            low = middle + 1
    return _judge(case, OfferKind.LONGER_TERM, _longer(case, low, rate), low)


def _longer(case: _Case, count: int, rate: Decimal) -> PlanChanged:
    change = extend(
        case.terms,
        case.events,
        case.on,
        installment_count=count,
        annual_rate=rate,
        waived_penalty=case.penalty,
    )
    if change.method in {Method.INTEREST_ONLY, Method.BULLET}:
        # More time before one big payment is no help; spread it.
        change = replace(change, method=Method.EQUAL_INSTALLMENT)
    return change


def _longest_count(case: _Case, first_due: dt.date) -> int:
    """Return how many payments fit before the policy's longest term ends."""
    last = add_months(case.on, case.policy.longest_months)
    period, count = case.terms.period, 0
    while add_periods(first_due, count, every=period.every, unit=period.unit) <= last:
        count += 1
    return count


def _relieved(case: _Case) -> Money:
    """Return the present installment less the least relief; more than any amount if none is."""
    present = max(
        (row.outstanding.total for row in case.state.installments if row.due_date > case.on),
        default=case.state.outstanding.total,
    )
    part = present.amount * (1 - case.policy.least_relief)
    return Money.rounded(part, rounding=Rounding.DOWN)


def _freeze(case: _Case) -> HardshipOffer | NotOffered:
    if not case.state.annual_rate:
        return NotOffered(
            kind=OfferKind.INTEREST_FREEZE, reason=WhyNot.NO_INTEREST, installment=None
        )
    result: HardshipOffer | NotOffered | None = None
    for months in case.policy.freeze_months:
        change = freeze_interest(
            case.terms, case.events, case.on, months=months, waived_penalty=case.penalty
        )
        result = _judge(case, OfferKind.INTEREST_FREEZE, change, months)
        if isinstance(result, HardshipOffer):
            break
    if result is None:
        return NotOffered(
            kind=OfferKind.INTEREST_FREEZE, reason=WhyNot.NOT_POSSIBLE, installment=None
        )
    return result


def _largest(case: _Case, change: PlanChanged) -> Money:
    return max(row.total for row in planned(case.terms, case.events, change))


def _judge(
    case: _Case, kind: OfferKind, change: PlanChanged, months: int
) -> HardshipOffer | NotOffered:
    """Return the offer when every payment is bearable on its day, or why it is none."""
    schedule = planned(case.terms, case.events, change)
    bearable = case.means.on(change.first_due_date)
    largest = max(row.total for row in schedule)
    fits = largest <= bearable and all(row.total <= case.means.on(row.due_date) for row in schedule)
    if not fits:
        return NotOffered(kind=kind, reason=WhyNot.ABOVE_BUDGET, installment=largest)
    late = case.state.days_past_due > 0
    comparison = preview(case.terms, case.events, change, case.on)
    return HardshipOffer(
        kind=kind,
        change=change,
        comparison=comparison,
        old_installment=comparison.old_installment or case.state.overdue.total,
        schedule=schedule,
        bearable=bearable,
        annual_rate_old=case.state.annual_rate,
        annual_rate_new=change.annual_rate,
        waived_penalty=case.penalty,
        months=months,
        credit_file=(
            CreditFileEffect.CHANGED_AFTER_LATE if late else CreditFileEffect.CHANGED_BEFORE_LATE
        ),
    )


def planned(
    terms: LoanTerms, events: Sequence[Event], change: PlanChanged
) -> tuple[PlannedInstallment, ...]:
    """Return every payment of the plan `change`, as it is when nothing else happens."""
    state = replay(terms, (*events, change), change.effective_date)
    return tuple(_planned(row) for row in state.installments if row.outstanding.total)


def _planned(row: InstallmentState) -> PlannedInstallment:
    owed = row.outstanding
    return PlannedInstallment(
        number=row.number,
        due_date=row.due_date,
        principal=owed.principal,
        interest=owed.interest,
        fees=owed.fees,
        penalty=owed.penalty,
        total=owed.total,
    )
