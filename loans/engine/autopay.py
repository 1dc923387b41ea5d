"""When a debit under an autopay mandate is announced, made, repeated, and never made again.

Pure rules over the fold: facts in, one answer out. docs/autopay.md has them with a worked table.
Source of the stop after two failures and of the notice before a first or changed debit: conduct
CT-05. What is collected is never more than is due, and never more than was announced.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from loans.engine.lifecycle import LoanStatus
from loans.engine.state import InstallmentState, LoanState
from zhixin.shared.money import Money

StateOn = Callable[[dt.date], LoanState]
# The version of the text that a borrower agrees to; it changes with the text.
CONSENT_TEXT_VERSION: Final = 1
_OPEN = (LoanStatus.PENDING, LoanStatus.ACTIVE, LoanStatus.OVERDUE)


class DebitOutcome(StrEnum):
    """What became of a debit. A success that the bank took back later has BOUNCED."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    BOUNCED = "BOUNCED"


class Hold(StrEnum):
    """Why no debit is made today."""

    MANDATE_ENDED = "MANDATE_ENDED"
    TWO_FAILURES = "TWO_FAILURES"
    LOAN_ENDED = "LOAN_ENDED"
    NOTHING_PLANNED = "NOTHING_PLANNED"
    NOT_YET = "NOT_YET"
    PAYMENT_ON_ITS_WAY = "PAYMENT_ON_ITS_WAY"
    DISPUTED = "DISPUTED"
    PLAN_WAITS = "PLAN_WAITS"
    NOTHING_DUE = "NOTHING_DUE"
    NO_NOTICE = "NO_NOTICE"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayRules:
    """The numbers of autopay.

    Attributes:
        notice_days: least days from the day on which a notice was sent to the debit.
        ahead_days: days before the debit on which the notice is written.
        retry_days: days from the day on which a debit failed to the retry.
        most_attempts: debits of one installment, the first one included.
        failures_to_stop: consecutive failures after which the mandate stops (CT-05).
        most_days_of_delay: days by which a notice that we gave late moves a due date at most.
    """

    notice_days: int
    ahead_days: int
    retry_days: int
    most_attempts: int = 2
    failures_to_stop: int = 2
    most_days_of_delay: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """A debit that was ordered. `settled_on` is the business date on which it failed or not."""

    installment: int
    attempt: int
    amount: Money
    made_on: dt.date
    outcome: DebitOutcome
    settled_on: dt.date | None = None
    lacked_money: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What was announced: the most, and the day.

    `told_on` is None until the message was really sent; `lost` says that it never will be.
    """

    installment: int
    attempt: int
    debit_on: dt.date
    amount: Money
    told_on: dt.date | None
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The facts of one mandate, debits in the order of their making."""

    granted_on: dt.date
    ended: bool
    debits: Sequence[Debit]
    notices: Sequence[Notice]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDebit:
    """The next debit: of which installment, the how-many-th attempt, not before which day."""

    installment: int
    attempt: int
    due_on: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A notice that is to be given now."""

    installment: int
    attempt: int
    debit_on: dt.date
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A debit of `amount` to make now, or the reason why none is made."""

    planned: PlannedDebit | None
    amount: Money
    hold: Hold | None


def consecutive_failures(debits: Sequence[Debit]) -> int:
    """Return how many debits in a row have failed up to now; one that succeeded starts anew."""
    count = 0
    for debit in reversed(debits):
        if debit.outcome is DebitOutcome.SUCCEEDED:
            break
        count += debit.outcome in (DebitOutcome.FAILED, DebitOutcome.BOUNCED)
    return count


def standing(state: LoanState, mandate: Mandate, *, rules: AutopayRules) -> Hold | None:
    """Return why the mandate allows no debit any more, or None while it is in force."""
    if mandate.ended:
        return Hold.MANDATE_ENDED
    if consecutive_failures(mandate.debits) >= rules.failures_to_stop:
        return Hold.TWO_FAILURES
    return None if state.status in _OPEN else Hold.LOAN_ENDED


