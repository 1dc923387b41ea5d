"""Random terms and histories of a loan, for laws."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from loans.engine.servicing import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    PlanChanged,
    PrepaymentEffect,
    Refunded,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.terms import (
    INTEREST_FIRST,
    PRINCIPAL_FIRST,
    DayCount,
    FeeTerms,
    LoanTerms,
    Method,
    PenaltyRule,
    Period,
)
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

START = dt.date(2024, 1, 31)


def rates(largest: str = "0.36") -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=0, max_value=largest, places=4, allow_nan=False)


@st.composite
def terms(draw: st.DrawFn, fees: bool = True) -> LoanTerms:
    unit = draw(st.sampled_from(PeriodUnit))
    every = draw(st.integers(1, 3) if unit is not PeriodUnit.DAY else st.integers(5, 30))
    count = draw(st.integers(1, 14))
    start = START + dt.timedelta(days=draw(st.integers(0, 800)))
    first = draw(st.none() | st.integers(5, 70).map(lambda n: start + dt.timedelta(days=n)))
    method = draw(st.sampled_from(Method))
    money = st.integers(0, 3000).map(Money)
    return LoanTerms(
        principal=Money(draw(st.integers(1, 5_000_000))),
        annual_rate=draw(rates()),
        method=method,
        installment_count=count,
        period=Period(every=every, unit=unit),
        day_count=draw(st.sampled_from(DayCount)),
        disbursement_date=start,
        first_due_date=first,
        rounding=draw(st.sampled_from((Rounding.HALF_EVEN, Rounding.HALF_UP))),
        installment_multiple=draw(st.sampled_from((None, Money(100), Money(1000)))),
        installment_rounding=draw(st.sampled_from((None, Rounding.UP))),
        grace_principal_periods=draw(st.integers(0, count - 1)),
        penalty=draw(
            st.none()
            | st.builds(
                PenaltyRule,
                uplift=st.sampled_from((Decimal("0.3"), Decimal("0.5"))),
                grace_days=st.integers(0, 5),
                annual_cap=st.none() | st.just(Decimal("0.24")),
            )
        ),
        allocation=draw(st.sampled_from((INTEREST_FIRST, PRINCIPAL_FIRST))),
        fees=draw(
            st.builds(FeeTerms, upfront_amount=money, installment_amount=money)
            if fees
            else st.just(FeeTerms())
        ),
        prepayment=draw(st.sampled_from(PrepaymentEffect)),
    )


@st.composite
def histories(
    draw: st.DrawFn, of: LoanTerms, rare: bool = True, most: int = 10
) -> tuple[Event, ...]:
    """Return a payout and random events after it."""
    events: list[Event] = [
        Disbursed(
            event_id="payout", effective_date=of.disbursement_date, sequence=0, amount=of.principal
        )
    ]
    kinds = ["repaid"] * 6
    if rare:
        kinds += ["refunded", "waived", "plan", "moved", "disputed", "resolved", "reversed", "off"]
    for number in range(1, draw(st.integers(0, most)) + 1):
        day = of.disbursement_date + dt.timedelta(days=draw(st.integers(0, 500)))
        kind = draw(st.sampled_from(kinds))
        name = {"event_id": f"e{number}", "effective_date": day, "sequence": number}
        targets = [event.event_id for event in events if isinstance(event, Repaid)]
        if kind == "reversed" and targets:
            events.append(Reversed(**name, of=draw(st.sampled_from(targets))))
        else:
            events.append(_EVENTS.get(kind, _repaid)(draw, of, name))
    return tuple(events)


_SMALL = st.integers(0, 5000).map(Money)
Name = dict[str, Any]


def _repaid(draw: st.DrawFn, of: LoanTerms, name: Name) -> Event:
    effect = draw(st.none() | st.sampled_from(PrepaymentEffect))
    amount = draw(st.integers(1, max(of.principal.cents, 2)).map(Money))
    return Repaid(**name, amount=amount, prepayment=effect)


def _refunded(draw: st.DrawFn, of: LoanTerms, name: Name) -> Event:
    return Refunded(**name, amount=draw(_SMALL.filter(bool)))


def _waived(draw: st.DrawFn, of: LoanTerms, name: Name) -> Event:
    amounts = {key: draw(_SMALL) for key in ("principal", "interest", "fees", "penalty")}
    return Waived(**name, **amounts)


def _plan(draw: st.DrawFn, of: LoanTerms, name: Name) -> Event:
    day = name["effective_date"]
    return PlanChanged(
        **name,
        annual_rate=draw(st.sampled_from((Decimal(0), of.annual_rate))),
        installment_count=draw(st.integers(1, 15)),
        first_due_date=day + dt.timedelta(days=draw(st.integers(1, 60))),
        period=of.period,
        method=draw(st.sampled_from([m for m in Method if m is not Method.FLAT])),
        waived_penalty=draw(_SMALL),
        waived_interest=draw(_SMALL),
        interest_free_until=draw(
            st.none() | st.integers(0, 120).map(lambda n: day + dt.timedelta(days=n))
        ),
    )


def _moved(draw: st.DrawFn, of: LoanTerms, name: Name) -> Event:
    through = name["effective_date"] + dt.timedelta(days=draw(st.integers(0, 30)))
    return DueDateMoved(**name, number=1, payable_through=through)


_EVENTS = {
    "refunded": _refunded,
    "waived": _waived,
    "plan": _plan,
    "moved": _moved,
    "disputed": lambda draw, of, name: Disputed(**name, number=1),
    "resolved": lambda draw, of, name: DisputeResolved(**name, of=f"e{name['sequence'] - 1}"),
    "off": lambda draw, of, name: ChargedOff(**name),
}
