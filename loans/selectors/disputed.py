"""What of a loan is in dispute, and what is asked for beside it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from loans.engine.lifecycle import LoanStatus
from loans.engine.state import InstallmentState, LoanState
from zhixin.shared.money import Money

_OPEN = (LoanStatus.ACTIVE, LoanStatus.OVERDUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeNews:
    """The installments in dispute, and what is not; amounts less what is on its way.

    `amount` is what the installments `numbers` ask for, and `days` is the number of days late at
    which the latest of them stands still, zero if none was late when its dispute began; money pays
    such a one first. `due_now` is what is to be paid today beside them, with `late_days` since
    `late_since` where it is late, and `together` is all that is to be paid today. `next_amount` is
    what the first installment after today asks that is not in dispute, by `next_date`.
    """

    numbers: tuple[int, ...]
    amount: Money
    days: int
    due_now: Money
    late_days: int
    late_since: datetime.date | None
    together: Money
    next_amount: Money
    next_date: datetime.date | None

    @property
    def tone(self) -> str:
        """Return the tone of what is asked: late where something is late that is not in dispute."""
        return "late" if self.late_days else ""


def dispute_news(state: LoanState, *, on_its_way: Money) -> DisputeNews | None:
    """Return what is in dispute, None when nothing is or the loan is not open."""
    asking = [row for row in state.installments if any(row.outstanding)]
    fenced = [row for row in asking if row.disputed]
    if not fenced or state.status not in _OPEN:
        return None
    rest = [row for row in asking if not row.disputed]
    now = [row for row in rest if row.billed and row.payable_through <= state.as_of]
    day = min((row.payable_through for row in rest if row not in now), default=None)
    following = [row for row in rest if row not in now and row.payable_through == day]
    late, late_now = (
        [row for row in fenced if row.days_late_now],
        [r for r in now if r.days_late_now],
    )
    in_time = [row for row in fenced if not row.days_late_now]
    # In the order in which money pays them.
    parts = _less(on_its_way, [_asked(rows) for rows in (late, now, in_time, following)])
    days = max((row.days_late_now for row in late_now), default=0)
    return DisputeNews(
        numbers=tuple(row.number for row in fenced),
        amount=parts[0] + parts[2],
        days=max((row.days_late_now for row in late), default=0),
        due_now=parts[1],
        late_days=days,
        late_since=state.as_of - datetime.timedelta(days=days) if days else None,
        together=max(state.payable_now - on_its_way, Money.zero()),
        next_amount=parts[3],
        next_date=day,
    )


def _asked(rows: Iterable[InstallmentState]) -> Money:
    return Money(sum(row.outstanding.total.cents for row in rows))


def _less(on_its_way: Money, amounts: Iterable[Money]) -> list[Money]:
    """Return what is left of each amount after what is on its way has paid them in turn."""
    left = []
    for amount in amounts:
        paid = min(on_its_way, amount)
        on_its_way -= paid
        left.append(amount - paid)
    return left
