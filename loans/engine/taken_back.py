"""What a reversal changed, line by line: what is no longer paid, and what is charged instead.

The lines are the difference of two folds by installment and bucket, and re-add to the change of the
balance exactly. See docs/formulas/statement.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from loans.engine.explanation_lines import (
    Lines,
    bucket,
    carried,
    fee_lines,
    interest_lines,
    part,
    penalty_lines,
)
from loans.engine.state import InstallmentState, Line, LoanState
from zhixin.shared.money import Money

_ZERO: Final = Money(0)
_CHARGES: Final = ("interest", "fees", "penalty")
_BY_DAY: Final = {"interest": interest_lines, "fees": fee_lines, "penalty": penalty_lines}
# By field of an installment: rule and text when it took off less before, and when it took off more.
_TAKEN_OFF: Final = {
    "waived": (("NO_LONGER_WAIVED", "no_longer_waived"), ("WAIVER", "waived")),
    "moved": (("NO_LONGER_MOVED", "back_from_plan"), ("MOVED", "moved_to_plan")),
}


def reversal_lines(now: LoanState, later: LoanState, *, change: Money) -> tuple[Line, ...]:
    """Return the lines behind the `change` of the balance from `now` to `later`.

    Both are folds of one day, the second with one reversal more. Σ line.amount is `change`.
    """
    lines = [*_lent(now, later), *_held(now, later)]
    for before, after in _rows(now, later):
        lines += _principal(now, later, before, after)
        for name in _CHARGES:
            lines += _charge(later, before, after, name)
    cents = (sum((line.amount for line in lines), Decimal(0)) - change.amount) * 100
    return (*lines, *part(Money(-int(cents)), "REST_OF_REVERSAL", "other_changes"))


def _rows(
    now: LoanState, later: LoanState
) -> Iterator[tuple[InstallmentState | None, InstallmentState | None]]:
    before = {row.number: row for row in now.installments}
    after = {row.number: row for row in later.installments}
    for number in sorted(before.keys() | after.keys()):
        yield before.get(number), after.get(number)


def _number(before: InstallmentState | None, after: InstallmentState | None) -> int:
    row = after or before
    return row.number if row is not None else 0


def _lent(now: LoanState, later: LoanState) -> Lines:
    """Return what a payout that came back takes off, and refunded credit that is owed again."""
    payout = later.totals.disbursed - now.totals.disbursed
    again = _lent_again(later) - _lent_again(now)
    return [
        *part(payout, "PAYOUT", "payout_undone"),
        *part(again, "LENT_AGAIN", "lent_again"),
    ]


def _lent_again(state: LoanState) -> Money:
    return Money(sum(refund.amount.cents for refund in state.refunds if refund.of is None))


def _held(now: LoanState, later: LoanState) -> Lines:
    less = now.prepaid + now.overpaid - later.prepaid - later.overpaid
    text = "no_longer_held" if less > _ZERO else "held_for_you"
    return part(less, "PAID_AHEAD", text)


def _principal(
    now: LoanState,
    later: LoanState,
    before: InstallmentState | None,
    after: InstallmentState | None,
) -> Lines:
    number = _number(before, after)
    less = _repaid(now, before) - _repaid(later, after)
    lines = _no_longer_paid(less, "principal", number)
    waived = _off(before, "waived", "principal") - _off(after, "waived", "principal")
    return lines + _no_longer("waived", waived, number)


def _repaid(state: LoanState, row: InstallmentState | None) -> Money:
    """Return the principal that was repaid of a row: of one to come, what was repaid early."""
    if row is None or row.billed:
        return _off(row, "paid", "principal")
    return Money(sum(early.amount.cents for early in state.early if early.number == row.number))


def _off(row: InstallmentState | None, field: str, name: str) -> Money:
    """Return what was paid, waived or moved of a billed row; of one to come it is a forecast."""
    if row is None or not row.billed:
        return _ZERO
    return bucket(getattr(row, field), name)


def _charged(row: InstallmentState | None, name: str) -> Money:
    if row is None:
        return _ZERO
    if row.billed:
        return bucket(row.due, name)
    found = {
        "interest": row.carried_interest,
        "fees": row.carried_fees,
        "penalty": row.kept_penalty,
    }
    return found[name]


def _charge(
    later: LoanState, before: InstallmentState | None, after: InstallmentState | None, name: str
) -> Lines:
    """Return what is owed of a charge of the row again, with its days where it is another amount.

    What had been paid in full and is charged anew is told by its new days alone.
    """
    number = _number(before, after)
    was, now_is = _charged(before, name), _charged(after, name)
    paid, waived, moved = (
        _off(before, field, name) - _off(after, field, name)
        for field in ("paid", "waived", "moved")
    )
    lines = _no_longer("waived", waived, number) + _no_longer("moved", moved, number)
    if was == now_is:
        return _no_longer_paid(paid, name, number) + lines
    anew = _anew(later, after, name)
    if paid == was:
        return anew + lines
    as_before = part(-was, "AS_BEFORE", f"{name}_as_before", number=number)
    return _no_longer_paid(paid, name, number) + anew + as_before + lines


def _anew(later: LoanState, row: InstallmentState | None, name: str) -> Lines:
    if row is None:
        return []
    if row.billed:
        return _BY_DAY[name](later, row)
    return carried(_charged(row, name), name, row.plan_event, row.number)


def _no_longer_paid(less: Money, name: str, number: int) -> Lines:
    if less > _ZERO:
        return part(less, "NO_LONGER_PAID", f"{name}_no_longer_paid", number=number)
    return part(less, "PAID_INSTEAD", f"{name}_paid_instead", number=number)


def _no_longer(field: str, less: Money, number: int) -> Lines:
    rule, text = _TAKEN_OFF[field][0 if less > _ZERO else 1]
    return part(less, rule, text, number=number)
