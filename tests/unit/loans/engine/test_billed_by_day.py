"""Billed and paid interest and penalty open into their days, and the lines re-add to the cent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from loans.engine.explanation_billed import billed_by_day, paid_by_day
from loans.engine.explanation_lines import bucket
from loans.engine.servicing import Event, Line, replay
from loans.engine.terms import LoanTerms
from tests.unit.loans.engine.loan_strategies import histories, terms
from zhixin.shared.money import Money

LOANS = terms().flatmap(lambda t: st.tuples(st.just(t), histories(t)))
NAMES = ("interest", "penalty")


def check(lines: list[Line], whole: Money, *, may_be_held: bool) -> None:
    assert sum((line.amount for line in lines), Decimal(0)) == whole.amount
    held = [line.amount for line in lines if line.rule == "PAID_AHEAD"]
    assert all(amount < 0 for amount in held)
    assert may_be_held or not held


@settings(max_examples=200)
@given(LOANS, st.integers(0, 700))
def test_what_is_billed_and_what_was_paid_open_into_their_days(
    loan: tuple[LoanTerms, tuple[Event, ...]], days: int
) -> None:
    state = replay(*loan, loan[0].disbursement_date + dt.timedelta(days=days))
    for row in state.installments:
        for name in NAMES:
            lines = billed_by_day(state, number=row.number, name=name)
            check(lines, bucket(row.outstanding, name), may_be_held=not row.billed)
    for repayment in state.repayments:
        for share in repayment.parts:
            for name in NAMES:
                lines = paid_by_day(
                    state, number=share.number, name=name, event_id=repayment.event_id
                )
                billed = state.installments[share.number - 1].billed
                paid = Money(
                    sum(
                        bucket(each.amount, name).cents
                        for each in repayment.parts
                        if each.number == share.number
                    )
                )
                check(lines, paid, may_be_held=not billed)
