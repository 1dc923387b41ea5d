"""The passage of time in a fold: what falls due is billed, interest and penalty accrue."""

from __future__ import annotations

import datetime as dt
from collections import deque

from loans.engine.day_count import span_units
from loans.engine.fold import Fold
from loans.engine.installments import Plan, Row
from loans.engine.state import Span
from zhixin.shared.money import round_ratio


def advance(fold: Fold, day: dt.date) -> None:
    """Carry the loan through `day`: bill what falls due, accrue interest and penalty."""
    while fold.queue and fold.queue[0].due_date <= day:
        row = fold.queue[0]
        _accrue(fold, row.due_date)
        _bill(fold, row)
    _accrue(fold, day)
    if fold.open and not fold.projecting:
        # Only a row that could be late by more days than any before is asked.
        before = day - dt.timedelta(days=fold.most_late)
        for row in fold.open:
            if row.payable_through < before and (late := row.days_late_now(day)) > fold.most_late:
                fold.most_late = late


def _accrue(fold: Fold, day: dt.date) -> None:
    if day <= fold.cursor:
        return
    if fold.charged_off_on is None:
        _accrue_interest(fold, day)
        if not fold.projecting:
            _accrue_penalty(fold, day)
    fold.cursor = day


def _accrue_interest(fold: Fold, day: dt.date) -> None:
    if not fold.queue:
        return
    row = fold.queue[0]
    base = _interest_base(fold, row.plan)
    start = fold.cursor
    free_until = row.plan.interest_free_until
    if free_until is not None and free_until > start:
        start = free_until
    if base <= 0 or start >= day:
        return
    units = span_units(fold.day_count, start, day)
    row.units += base * units
    _note_span(fold, row.spans, Span(base, start, day, units, fold.base_event))


def _interest_base(fold: Fold, plan: Plan) -> int:
    if plan.flat_rows:
        return _flat_base(fold, plan)
    return fold.unbilled - fold.credit_total


def _flat_base(fold: Fold, plan: Plan) -> int:
    """Return what a flat charge counts on: its share for money that is held is left out.

    Rounded to cents by the terms' rule (docs/formulas/allocation.md).
    """
    if not fold.unbilled:
        return 0 if fold.repaid_early else plan.flat_base
    if not fold.credit_total:
        return plan.flat_base
    lent = fold.unbilled - fold.credit_total
    return round_ratio(plan.flat_base * max(lent, 0), fold.unbilled, rounding=fold.rounding)


def _accrue_penalty(fold: Fold, day: dt.date) -> None:
    cursor = fold.cursor
    for row in fold.open:
        plan = row.plan
        start = row.payable_through
        if start >= day or not plan.has_penalty or row.fenced_since is not None:
            continue
        base = row.principal_owed()
        if not base:
            continue
        start += plan.grace
        start = max(start, cursor)
        if start < day:
            units = span_units(fold.day_count, start, day)
            row.penalty_units += base * units
            span = Span(base, start, day, units, row.principal_event)
            _note_span(fold, row.penalty_spans, span)


def _note_span(fold: Fold, spans: list[Span], span: Span) -> None:
    """Add the span, or lengthen the last one when it goes on at the same base."""
    if spans and not fold.projecting:
        base, start, end, units, event_id = spans[-1]
        if base == span.base_cents and end == span.start:
            spans[-1] = Span(base, start, span.end, units + span.units, event_id)
            return
    spans.append(span)


def _own_interest(fold: Fold, row: Row) -> int:
    plan = row.plan
    if plan.flat_rows and row.units == plan.flat_base * row.whole:
        return plan.flat_rows[row.index - 1]
    return row.accrued()


def _bill(fold: Fold, row: Row) -> None:
    own = _own_interest(fold, row)
    if not (fold.unbilled or row.early):
        # The loan has ended before this row (docs/formulas/schedule.md).
        row.fee = 0
    principal = row.plan.amortization.principal_due(row.index, fold.unbilled, own)
    row.amortization = row.plan.amortization
    row.principal = principal + row.early
    row.interest = own + row.carried_interest
    row.fees = row.fee + row.carried_fees
    fold.unbilled -= principal
    fold.recognized_interest += own
    fold.recognized_fees += row.fee
    fold.queue.popleft()
    row.billed = True
    if not fold.unbilled and fold.repaid_early:
        _drop_empty_rows(fold)
    fold.open_row(row)


def _drop_empty_rows(fold: Fold) -> None:
    kept = [
        row for row in fold.queue if row.carried_interest or row.carried_fees or row.kept_penalty
    ]
    fold.queue = deque(kept)
    gone = {id(row) for row in fold.rows if not row.billed} - {id(row) for row in kept}
    fold.rows = [row for row in fold.rows if id(row) not in gone or row.early]


def close_running(fold: Fold, day: dt.date) -> None:
    """Bill all that is left on `day`: interest for the days used, and nothing later."""
    row = fold.queue[0]
    own = row.accrued()
    row.principal = fold.unbilled + row.early
    row.carried_interest = sum(each.carried_interest for each in fold.queue)
    row.carried_fees = row.fees = sum(each.carried_fees for each in fold.queue)
    row.interest = own + row.carried_interest
    row.kept_penalty = sum(each.kept_penalty for each in fold.queue)
    fold.recognized_interest += own
    fold.unbilled = 0
    gone = {id(each) for each in fold.queue if each is not row}
    fold.rows = [each for each in fold.rows if id(each) not in gone]
    fold.queue.clear()
    fold.closings[row.number] = fold.event_id
    fold.open_row(row)


def closes(fold: Fold, amount: int) -> bool:
    """Return whether `amount` closes what waits, or is suspended, and all that is not billed yet.

    The principal alone, which is most of it, answers nearly always.
    """
    return amount >= fold.unbilled - fold.credit_total and amount >= rest_to_close(fold)


def rest_to_close(fold: Fold) -> int:
    """Return what closes what waits and all that is not billed yet, money held taken off.

    No other row is open.
    """
    if not fold.queue:
        return 0
    waiting = sum(sum(row.owed()) for row in fold.open)
    carried = sum(row.carried_interest + row.carried_fees + row.kept_penalty for row in fold.queue)
    return waiting + fold.unbilled + fold.queue[0].accrued() + carried - fold.credit_total
