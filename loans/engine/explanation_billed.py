"""How the interest or the penalty of an installment came about, down to what is billed or paid.

The lines of its days, less what was paid, waived and moved; see docs/formulas/explanation.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from loans.engine.explanation_lines import Lines, bucket, interest_lines, part, penalty_lines
from loans.engine.state import InstallmentState, LoanState
from zhixin.shared.money import Money

_BY_DAY: Final = {"interest": interest_lines, "penalty": penalty_lines}


def billed_by_day(state: LoanState, *, number: int, name: str) -> Lines:
    """Return the lines of what is still to pay of "interest" or "penalty" of an installment.

    They re-add to that amount exactly. Raises KeyError for another bucket.
    """
    row = _row(state, number)
    lines = [*_BY_DAY[name](state, row), *_taken_off(state, row, name)]
    return [*lines, *_held(lines, bucket(row.outstanding, name), number)]


def paid_by_day(state: LoanState, *, number: int, name: str, event_id: str) -> Lines:
    """Return the lines of what the repayment `event_id` paid of it; they re-add to that exactly."""
    row = _row(state, number)
    lines = [*_BY_DAY[name](state, row), *_taken_off(state, row, name, but=event_id)]
    lines += part(-bucket(row.outstanding, name), "BILLED", "still_to_pay", number=number)
    return [*lines, *_held(lines, _paid_by(state, event_id, number, name), number)]


def _row(state: LoanState, number: int) -> InstallmentState:
    (row,) = (row for row in state.installments if row.number == number)
    return row


def _paid_by(state: LoanState, event_id: str, number: int, name: str) -> Money:
    cents = (
        bucket(share.amount, name).cents
        for repayment in state.repayments
        if repayment.event_id == event_id
        for share in repayment.parts
        if share.number == number
    )
    return Money(sum(cents))


def _taken_off(state: LoanState, row: InstallmentState, name: str, *, but: str = "") -> Lines:
    """Return what repayments, waivers and a plan change took off it, the oldest first."""
    lines: Lines = []
    for repayment in state.repayments:
        event_id = repayment.event_id
        paid = _paid_by(state, event_id, row.number, name)
        if event_id != but:
            lines += part(-paid, "ALLOCATION", "paid", event_id=event_id, number=row.number)
    for waiver in state.waivers:
        if waiver.number == row.number:
            given = -bucket(waiver.amount, name)
            lines += part(given, "WAIVER", "waived", event_id=waiver.event_id, number=row.number)
    return lines + part(
        -bucket(row.moved, name),
        "MOVED",
        "moved_to_plan",
        event_id=state.plan_events[row.plan + 1] if row.moved.total else None,
        number=row.number,
    )


def _held(lines: Lines, whole: Money, number: int) -> Lines:
    """Return what money paid ahead will pay of it: the gap that is left."""
    cents = (sum((line.amount for line in lines), Decimal(0)) - whole.amount) * 100
    return part(Money(-int(cents)), "PAID_AHEAD", "money_paid_ahead", number=number)
