"""Money within a fold: repayments, refunds, and what is forgiven.

Rules: docs/formulas/allocation.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from loans.engine.day_count import period_units, span_units
from loans.engine.fold import Fold
from loans.engine.installments import PRINCIPAL, level_over
from loans.engine.passage import close_running, closes
from loans.engine.schedule import round_installment
from loans.engine.terms import Method, PrepaymentEffect
from zhixin.shared.calendar import PeriodUnit, add_periods
from zhixin.shared.money import round_ratio


def repay(
    fold: Fold, event_id: str, amount: int, day: dt.date, effect: PrepaymentEffect | None
) -> None:
    """Take money in: what is due first, oldest first; then by the borrower's choice."""
    fold.received += amount
    fold.allocations.setdefault(event_id, {})
    place(fold, event_id, amount, day, effect)


def place(
    fold: Fold, event_id: str, amount: int, day: dt.date, effect: PrepaymentEffect | None
) -> None:
    """Place money that is counted as received: what is due first, then by the choice.

    What is left over then finds only rows open that wait for one that is not billed yet, or are
    suspended.
    """
    rest = fold.pay_open(event_id, amount, day)
    if fold.queue and (rest or not fold.open):
        if closes(fold, rest):
            fold.repaid_early = True
            close_running(fold, day)
            rest = fold.pay_open(event_id, rest, day)
        elif rest:
            rest = _prepay(fold, event_id, rest, day, effect or fold.terms.prepayment)
    if rest:
        fold.add_credit(event_id, day, rest)
    fold.note_closing(day)


def _prepay(fold: Fold, event_id: str, amount: int, day: dt.date, effect: PrepaymentEffect) -> int:
    """Repay what waits, then principal before it is due; return what must be held as credit.

    What suffices for all but what is suspended ends the installments to come, and pays that.
    """
    if effect is PrepaymentEffect.NEXT_INSTALLMENTS:
        return amount
    amount = fold.pay_open(event_id, amount, day, waiting_too=True)
    if not amount:
        return 0
    suspended = sum(sum(row.owed()) for row in fold.open)
    if suspended and closes(fold, amount + suspended):
        fold.repaid_early = True
        close_running(fold, day)
        return fold.pay_open(event_id, amount, day)
    part = min(amount, fold.unbilled)
    fold.repay_principal_early(event_id, part)
    if fold.unbilled:
        before = fold.unbilled + part
        _lower_flat_charge(fold, before)
        if effect is PrepaymentEffect.LOWER_INSTALLMENT:
            _lower_installments(fold, before)
    return amount - part


def _lower_flat_charge(fold: Fold, before: int) -> None:
    """Let a flat charge fall with the principal not billed, which was `before`.

    Base and rows are rounded to cents by the terms' rule.
    """
    plan, left = fold.queue[0].plan, fold.unbilled
    if plan.flat_rows:
        plan.flat_base = round_ratio(plan.flat_base * left, before, rounding=fold.rounding)
        plan.flat_rows = [
            round_ratio(charge * left, before, rounding=fold.rounding) for charge in plan.flat_rows
        ]


def _lower_installments(fold: Fold, before: int) -> None:
    """Spread what is left over the rows that are left, by the method in force.

    `before` is the principal not billed before the repayment. The level installment is rounded as
    agreed, also to a multiple (`round_installment`), and never becomes larger by that.
    """
    plan = fold.queue[0].plan
    rule = plan.amortization
    rows = list(fold.queue)
    # The last row repays whatever is left, so grace never covers it.
    grace = min(max(rule.grace - (rows[0].index - 1), 0), len(rows) - 1)
    level, share = rule.level, rule.part
    if plan.terms.method is Method.EQUAL_INSTALLMENT:
        level = level_over(rows[grace:], plan, balance=fold.unbilled, through=fold.cursor)
        level = min(level, rule.level) if plan.terms.installment_multiple else level
    elif plan.terms.method is Method.EQUAL_PRINCIPAL:
        share = round_ratio(fold.unbilled, len(rows) - grace, rounding=fold.rounding)
    elif plan.terms.method is Method.FLAT:
        level = round_installment(level * fold.unbilled, before, plan.terms)
    plan.amortization = rule._replace(level=level, part=share)


def refund(fold: Fold, amount: int, day: dt.date) -> None:
    """Pay credit back; what exceeds the credit is principal owed again."""
    fold.refunded += amount
    from_credit = min(amount, fold.credit_total)
    note_refund(fold, from_credit)
    fold.take_credit(from_credit)
    fold.note_base(fold.event_id)
    excess = amount - from_credit
    if not excess:
        return
    fold.refunds.append((fold.event_id, None, excess))
    fold.unbilled += excess
    fold.closed_on = None
    if fold.charged_off_on is not None:
        fold.loss[PRINCIPAL] += excess
    if not fold.queue:
        _lay_out_again(fold, day)


def note_refund(fold: Fold, amount: int) -> None:
    """Note whose credit is paid back, the oldest first."""
    for event_id, _, held in fold.credit:
        part = min(held, amount)
        if part:
            fold.refunds.append((fold.event_id, event_id, part))
        amount -= part


def _lay_out_again(fold: Fold, day: dt.date) -> None:
    period = fold.terms.period
    due_date = add_periods(day, 1, every=period.every, unit=period.unit)
    due_date = max([due_date, *(row.due_date for row in fold.rows[-1:])])
    # As in a timetable: weeks and days are counted in days, also those that happen to be a month.
    count_units = period_units if period.unit is PeriodUnit.MONTH else span_units
    units = count_units(fold.day_count, day, due_date)
    plan = replace(
        fold.plan,
        amortization=fold.plan.amortization._replace(last=1, method=Method.INTEREST_ONLY),
        flat_base=0,
        flat_rows=[],
        event_id=fold.event_id,
    )
    fold.plans.append(plan)
    fold.lay_out(plan, day, [due_date], [plan.terms.last_day_in_time(due_date)], [units])


def waive(fold: Fold, amounts: Sequence[int], day: dt.date) -> None:
    """Forgive billed amounts by bucket, oldest first, at most what is owed."""
    found = False
    for bucket, amount in enumerate(amounts):
        rest = amount
        for row in fold.open:
            part = min(rest, row.owed()[bucket])
            late = row.days_late_in_all(day)
            found = found or bool(part)
            row.waive(bucket, part)
            rest -= part
            if part and bucket == PRINCIPAL:
                row.principal_event = fold.event_id
            if part and not row.owes_more_than_penalty():
                row.settled_late = late
                fold.out_of_turn = True
            fold.count_waived(bucket, part, number=row.number)
    if not found:
        fold.note_nothing_done()
    fold.prune()
    if fold.queue and (fold.credit or not fold.open) and closes(fold, 0):
        close_running(fold, day)
    fold.note_closing(day)
