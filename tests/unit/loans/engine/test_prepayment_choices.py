"""What each choice of early repayment leads to, to the cent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from loans.engine.events import Disbursed, Event, Repaid
from loans.engine.prepayment import PrepaymentOption, compare_prepayments, has_choice
from loans.engine.servicing import replay
from loans.engine.terms import DayCount, LoanTerms, Method, Period, PrepaymentEffect
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

SIGNED_ON = dt.date(2026, 6, 16)
FIRST_DUE = dt.date(2026, 7, 16)


def yuan(text: str) -> Money:
    return Money.parse(text)


def terms(method: Method = Method.EQUAL_INSTALLMENT) -> LoanTerms:
    return LoanTerms(
        principal=yuan("12000.00"),
        annual_rate=Decimal("0.12"),
        method=method,
        installment_count=12,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount.THIRTY_360,
        disbursement_date=SIGNED_ON,
        rounding=Rounding.HALF_EVEN,
    )


def paid_out() -> list[Event]:
    return [
        Disbursed(event_id="out", effective_date=SIGNED_ON, sequence=1, amount=yuan("12000.00"))
    ]


def options(
    amount: str, on: dt.date, method: Method = Method.EQUAL_INSTALLMENT
) -> dict[PrepaymentEffect, PrepaymentOption]:
    found = compare_prepayments(terms(method), paid_out(), amount=yuan(amount), on=on)
    return {option.effect: option for option in found}


def figures(option: PrepaymentOption) -> tuple[object, ...]:
    return (
        option.next_date,
        str(option.next_amount),
        option.last_date,
        option.payments_left,
        str(option.interest_to_pay),
        str(option.interest_saved),
    )


def test_three_thousand_more_than_is_due_on_the_first_due_date() -> None:
    found = options("4066.19", FIRST_DUE)
    assert {effect.value: figures(option) for effect, option in found.items()} == {
        # The money pays 16 August, 16 September and a part of 16 October, and costs nothing.
        "NEXT_INSTALLMENTS": (
            dt.date(2026, 10, 16), "198.57", dt.date(2027, 6, 16), 9, "610.54", "63.69",
        ),
        # 8,053.81 at 1 % a month by 1,066.19 each time: seven whole ones and a last one.
        "SHORTEN_TERM": (
            dt.date(2026, 8, 16), "1066.19", dt.date(2027, 3, 16), 8, "362.74", "311.49",
        ),
        # 8,053.81 × 0.01 / (1 − 1.01⁻¹¹) = 776.82
        "LOWER_INSTALLMENT": (
            dt.date(2026, 8, 16), "776.82", dt.date(2027, 6, 16), 11, "491.25", "182.98",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("effect", list(PrepaymentEffect))
def test_what_is_compared_is_what_happens(method: Method, effect: PrepaymentEffect) -> None:
    on = dt.date(2026, 8, 1)
    told = options("5000.00", on, method)[effect]
    payment = Repaid(
        event_id="paid", effective_date=on, sequence=2, amount=yuan("5000.00"), prepayment=effect
    )
    after = replay(terms(method), [*paid_out(), payment], on)
    left = [row for row in after.installments if row.outstanding.total]
    assert (told.next_date, told.next_amount, told.last_date, told.payments_left) == (
        left[0].due_date,
        left[0].outstanding.total,
        left[-1].due_date,
        len(left),
    )
    # Whoever goes on as told pays exactly the interest that was told, and saves what was told.
    end = dt.date(2028, 1, 1)
    events: list[Event] = [*paid_out(), payment]
    for number, row in enumerate(left, start=3):
        events.append(
            Repaid(
                event_id=f"paid-{number}",
                effective_date=row.due_date,
                sequence=number,
                amount=row.outstanding.total,
            )
        )
    final = replay(terms(method), events, end)
    assert final.outstanding.total == yuan("0.00")
    paid_now = sum(row.paid.interest.cents for row in after.installments if row.billed)
    assert final.totals.paid.interest.cents - paid_now == told.interest_to_pay.cents
    untouched = replay(terms(method), paid_out(), SIGNED_ON).totals.scheduled.interest
    assert untouched - final.totals.paid.interest == told.interest_saved


@pytest.mark.parametrize(
    ("amount", "on_its_way", "choice"),
    [
        ("1066.19", "0.00", False),
        ("1066.20", "0.00", True),
        ("12119.99", "0.00", True),
        ("12120.00", "0.00", False),
        ("66.20", "1000.00", True),
        ("66.19", "1000.00", False),
        ("11119.99", "1000.00", True),
        ("11120.00", "1000.00", False),
        ("0.01", "2000.00", True),
    ],
)
def test_a_choice_is_between_what_is_due_and_the_payoff(
    amount: str, on_its_way: str, choice: bool
) -> None:
    state = replay(terms(), paid_out(), FIRST_DUE)
    assert has_choice(state, yuan(amount), on_its_way=yuan(on_its_way)) is choice