def planned_debit(
    state: LoanState, mandate: Mandate, *, rules: AutopayRules
) -> PlannedDebit | None:
    """Return the next debit that is to be made, None when there is none to plan.

    The installment whose last day in time comes first, of those that ask for money and are not
    suspended, were payable in time when the mandate was granted and have an attempt left: its first
    attempt on that day, the second `retry_days` after a failure for lack of money. An outcome that
    is not known plans nothing.
    """
    for row in sorted(state.installments, key=lambda row: (row.payable_through, row.number)):
        if not row.outstanding.total or row.payable_through < mandate.granted_on:
            continue
        debits = [debit for debit in mandate.debits if debit.installment == row.number]
        if any(debit.outcome is DebitOutcome.PENDING for debit in debits):
            return None
        planned = None if row.suspended else _attempt(row, debits, rules)
        if planned is not None:
            return planned
    return None


def _attempt(
    row: InstallmentState, debits: Sequence[Debit], rules: AutopayRules
) -> PlannedDebit | None:
    if not debits:
        return PlannedDebit(installment=row.number, attempt=1, due_on=row.payable_through)
    latest = debits[-1]
    may_retry = (
        latest.outcome is DebitOutcome.FAILED
        and latest.lacked_money
        and latest.attempt < rules.most_attempts
    )
    if not may_retry or latest.settled_on is None:
        return None
    return PlannedDebit(
        installment=row.number,
        attempt=latest.attempt + 1,
        due_on=latest.settled_on + dt.timedelta(days=rules.retry_days),
    )


def announcement(
    *,
    state_on: StateOn,
    mandate: Mandate,
    in_flight: Money,
    as_of: dt.date,
    rules: AutopayRules,
) -> Announcement | None:
    """Return the notice that is to be written on `as_of`, None when none is missing.

    It is written `ahead_days` before the debit, or at once when that day has passed; a debit is
    announced no sooner than `notice_days` after it. A later day than was announced is announced
    anew, and before that day a higher amount; less than was announced needs no word. Nothing is
    announced while a dispute would hold the debit.
    """
    state = state_on(as_of)
    if standing(state, mandate, rules=rules) is not None:
        return None
    planned = planned_debit(state, mandate, rules=rules)
    if planned is None or as_of < planned.due_on - dt.timedelta(days=rules.ahead_days):
        return None
    if any(_takes_money(row, planned.due_on) for row in state.installments):
        return None
    kept = notices_for(mandate, planned, as_of=as_of, rules=rules)
    if kept:
        debit_on = min(notice.debit_on for notice in kept)
        announced = max(notice.amount for notice in kept)
        if as_of >= debit_on or announced >= _due(state_on(debit_on), in_flight):
            return None
    debit_on = max(planned.due_on, as_of + dt.timedelta(days=rules.notice_days))
    amount = _due(state_on(debit_on), in_flight)
    if not amount:
        return None
    return Announcement(
        installment=planned.installment, attempt=planned.attempt, debit_on=debit_on, amount=amount
    )


def decide(
    *,
    state: LoanState,
    mandate: Mandate,
    in_flight: Money,
    plan_waits: bool,
    rules: AutopayRules,
) -> Decision:
    """Return the debit to make on `state.as_of`, or why there is none.

    The amount is what is due, at most what was announced at least `notice_days` before. Nothing is
    collected beside a payment on its way, while an installment that was late is in dispute (money
    that nobody asked to pay would go there), or while an accepted plan has yet to start.
    """
    ended = standing(state, mandate, rules=rules)
    if ended is not None:
        return Decision(planned=None, amount=Money.zero(), hold=ended)
    planned = planned_debit(state, mandate, rules=rules)
    if planned is None:
        waits = any(debit.outcome is DebitOutcome.PENDING for debit in mandate.debits)
        hold = Hold.PAYMENT_ON_ITS_WAY if waits else Hold.NOTHING_PLANNED
        return Decision(planned=None, amount=Money.zero(), hold=hold)
    hold_today = _hold_today(state, planned, in_flight=in_flight, plan_waits=plan_waits)
    announced = _announced(mandate, planned, as_of=state.as_of, rules=rules)
    if hold_today is None and announced is None:
        hold_today = Hold.NO_NOTICE
    if hold_today is not None or announced is None:
        return Decision(planned=planned, amount=Money.zero(), hold=hold_today)
    return Decision(planned=planned, amount=min(state.payable_now, announced), hold=None)


