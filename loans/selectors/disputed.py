"""What of a loan is in dispute, and what is asked for beside it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import ngettext

from loans.engine.lifecycle import LoanStatus
from loans.engine.state import InstallmentState, LoanState
from zhixin.shared.money import Money

_OWED = (LoanStatus.ACTIVE, LoanStatus.OVERDUE, LoanStatus.CHARGED_OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeNews:
    """The installments in dispute, and what is not; amounts less what is on its way.

    `amount` is what the installments `numbers` ask for. `late_amount` is the part of it that was
    late when its dispute began, by the `days` at which it stands still: money pays that first, and
    nobody has to pay the rest. `due_now` is what is to be paid today beside them, with `late_days`
    since `late_since` where it is late, and `together` is all that is to be paid today.
    `next_amount` is what is due next after today, by `next_date`. `rest` is all that is owed beside
    what is in dispute: of a loan that was written off everything is due but that.
    """

    numbers: tuple[int, ...]
    amount: Money
    late_amount: Money
    days: int
    due_now: Money
    late_days: int
    late_since: datetime.date | None
    together: Money
    next_amount: Money
    next_date: datetime.date | None
    rest: Money

    @property
    def tone(self) -> str:
        """Return the tone of what is asked: late where something is late that is not in dispute."""
        return "late" if self.late_days else ""


def dispute_news(state: LoanState, *, on_its_way: Money) -> DisputeNews | None:
    """Return what is in dispute, None when nothing is or the loan is not owed."""
    fenced = [row for row in state.installments if row.disputed and any(row.outstanding)]
    if not fenced or state.status not in _OWED:
        return None
    late = [row for row in fenced if not row.suspended]
    now = [row for row in state.payable_rows if not row.disputed]
    coming = state.next_due if state.next_due and state.next_due.date > state.as_of else None
    following = [row for row in state.next_due_rows if row.payable_through > state.as_of]
    # In the order in which money pays them; only the payoff pays what is suspended.
    parts = _less(on_its_way, [_asked(rows) for rows in (late, now, following)])
    suspended = _asked(row for row in fenced if row.suspended)
    if on_its_way and on_its_way >= state.payoff_amount:
        suspended = Money.zero()
    days = max((row.days_late_now for row in now), default=0)
    amount = parts[0] + suspended
    return DisputeNews(
        numbers=tuple(row.number for row in fenced),
        amount=amount,
        late_amount=parts[0],
        days=max((row.days_late_now for row in late), default=0),
        due_now=parts[1],
        late_days=days,
        late_since=state.as_of - datetime.timedelta(days=days) if days else None,
        together=max(state.payable_now - on_its_way, Money.zero()),
        next_amount=parts[2],
        next_date=coming.date if coming else None,
        rest=max(state.payoff_amount - on_its_way - amount, Money.zero()),
    )


def ended_with_plan(state: LoanState, event_id: str) -> str:
    """Return which disputes ended with the plan that the event made; empty for none."""
    numbers = sorted(set(state.disputes_ended.get(event_id, {}).values()))
    if not numbers:
        return ""
    return ngettext(
        "The dispute about installment %(numbers)s ended with it.",
        "The disputes about installments %(numbers)s ended with it.",
        len(numbers),
    ) % {"numbers": ", ".join(map(str, numbers))}


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
