"""Plan changes that a borrower understands, and what each would cost.

Rules and a worked table: docs/formulas/plan_change.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from loans.engine.events import Event, PlanChanged
from loans.engine.servicing import InstallmentState, LoanState, replay
from loans.engine.terms import LoanTerms, Method
from zhixin.shared.calendar import add_months, add_periods
from zhixin.shared.money import Money

_PREVIEW_ID = "plan-preview"
_ZERO = Money(0)


class UnableToModifyError(ValueError):
    """The loan has nothing left that a plan could change, or the plan is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanComparison:
    """What a borrower pays without and with a plan, from the same day.

    Attributes:
        old_installment, new_installment: the largest amount of one due date still to come, but
            what is suspended, which nobody has to pay.
        old_total, new_total: all that is still to pay.
        difference: new less old; negative when the plan costs less.
        old_months, new_months: due dates still to come.
    """

    old_installment: Money
    new_installment: Money
    old_end: dt.date
    new_end: dt.date
    old_total: Money
    new_total: Money
    difference: Money
    old_months: int
    new_months: int


def defer(
    terms: LoanTerms,
    events: Iterable[Event],
    on: dt.date,
    *,
    months: int = 1,
    waived_penalty: Money = _ZERO,
) -> PlanChanged:
    """Return the plan whose first payment is `months` months after the next due date.

    Who is not late sees every unpaid installment move by `months` months. Missed installments are
    not due before: all that remains follows from the first payment on, one a period. The contract's
    rate runs on; the interest of the extra time is part of the new installments and bears none
    itself. Raises UnableToModifyError when nothing is left to move.
    """
    known = tuple(events)
    state, unpaid = _unpaid(terms, known, on)
    not_late = [
        row.due_date
        for row in sorted(unpaid, key=lambda row: (row.payable_through, row.number))
        if row.payable_through >= on and add_months(row.due_date, months) > on
    ]
    next_due = not_late[0] if not_late else _next_on_grid(terms, unpaid, on)
    return _plan(
        terms,
        known,
        on,
        annual_rate=state.annual_rate,
        installment_count=len(unpaid),
        first_due_date=add_months(next_due, months),
        waived_penalty=waived_penalty,
        reason=f"defer {months}",
    )


def extend(
    terms: LoanTerms,
    events: Iterable[Event],
    on: dt.date,
    *,
    installment_count: int,
    annual_rate: Decimal,
    waived_penalty: Money = _ZERO,
) -> PlanChanged:
    """Return the plan that repays what is left in `installment_count` installments.

    Raises UnableToModifyError for a higher rate than the present one (conduct HS-17).
    """
    known = tuple(events)
    state, unpaid = _unpaid(terms, known, on)
    if annual_rate > state.annual_rate:
        raise UnableToModifyError("A plan never raises the rate.")
    return _plan(
        terms,
        known,
        on,
        annual_rate=annual_rate,
        installment_count=installment_count,
        first_due_date=_next_on_grid(terms, unpaid, on),
        waived_penalty=waived_penalty,
        reason=f"extend {installment_count}",
    )


def freeze_interest(
    terms: LoanTerms,
    events: Iterable[Event],
    on: dt.date,
    *,
    months: int,
    waived_penalty: Money = _ZERO,
) -> PlanChanged:
    """Return the plan under which no interest runs for `months` months; due dates stay.

    The installments become smaller, since the same number repays less interest.
    """
    known = tuple(events)
    state, unpaid = _unpaid(terms, known, on)
    return _plan(
        terms,
        known,
        on,
        annual_rate=state.annual_rate,
        installment_count=len(unpaid),
        first_due_date=_next_on_grid(terms, unpaid, on),
        waived_penalty=waived_penalty,
        interest_free_until=add_months(on, months),
        reason=f"freeze {months}",
    )


def preview(
    terms: LoanTerms, events: Iterable[Event], change: PlanChanged, as_of: dt.date
) -> PlanComparison:
    """Return the loan's future without and with `change`, both as of `as_of`."""
    known = tuple(events)
    old = replay(terms, known, as_of)
    new = replay(terms, (*known, change), as_of)
    old_rows, new_rows = _still_to_pay(old), _still_to_pay(new)
    old_total, new_total = _sum(old_rows), _sum(new_rows)
    return PlanComparison(
        old_installment=_largest(old_rows, as_of),
        new_installment=_largest(new_rows, as_of),
        old_end=max((row.due_date for row in old_rows), default=as_of),
        new_end=max((row.due_date for row in new_rows), default=as_of),
        old_total=old_total,
        new_total=new_total,
        difference=new_total - old_total,
        old_months=len(old_rows),
        new_months=len(new_rows),
    )


def _unpaid(
    terms: LoanTerms, events: Sequence[Event], on: dt.date
) -> tuple[LoanState, list[InstallmentState]]:
    state = replay(terms, events, on)
    unpaid = _still_to_pay(state)
    if not unpaid or not state.outstanding.principal:
        raise UnableToModifyError("Nothing is left that a plan could change.")
    return state, unpaid


def _still_to_pay(state: LoanState) -> list[InstallmentState]:
    return [row for row in state.installments if row.outstanding.total]


def _sum(rows: Iterable[InstallmentState]) -> Money:
    return Money(sum(row.outstanding.total.cents for row in rows))


def _largest(rows: Iterable[InstallmentState], as_of: dt.date) -> Money:
    amounts = [row.outstanding.total for row in rows if row.due_date > as_of and not row.suspended]
    return max(amounts, default=_ZERO)


def _next_on_grid(terms: LoanTerms, unpaid: Sequence[InstallmentState], on: dt.date) -> dt.date:
    """Return the first due date after `on`: an installment's, or the grid continued."""
    later = [row.due_date for row in unpaid if row.due_date > on]
    if later:
        return later[0]
    anchor = unpaid[-1].due_date
    period, count = terms.period, 1
    while add_periods(anchor, count, every=period.every, unit=period.unit) <= on:
        count += 1
    return add_periods(anchor, count, every=period.every, unit=period.unit)


def _plan(
    terms: LoanTerms,
    events: Sequence[Event],
    on: dt.date,
    *,
    annual_rate: Decimal,
    installment_count: int,
    first_due_date: dt.date,
    waived_penalty: Money,
    reason: str,
    interest_free_until: dt.date | None = None,
) -> PlanChanged:
    method = terms.method
    if method is Method.FLAT:
        # Interest on principal that is repaid already cannot be carried into a plan.
        method = Method.EQUAL_INSTALLMENT
    return PlanChanged(
        event_id=_PREVIEW_ID,
        effective_date=on,
        sequence=max((event.sequence for event in events), default=0) + 1,
        annual_rate=annual_rate,
        installment_count=installment_count,
        first_due_date=first_due_date,
        period=terms.period,
        method=method,
        waived_penalty=waived_penalty,
        interest_free_until=interest_free_until,
        reason=reason,
    )
