"""A plan change within the fold: what is outstanding moves into new installments.

Rules and worked tables: docs/formulas/plan_change.md.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from loans.engine.day_count import exact_ratio
from loans.engine.events import InvalidEventError, PlanChanged
from loans.engine.fold import Fold
from loans.engine.installments import (
    FEES,
    INTEREST,
    NO_RATE,
    PENALTY,
    PRINCIPAL,
    Plan,
    level_over,
)
from loans.engine.schedule import Amortization, timetable_of
from loans.engine.terms import LoanTerms, Method
from zhixin.shared.money import Money, round_ratio


def change_plan(fold: Fold, change: PlanChanged, day: dt.date) -> None:
    """Replace all unpaid rows by the plan's (docs/formulas/plan_change.md).

    After a charge-off it spreads what is left to recover; nothing accrues any more, so its rate and
    its penalty are nothing. A plan ends the disputes of the rows that it retires.
    """
    _check_plan(change, fold.terms)
    if not (fold.open or fold.owes_later()):
        fold.note_nothing_done()
        return
    interest, fees, penalty = _gather(fold, change, day)
    principal = fold.unbilled
    _lay_out_plan(fold, change, day, principal)
    _carry(fold, interest, fees, penalty)
    fold.last_plan_on = day
    fold.called = False
    # A plan that forgives all that is left closes the loan.
    fold.note_closing(day)


def _gather(fold: Fold, change: PlanChanged, day: dt.date) -> tuple[int, int, int]:
    """Close the rows in force; return interest, fees and penalty that the plan takes over."""
    interest = sum(row.carried_interest for row in fold.queue)
    fees = sum(row.carried_fees for row in fold.queue)
    kept = sum(row.kept_penalty for row in fold.queue)
    if fold.queue:
        own = fold.queue[0].accrued()
        fold.recognized_interest += own
        interest += own
    if fold.disputes:
        fold.end_disputes((*fold.open, *fold.queue))
    for row in fold.queue:
        row.fenced_since = None
    for row in fold.open:
        late = row.days_late_in_all(day)
        owed = row.owed()
        row.move(owed)
        row.settled_late = late
        row.is_open, row.fenced_since = False, None
        fold.unbilled += owed[PRINCIPAL]
        interest += owed[INTEREST]
        fees += owed[FEES]
        kept += owed[PENALTY]
    fold.open = []
    _credit_to_principal(fold)
    _retire_queue(fold, day)
    waived_interest = min(change.waived_interest.cents, interest)
    waived_penalty = min(change.waived_penalty.cents, kept)
    fold.count_waived(INTEREST, waived_interest, number=None)
    fold.count_waived(PENALTY, waived_penalty, number=None)
    return interest - waived_interest, fees, kept - waived_penalty


def _credit_to_principal(fold: Fold) -> None:
    while fold.credit and fold.queue and fold.unbilled:
        event_id, _, held = fold.credit[0]
        part = min(held, fold.unbilled)
        fold.repay_principal_early(event_id, part)
        fold.take_credit(part)


def _retire_queue(fold: Fold, day: dt.date) -> None:
    """Drop the rows to come; one that had principal repaid early stays for that."""
    for row in fold.queue:
        row.spans, row.units = [], 0
        row.carried_interest = row.carried_fees = row.kept_penalty = 0
        row.billed = True
        row.paid_on = day
    gone = {id(row) for row in fold.queue if not row.early}
    fold.rows = [row for row in fold.rows if id(row) not in gone]
    fold.queue.clear()


def _lay_out_plan(fold: Fold, change: PlanChanged, day: dt.date, principal: int) -> None:
    accrues = fold.charged_off_on is None
    terms = replace(
        fold.terms,
        principal=Money(max(principal, 1)),
        annual_rate=change.annual_rate if accrues else NO_RATE,
        method=change.method,
        installment_count=change.installment_count,
        period=change.period,
        disbursement_date=day,
        first_due_date=change.first_due_date,
        # Cents: a multiple would leave more to the last installment of who is in trouble already.
        installment_multiple=None,
        installment_rounding=None,
        grace_principal_periods=0,
        # A plan has one order of its own, however late the loan was before.
        late_allocation=(),
    )
    dates, payable, _, units = timetable_of(terms)
    rate = exact_ratio(terms.annual_rate)
    penalty = fold.terms.penalty if accrues else None
    plan = Plan(
        number=fold.plan.number + 1,
        terms=terms,
        amortization=Amortization(terms.method, len(dates), grace=0, level=0, part=0),
        rate=rate,
        penalty_rate=penalty.annual_rate(change.annual_rate) if penalty else NO_RATE,
        grace_days=penalty.grace_days if penalty else 0,
        allocation=change.allocation,
        interest_free_until=change.interest_free_until,
        flat_base=0,
        flat_rows=[],
        event_id=fold.event_id,
    )
    fold.plans.append(plan)
    fold.base_event = fold.event_id
    fold.lay_out(plan, day, dates, payable, units)
    _settle_plan_rule(fold, plan, principal)


def _settle_plan_rule(fold: Fold, plan: Plan, principal: int) -> None:
    """Set level and share of the plan, with its interest-free days left out."""
    rule, method = plan.amortization, plan.terms.method
    level = share = 0
    if method is Method.EQUAL_INSTALLMENT:
        level = level_over(list(fold.queue), plan, balance=fold.unbilled, through=fold.cursor)
    elif method is Method.EQUAL_PRINCIPAL:
        share = round_ratio(principal, rule.last, rounding=fold.rounding)
    plan.amortization = rule._replace(level=level, part=share)


def _carry(fold: Fold, interest: int, fees: int, penalty: int) -> None:
    """Spread carried interest and fees over the plan's rows; keep penalty with the last."""
    rows = list(fold.queue)
    shares = Money(interest).split([1] * len(rows)), Money(fees).split([1] * len(rows))
    for row, interest_share, fee_share in zip(rows, *shares, strict=True):
        row.carried_interest = interest_share.cents
        row.carried_fees = fee_share.cents
    rows[-1].kept_penalty = penalty


def _check_plan(change: PlanChanged, terms: LoanTerms) -> None:
    if change.annual_rate > terms.annual_rate:
        raise InvalidEventError(
            key="event.annual_rate",
            problem=f"{change.annual_rate} is above the contract's {terms.annual_rate}",
            mend="A plan never raises the rate; write that rate or a lower one",
        )
    if change.first_due_date <= change.effective_date:
        raise InvalidEventError(
            key="event.first_due_date",
            problem=f"{change.first_due_date} is not after the plan's date",
            mend=f"Write a date after {change.effective_date}",
        )
    if change.method is Method.FLAT:
        raise InvalidEventError(
            key="event.method",
            problem="a plan cannot charge interest on principal that is repaid already",
            mend="Write EQUAL_INSTALLMENT or another method on the balance",
        )
