"""What money beyond everything due would do, by each choice. See docs/formulas/allocation.md.

Pure what-if: the fold with one more repayment. Nothing is computed here that the fold would not
compute when the money really comes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from loans.engine.events import Event, Repaid
from loans.engine.servicing import replay
from loans.engine.state import InstallmentState, LoanState
from loans.engine.terms import LoanTerms, PrepaymentEffect
from zhixin.shared.money import Money

_WHAT_IF_ID = "what-if"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentOption:
    """The loan after a repayment whose surplus is used by `effect`.

    Attributes:
        next_date, next_amount: the next payment that asks for money; None when none does.
        last_date: the due date of the last one. payments_left: how many ask for money.
        interest_to_pay: contract interest from now to the end, whatever pays it: also that which
            money held ahead will pay.
        interest_saved: what the same loan would charge without this repayment, less
            that (conduct CT-01). Never negative.
    """

    effect: PrepaymentEffect
    next_date: dt.date | None
    next_amount: Money
    last_date: dt.date | None
    payments_left: int
    interest_to_pay: Money
    interest_saved: Money


def has_choice(state: LoanState, amount: Money, *, on_its_way: Money) -> bool:
    """Return whether `amount` exceeds all that is due and does not end the loan.

    Only then, and while an installment is to come, is there a surplus whose use can be chosen. What
    is on its way counts as paid, and what can wait for an installment that is not billed yet, or is
    suspended, is not due.
    """
    if state.running is None:
        return False
    due: Money = state.due_before_choice - on_its_way
    rest: Money = state.payoff_amount - on_its_way
    return max(due, Money.zero()) < amount < rest


def compare_prepayments(
    terms: LoanTerms, events: Iterable[Event], *, amount: Money, on: dt.date
) -> tuple[PrepaymentOption, ...]:
    """Return what repaying `amount` on `on` would lead to, for each choice, from whole folds."""
    known = tuple(events)
    before = replay(terms, known, on)
    return tuple(
        prepayment_outcome(
            before=before,
            after=replay(terms, (*known, _repayment(known, amount, on, effect)), on),
            effect=effect,
        )
        for effect in PrepaymentEffect
    )


def _repayment(
    events: tuple[Event, ...], amount: Money, on: dt.date, effect: PrepaymentEffect
) -> Repaid:
    return Repaid(
        event_id=_WHAT_IF_ID,
        effective_date=on,
        sequence=max((event.sequence for event in events), default=0) + 1,
        amount=amount,
        prepayment=effect,
    )


def prepayment_outcome(
    *, before: LoanState, after: LoanState, effect: PrepaymentEffect
) -> PrepaymentOption:
    """Return what a repayment led to, from the states without it and with it on its day."""
    left = [row for row in after.installments if row.outstanding.total]
    following = after.next_due
    saved = _interest(before.installments) - _interest(after.installments)
    paid = sum(row.paid.interest.cents for row in after.installments if row.billed)
    return PrepaymentOption(
        effect=effect,
        next_date=following.date if following else None,
        next_amount=following.amount if following else Money.zero(),
        last_date=max((row.due_date for row in left), default=None),
        payments_left=len(left),
        interest_to_pay=Money(_interest(after.installments) - paid),
        interest_saved=Money(max(saved, 0)),
    )


def _interest(rows: Iterable[InstallmentState]) -> int:
    """Return the contract interest of all installments in cents, without what was given up."""
    return sum(
        row.due.interest.cents - row.waived.interest.cents - row.moved.interest.cents
        for row in rows
    )
