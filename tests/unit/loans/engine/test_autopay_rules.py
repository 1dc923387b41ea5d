"""When a debit is announced, made, repeated and never made again: each rule with its dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from loans.engine.autopay import (
    Announcement,
    AutopayRules,
    Debit,
    DebitOutcome,
    Decision,
    Hold,
    Mandate,
    Notice,
    PlannedDebit,
    announcement,
    consecutive_failures,
    decide,
    planned_debit,
)
from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    Repaid,
)
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.engine.terms import DayCount, LoanTerms, Method, PenaltyRule, Period
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

RULES = AutopayRules(notice_days=3, ahead_days=5, retry_days=3)
SIGNED_ON = dt.date(2026, 6, 16)
DUE = dt.date(2026, 7, 16)
TOLD = dt.date(2026, 7, 11)
NOTHING = Money(0)
TERMS = LoanTerms(
    principal=Money.parse("12000.00"),
    annual_rate=Decimal("0.12"),
    method=Method.EQUAL_INSTALLMENT,
    installment_count=12,
    period=Period(every=1, unit=PeriodUnit.MONTH),
    day_count=DayCount.THIRTY_360,
    disbursement_date=SIGNED_ON,
    rounding=Rounding.HALF_EVEN,
    penalty=PenaltyRule(uplift=Decimal("0.5"), grace_days=0, annual_cap=Decimal("0.24")),
)


def yuan(text: str) -> Money:
    return Money.parse(text)


def july(day: int) -> dt.date:
    return dt.date(2026, 7, day)


class Loan:
    """A loan of 12 × 1,066.19 with the events given."""

    def __init__(self, *events: Event) -> None:
        paid_out = Disbursed(
            event_id="out", effective_date=SIGNED_ON, sequence=1, amount=yuan("12000.00")
        )
        self.events = (paid_out, *events)

    def on(self, day: dt.date) -> LoanState:
        return replay(TERMS, self.events, day)


def paid(amount: str, on: dt.date, *, number: int = 2) -> Repaid:
    return Repaid(event_id=f"p{number}", effective_date=on, sequence=number, amount=yuan(amount))


def mandate(
    *,
    debits: Sequence[Debit] = (),
    notices: Sequence[Notice] = (),
    granted_on: dt.date = SIGNED_ON,
    ended: bool = False,
) -> Mandate:
    return Mandate(granted_on=granted_on, ended=ended, debits=debits, notices=notices)


def told(
    on: dt.date | None = TOLD, debit_on: dt.date = DUE, amount: str = "1066.19", **over: Any
) -> Notice:
    values: dict[str, Any] = {"installment": 1, "attempt": 1, **over}
    return Notice(debit_on=debit_on, amount=yuan(amount), told_on=on, **values)


def debit(outcome: DebitOutcome, on: dt.date = DUE, **over: Any) -> Debit:
    values: dict[str, Any] = {
        "installment": 1,
        "attempt": 1,
        "amount": yuan("1066.19"),
        "settled_on": None if outcome is DebitOutcome.PENDING else on,
        "lacked_money": True,
        **over,
    }
    return Debit(made_on=on, outcome=outcome, **values)


def decided(
    loan: Loan, given: Mandate, on: dt.date, *, in_flight: Money = NOTHING, waits: bool = False
) -> tuple[str, Hold | None]:
    decision = decide(
        state=loan.on(on), mandate=given, in_flight=in_flight, plan_waits=waits, rules=RULES
    )
    return str(decision.amount), decision.hold


def announced(
    loan: Loan, given: Mandate, on: dt.date, *, in_flight: Money = NOTHING
) -> Announcement | None:
    return announcement(state_on=loan.on, mandate=given, in_flight=in_flight, as_of=on, rules=RULES)


# --- The day and the amount ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "amount", "hold"),
    [
        (july(15), "0.00", Hold.NOT_YET),
        (july(16), "1066.19", None),
        # A night that came late still collects, what was announced and not the penalty.
        (july(17), "1066.19", None),
        (july(19), "1066.19", None),
        # Four days later the day is another one, and needs another notice.
        (july(20), "0.00", Hold.NO_NOTICE),
    ],
)
def test_it_is_debited_on_the_due_date(on: dt.date, amount: str, hold: Hold | None) -> None:
    assert decided(Loan(), mandate(notices=[told()]), on) == (amount, hold)


def test_a_due_date_that_is_payable_later_is_debited_on_that_last_day() -> None:
    moved = DueDateMoved(
        event_id="m", effective_date=july(1), sequence=2, number=1, payable_through=july(20)
    )
    given = mandate(notices=[told(july(15), july(20))])
    assert decided(Loan(moved), given, july(19)) == ("0.00", Hold.NOT_YET)
    assert decided(Loan(moved), given, july(20)) == ("1066.19", None)
    # What was announced for the earlier day is no notice for the later one.
    assert decided(Loan(moved), mandate(notices=[told()]), july(20)) == ("0.00", Hold.NO_NOTICE)


@pytest.mark.parametrize(
    ("payments", "expected"),
    [
        ([("1066.19", july(12))], ("0.00", Hold.NOT_YET)),
        ([("400.00", july(12))], ("666.19", None)),
        ([("12000.00", july(1)), ("500.00", july(2))], ("0.00", Hold.LOAN_ENDED)),
    ],
)
def test_what_was_paid_by_hand_is_not_collected(
    payments: list[tuple[str, dt.date]], expected: tuple[str, Hold | None]
) -> None:
    events = [paid(amount, on, number=n) for n, (amount, on) in enumerate(payments, start=2)]
    assert decided(Loan(*events), mandate(notices=[told()]), DUE) == expected


def test_what_is_late_already_is_collected_with_what_falls_due() -> None:
    # Granted after the first due date: the first debit is the second installment's.
    given = mandate(
        granted_on=july(20),
        notices=[told(dt.date(2026, 8, 11), dt.date(2026, 8, 16), "2150.00", installment=2)],
    )
    planned = planned_debit(Loan().on(july(20)), given, rules=RULES)
    assert planned == PlannedDebit(installment=2, attempt=1, due_on=dt.date(2026, 8, 16))
    # 1,066.19 twice, and 946.19 × 18 % × 31 / 360 = 14.67
    assert decided(Loan(), given, dt.date(2026, 8, 16)) == ("2147.05", None)


def test_never_more_than_was_announced() -> None:
    given = mandate(notices=[told(amount="1000.00")])
    assert decided(Loan(), given, DUE) == ("1000.00", None)


# --- Notices ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told_on", "on", "hold"),
    [
        (july(13), july(16), None),
        (july(14), july(16), Hold.NO_NOTICE),
        (july(14), july(17), None),
        (None, july(16), Hold.NO_NOTICE),
    ],
)
def test_three_days_pass_between_the_notice_and_the_debit(
    told_on: dt.date | None, on: dt.date, hold: Hold | None
) -> None:
    assert decided(Loan(), mandate(notices=[told(told_on)]), on)[1] == hold


@pytest.mark.parametrize(
    ("on", "debit_on"),
    [(july(10), None), (july(11), DUE), (july(13), DUE), (july(14), july(17)), (DUE, july(19))],
)
def test_a_notice_is_written_five_days_before_or_at_once(
    on: dt.date, debit_on: dt.date | None
) -> None:
    found = announced(Loan(), mandate(), on)
    assert (found.debit_on if found else None) == debit_on


def test_the_notice_says_what_will_be_due_on_its_day() -> None:
    assert announced(Loan(), mandate(), july(11)) == Announcement(
        installment=1, attempt=1, debit_on=DUE, amount=yuan("1066.19")
    )
    # Three days late by then: 946.19 × 18 % × 3 / 360 = 1.42
    late = announced(Loan(), mandate(granted_on=DUE), DUE)
    assert late is not None
    assert (late.debit_on, str(late.amount)) == (july(19), "1067.61")


def test_the_same_is_not_announced_twice() -> None:
    for on in (july(11), july(13), DUE, july(18)):
        assert announced(Loan(), mandate(notices=[told()]), on) is None


def test_less_than_was_announced_needs_no_word_and_more_does() -> None:
    assert announced(Loan(paid("400.00", july(12))), mandate(notices=[told()]), july(12)) is None
    again = announced(Loan(), mandate(notices=[told(amount="666.19")]), july(12))
    assert again is not None
    assert (again.debit_on, str(again.amount)) == (DUE, "1066.19")
    # Too late for the day: the rest is announced for the first day that is far enough.
    late = announced(Loan(), mandate(notices=[told(amount="666.19")]), july(14))
    assert late is not None
    assert late.debit_on == july(17)


def test_a_moved_due_date_is_announced_anew() -> None:
    moved = DueDateMoved(
        event_id="m", effective_date=july(12), sequence=2, number=1, payable_through=july(20)
    )
    again = announced(Loan(moved), mandate(notices=[told()]), july(15))
    assert again is not None
    assert again.debit_on == july(20)


def test_a_lost_notice_counts_for_nothing() -> None:
    lost = mandate(notices=[told(lost=True)])
    assert decided(Loan(), lost, DUE) == ("0.00", Hold.NO_NOTICE)
    assert announced(Loan(), lost, july(14)) is not None


def test_what_is_on_its_way_is_not_announced() -> None:
    assert announced(Loan(), mandate(), july(11), in_flight=yuan("1066.19")) is None
    rest = announced(Loan(), mandate(), july(11), in_flight=yuan("1000.00"))
    assert rest is not None
    assert str(rest.amount) == "66.19"


# --- Failures -----------------------------------------------------------------------------


def test_lack_of_money_is_tried_once_more_three_days_later() -> None:
    failed = mandate(debits=[debit(DebitOutcome.FAILED)], notices=[told()])
    assert planned_debit(Loan().on(DUE), failed, rules=RULES) == PlannedDebit(
        installment=1, attempt=2, due_on=july(19)
    )
    notice = announced(Loan(), failed, DUE)
    assert notice == Announcement(
        installment=1, attempt=2, debit_on=july(19), amount=yuan("1067.61")
    )
    with_notice = replace(failed, notices=[told(), told(DUE, july(19), "1067.61", attempt=2)])
    assert decided(Loan(), with_notice, july(18)) == ("0.00", Hold.NOT_YET)
    assert decided(Loan(), with_notice, july(19)) == ("1067.61", None)


def test_another_reason_is_not_tried_again_before_the_next_installment() -> None:
    failed = mandate(debits=[debit(DebitOutcome.FAILED, lacked_money=False)], notices=[told()])
    assert planned_debit(Loan().on(july(19)), failed, rules=RULES) == PlannedDebit(
        installment=2, attempt=1, due_on=dt.date(2026, 8, 16)
    )


_F, _S, _P, _B = (
    DebitOutcome.FAILED,
    DebitOutcome.SUCCEEDED,
    DebitOutcome.PENDING,
    DebitOutcome.BOUNCED,
)


@pytest.mark.parametrize(
    ("outcomes", "failures"),
    [
        ([], 0),
        ([_F], 1),
        ([_F, _F], 2),
        ([_F, _S], 0),
        ([_F, _S, _F], 1),
        ([_S, _F, _F], 2),
        ([_F, _P], 1),
        ([_F, _B], 2),
    ],
)
def test_failures_count_in_a_row_and_a_success_starts_anew(
    outcomes: list[DebitOutcome], failures: int
) -> None:
    assert consecutive_failures([debit(outcome) for outcome in outcomes]) == failures


def test_after_two_failures_nothing_is_announced_or_collected() -> None:
    stopped = mandate(
        debits=[debit(_F), debit(_F, july(19), attempt=2)],
        notices=[told(), told(dt.date(2026, 8, 1), dt.date(2026, 8, 16), "9999.00", installment=2)],
    )
    august = dt.date(2026, 8, 16)
    assert decided(Loan(), stopped, august) == ("0.00", Hold.TWO_FAILURES)
    assert announced(Loan(), stopped, dt.date(2026, 8, 12)) is None


# --- Holds --------------------------------------------------------------------------------


def test_an_outcome_that_is_not_known_plans_nothing() -> None:
    waiting = mandate(debits=[debit(_P)], notices=[told()])
    assert decided(Loan(), waiting, july(19)) == ("0.00", Hold.PAYMENT_ON_ITS_WAY)
    assert announced(Loan(), waiting, july(19)) is None


def test_nothing_is_collected_beside_a_payment_on_its_way_or_a_plan_that_waits() -> None:
    given = mandate(notices=[told()])
    assert decided(Loan(), given, DUE, in_flight=yuan("1.00")) == ("0.00", Hold.PAYMENT_ON_ITS_WAY)
    assert decided(Loan(), given, DUE, waits=True) == ("0.00", Hold.PLAN_WAITS)


def test_a_disputed_installment_is_not_collected_until_it_is_answered() -> None:
    dispute = Disputed(event_id="d", effective_date=july(14), sequence=2, number=1)
    given = mandate(notices=[told()])
    # The next debit is of the second installment, which is a month away.
    assert decided(Loan(dispute), given, DUE) == ("0.00", Hold.NOT_YET)
    assert announced(Loan(dispute), mandate(), july(14)) is None
    answered = DisputeResolved(event_id="r", effective_date=july(26), sequence=3, of="d")
    # Ten fenced days are not counted: the last day in time is 26 July, and needs its own notice.
    assert decided(Loan(dispute, answered), given, july(26)) == ("0.00", Hold.NO_NOTICE)
    again = announced(Loan(dispute, answered), given, july(26))
    assert again is not None
    assert (again.debit_on, str(again.amount)) == (july(29), "1067.61")


@pytest.mark.parametrize(
    ("given", "events", "hold"),
    [
        (mandate(ended=True, notices=[told()]), [], Hold.MANDATE_ENDED),
        (
            mandate(notices=[told()]),
            [ChargedOff(event_id="c", effective_date=july(15), sequence=2)],
            Hold.LOAN_ENDED,
        ),
    ],
)
def test_a_mandate_that_is_over_collects_nothing(
    given: Mandate, events: list[Event], hold: Hold
) -> None:
    found = decide(
        state=Loan(*events).on(DUE),
        mandate=given,
        in_flight=NOTHING,
        plan_waits=False,
        rules=RULES,
    )
    assert found == Decision(planned=None, amount=NOTHING, hold=hold)
