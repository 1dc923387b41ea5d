"""What is decided about a loan beside money and plans: charge-off, moved due date, dispute."""

from __future__ import annotations

import datetime as dt

from loans.engine.fold import Fold
from loans.engine.passage import close_running


def charge_off(fold: Fold, day: dt.date) -> None:
    """Call everything due and stop all accrual."""
    if fold.charged_off_on is not None or not (fold.open or fold.owes_later()):
        fold.note_nothing_done()
        return
    if fold.queue:
        close_running(fold, day)
    fold.charged_off_on = day
    fold.called = True
    for row in fold.open:
        for bucket, owed in enumerate(row.owed()):
            fold.loss[bucket] += owed


def move_due_date(fold: Fold, number: int, payable_through: dt.date) -> None:
    """Let installment `number` be paid through a later day; never through an earlier one.

    A rest day of the terms' calendar moves it on to the next business day, as it does a due date.
    """
    row = fold.row_by_number(number)
    payable_through = fold.terms.last_day_in_time(payable_through)
    if row is None or row.is_settled or payable_through <= row.payable_through:
        fold.note_nothing_done()
        return
    row.payable_through = payable_through
    _take_another_turn(fold)


def dispute(fold: Fold, event_id: str, number: int, day: dt.date) -> None:
    """Fence off installment `number`, unless it is paid or a plan has retired it."""
    row = fold.row_by_number(number)
    if row is None or row.is_settled:
        fold.note_nothing_done()
        return
    fold.disputes[event_id] = row
    fold.out_of_turn = True
    row.fenced_since = row.fenced_since or day


def resolve(fold: Fold, dispute_id: str, day: dt.date) -> None:
    """Take the fence away; fenced days that would have been late are not counted.

    Who was in time when the dispute came has until the answer, or the next business day after it.
    A plan that retired the installment has ended its dispute already.
    """
    row = fold.disputes.pop(dispute_id, None)
    if row is None:
        fold.note_nothing_done()
        return
    if row.fenced_since is None or row in fold.disputes.values():
        return
    in_time = row.fenced_since <= row.payable_through
    uncounted = day - max(row.fenced_since, row.payable_through)
    row.payable_through += max(uncounted, dt.timedelta(0))
    if in_time:
        row.payable_through = fold.terms.last_day_in_time(row.payable_through)
    row.fenced_since = None
    _take_another_turn(fold)


def _take_another_turn(fold: Fold) -> None:
    """Put the open rows in their order anew; money held pays a row that waits no more."""
    fold.out_of_turn = True
    fold.sort_open()
    if fold.credit:
        fold.use_credit()