def day_after_our_delay(
    decision: Decision,
    mandate: Mandate,
    *,
    due_date: dt.date,
    as_of: dt.date,
    today: dt.date,
    rules: AutopayRules,
) -> dt.date | None:
    """Return through when the installment must be payable, since its notice is late by our fault.

    It is our fault on the last day in time of a first attempt for which nothing but the notice is
    missing, though the mandate was there in time and no notice was lost on its way to the borrower.
    `today` is the calendar date, later than `as_of` when nights are caught up. None when it is not
    our fault, and beyond `most_days_of_delay` after `due_date`, when people decide.
    """
    planned = decision.planned
    if decision.hold is not Hold.NO_NOTICE or planned is None:
        return None
    on_time = mandate.granted_on + dt.timedelta(days=rules.notice_days) <= planned.due_on
    lost = any(each.lost for each in mandate.notices if each.installment == planned.installment)
    if planned.attempt > 1 or planned.due_on != as_of or not on_time or lost:
        return None
    later = max(as_of, today) + dt.timedelta(days=rules.notice_days)
    return later if (later - due_date).days <= rules.most_days_of_delay else None


def notices_for(
    mandate: Mandate, planned: PlannedDebit, *, as_of: dt.date, rules: AutopayRules
) -> list[Notice]:
    """Return the notices that announce this very debit for today or a day to come."""
    return [each for each in mandate.notices if _holds(each, planned, as_of=as_of, rules=rules)]


def _hold_today(
    state: LoanState, planned: PlannedDebit, *, in_flight: Money, plan_waits: bool
) -> Hold | None:
    checks = (
        (Hold.NOT_YET, state.as_of < planned.due_on),
        (Hold.PLAN_WAITS, plan_waits),
        (Hold.PAYMENT_ON_ITS_WAY, bool(in_flight)),
        (Hold.DISPUTED, any(row.disputed for row in state.payable_rows)),
        (Hold.NOTHING_DUE, not state.payable_now),
    )
    return next((hold for hold, holds in checks if holds), None)


def _takes_money(row: InstallmentState, day: dt.date) -> bool:
    """Return whether money of `day` would pay the installment while it is in dispute."""
    in_dispute = row.disputed and not row.suspended
    return in_dispute and row.payable_through <= day and bool(row.outstanding.total)


def _holds(notice: Notice, planned: PlannedDebit, *, as_of: dt.date, rules: AutopayRules) -> bool:
    """Return whether the notice is about this debit, for this day or one to come, and not lost.

    It allows the debit on its day and for `notice_days` after it; then the day is another one.
    """
    latest = notice.debit_on + dt.timedelta(days=rules.notice_days)
    return (
        (notice.installment, notice.attempt) == (planned.installment, planned.attempt)
        and planned.due_on <= notice.debit_on
        and as_of <= latest
        and not notice.lost
    )


def _announced(
    mandate: Mandate, planned: PlannedDebit, *, as_of: dt.date, rules: AutopayRules
) -> Money | None:
    """Return the most that was announced for today in time, None when nothing was."""
    amounts = [
        notice.amount
        for notice in notices_for(mandate, planned, as_of=as_of, rules=rules)
        if notice.debit_on <= as_of
        and notice.told_on is not None
        and notice.told_on + dt.timedelta(days=rules.notice_days) <= as_of
    ]
    return max(amounts, default=None)


def _due(state: LoanState, in_flight: Money) -> Money:
    return max(state.payable_now - in_flight, Money.zero())
