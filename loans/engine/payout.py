"""The payout of a loan: its principal goes out and the agreement's installments are laid out.

A payout that came back is reversed: the loan is as if it had never been paid out, and money that
was received meanwhile is held for the borrower (docs/formulas/cases.md).
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from loans.engine.day_count import UNITS_A_YEAR, exact_ratio
from loans.engine.events import (
    Event,
    InvalidEventError,
    Recovered,
    Refunded,
    Repaid,
)
from loans.engine.fold import Fold
from loans.engine.installments import NO_RATE, Plan
from loans.engine.payments import note_refund, place
from loans.engine.schedule import amortization_of, flat_interest, timetable_of
from loans.engine.terms import Method, PrepaymentEffect

_MOST_DAYS_OFF: Final = 366
"""How far from the signed date a payout may be: a year."""


def hold_before_payout(fold: Fold, event: Event) -> None:
    """Take in an event while nothing is paid out, because the payout was reversed.

    Money is held for the borrower and given back out of what is held; of everything else there is
    nothing that it could change. Raises InvalidEventError for an event before the first payout,
    and for a refund of more than is held.
    """
    day = event.effective_date
    if fold.payout_undone_on is None or day < fold.payout_undone_on:
        raise InvalidEventError(
            key="event.date",
            problem=f"{event.event_id!r} counts from {day}, before the payout",
            mend="Write the payout's date or a later one",
        )
    fold.event_id = event.event_id
    match event:
        case Repaid() | Recovered():
            fold.received += event.amount.cents
            fold.allocations.setdefault(event.event_id, {})
            fold.credit.append((event.event_id, day, event.amount.cents))
            fold.credit_total += event.amount.cents
        case Refunded():
            _give_back(fold, event)
        case _:
            fold.note_nothing_done()


def _give_back(fold: Fold, event: Refunded) -> None:
    if event.amount.cents > fold.credit_total:
        raise InvalidEventError(
            key="event.amount",
            problem=f"{event.event_id!r} refunds more than is held while nothing is paid out",
            mend="Write at most what is held",
        )
    fold.refunded += event.amount.cents
    note_refund(fold, event.amount.cents)
    fold.take_credit(event.amount.cents)


def disburse(fold: Fold, day: dt.date) -> None:
    """Pay out the principal and lay out the agreement's rows.

    Money held since an earlier payout that came back counts as paid ahead from `day` on.
    """
    terms = fold.terms
    dates, payable, _, units = timetable_of(terms)
    if day >= dates[0]:
        raise InvalidEventError(
            key="event.date",
            problem=f"the payout on {day} is not before the first due date {dates[0]}",
            mend="Agree on a later first due date before paying out",
        )
    signed = terms.disbursement_date
    if abs((day - signed).days) > _MOST_DAYS_OFF:
        raise InvalidEventError(
            key="event.date",
            problem=f"the payout on {day} is more than a year from {signed}, the date agreed on",
            mend="Write the day on which it was paid out, or agree anew",
        )
    fold.unbilled = fold.disbursed = terms.principal.cents
    fold.cursor = day
    rate = exact_ratio(terms.annual_rate)
    scale = rate[1] * UNITS_A_YEAR[terms.day_count]
    numerators = [rate[0] * unit for unit in units]
    amortization = amortization_of(terms, balance=fold.unbilled, numerators=numerators, scale=scale)
    penalty = terms.penalty
    plan = Plan(
        number=0,
        terms=terms,
        amortization=amortization,
        rate=rate,
        penalty_rate=penalty.annual_rate(terms.annual_rate) if penalty else NO_RATE,
        grace_days=penalty.grace_days if penalty else 0,
        allocation=terms.allocation,
        interest_free_until=None,
        flat_base=fold.unbilled if terms.method is Method.FLAT else 0,
        flat_rows=(
            flat_interest(fold.unbilled, numerators, scale, rounding=fold.rounding)
            if terms.method is Method.FLAT
            else []
        ),
        event_id=fold.event_id,
    )
    fold.base_event = fold.event_id
    fold.plans.append(plan)
    fee = terms.fees.installment_cents(terms.principal, terms.rounding)
    fold.lay_out(plan, terms.disbursement_date, dates, payable, units, fee=fee)
    first = fold.queue[0]
    # Agreed at signing, so owed from the payout on: billed with the first row, or with the payoff.
    first.carried_fees = terms.fees.upfront_cents(terms.principal, terms.rounding)
    fold.recognized_fees += first.carried_fees
    if day != first.start:
        first.start, first.days = day, (first.due_date - day).days
    held, fold.credit, fold.credit_total = fold.credit, [], 0
    for event_id, _, amount in held:
        place(fold, event_id, amount, day, PrepaymentEffect.NEXT_INSTALLMENTS)
