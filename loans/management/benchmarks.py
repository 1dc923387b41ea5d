"""Measures the engine on one core, and says what the machine is. Needs no database.

Every figure is the median of several repeats. Terms and histories differ from each other and are
made before the clock starts. See docs/performance.md.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    PlanChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.schedule import build_schedule
from loans.engine.servicing import replay
from loans.engine.terms import (
    DayCount,
    FeeTerms,
    LoanTerms,
    Method,
    PenaltyRule,
    Period,
    PrepaymentEffect,
)
from zhixin.shared.business_days import BusinessCalendar
from zhixin.shared.calendar import PeriodUnit, add_months
from zhixin.shared.money import Money, Rounding

REPEATS: Final = 7
ROWS: Final = 12
MONTHS: Final = 36
EVENTS: Final = 40
_NS: Final = 1_000_000_000
_NS_A_MILLISECOND: Final = 1_000_000
_FIRST_DAY: Final = dt.date(2016, 1, 1)
_DISTINCT: Final = 20_000
_HISTORIES: Final = 720
_BOOK_FIRST_DAY: Final = dt.date(2023, 1, 1)
_BOOK_DAYS: Final = 1096
_BOOK_DAY_COUNTS: Final = (DayCount.THIRTY_360, DayCount.ACTUAL_365)
_STRIDE: Final = 379  # Prime to the days, so that neighbors lie far apart.
_AHEAD: Final = 22  # The month whose repayment is held against the next ones.
_SYNC_BYTES: Final = 8192
_SYNCS: Final = 60

Tick = Callable[[], object]
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How long to measure: nanoseconds for each repeat, and the number of repeats."""

    repeat_ns: int
    repeats: int


def span_of(*, seconds: int, quick: bool) -> Span:
    """Return how to spend `seconds` on one figure."""
    if quick:
        return Span(repeat_ns=_NS // 20, repeats=3)
    return Span(repeat_ns=seconds * _NS // REPEATS, repeats=REPEATS)


def engine_figures(span: Span, tick: Tick) -> Figures:
    """Return schedules, schedules with their rows as objects, and folds a second on one core."""
    book, cold = book_terms(_DISTINCT), schedule_terms(_DISTINCT)
    serviced = [serviced_history(number) for number in range(_HISTORIES)]
    mixed = [mixed_history(number) for number in range(_HISTORIES)]
    return {
        "schedules_per_second": _rate([partial(build_schedule, it) for it in book], span, tick),
        "schedules_cold_dates_per_second": _rate(
            [partial(build_schedule, each) for each in cold], span, tick
        ),
        "schedules_with_rows_per_second": _rate([partial(_rows, it) for it in book], span, tick),
        "folds_per_second": _rate([partial(replay, *case) for case in serviced], span, tick),
        "folds_of_all_kinds_per_second": _rate(
            [partial(replay, *case) for case in mixed], span, tick
        ),
    }


def _rows(terms: LoanTerms) -> object:
    return build_schedule(terms).rows


def _rate(calls: Sequence[Callable[[], object]], span: Span, tick: Tick) -> int:
    """Return calls a second of one core's time: the median of the repeats of `repeat_ns` each.

    The time of the core and not of the wall, so that other processes take none of it.
    """
    endless = cycle(calls)
    batch = _batch(endless, span)
    rates = []
    for _ in range(span.repeats):
        done, started = 0, time.process_time_ns()
        spent = 0
        while spent < span.repeat_ns:
            for call in islice(endless, batch):
                call()
            done += batch
            spent = time.process_time_ns() - started
        rates.append(done * _NS // spent)
        tick()
    return int(statistics.median(rates))


def _batch(endless: Iterator[Callable[[], object]], span: Span) -> int:
    """Return how many calls to make between two looks at the clock: some hundredth of a repeat."""
    started = time.process_time_ns()
    for call in islice(endless, 20):
        call()
    each = (time.process_time_ns() - started) // 20 + 1
    return max(span.repeat_ns // (100 * each), 1)


def book_terms(count: int) -> list[LoanTerms]:
    """Return terms as a lender's book has them: paid out in three years, by two day counts.

    Several loans share a day, and so the dates of their rows, as in any book.
    """
    return [
        _terms_of_rows(
            number,
            day_count=_BOOK_DAY_COUNTS[number // 2 % len(_BOOK_DAY_COUNTS)],
            start=_BOOK_FIRST_DAY + dt.timedelta(days=number * _STRIDE % _BOOK_DAYS),
        )
        for number in range(count)
    ]


def schedule_terms(count: int) -> list[LoanTerms]:
    """Return terms by all day counts, no two with the same start by the same day count."""
    day_counts = list(DayCount)
    return [
        _terms_of_rows(
            number,
            day_count=day_counts[number % len(day_counts)],
            start=_FIRST_DAY + dt.timedelta(days=number // len(day_counts)),
        )
        for number in range(count)
    ]


def _terms_of_rows(number: int, *, day_count: DayCount, start: dt.date) -> LoanTerms:
    """Return terms of 12 monthly rows on the business calendar, by the four methods in turn.

    BULLET has one row and is left out. Principals all differ, rates repeat after 1,900 terms.
    """
    methods = [method for method in Method if method is not Method.BULLET]
    return LoanTerms(
        principal=Money(1_000_000 + 137 * number),
        annual_rate=Decimal(500 + number % 1900) / 10_000,
        method=methods[number % len(methods)],
        installment_count=ROWS,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=day_count,
        disbursement_date=start,
        rounding=Rounding.HALF_EVEN,
        fees=FeeTerms(installment_amount=Money(number % 300)),
        calendar=BusinessCalendar.CN,
    )


def history_terms(number: int) -> LoanTerms:
    """Return terms over 36 months with penalty interest and a fee."""
    return LoanTerms(
        principal=Money(3_600_000 + 1009 * number),
        annual_rate=Decimal(900 + 2 * number) / 10_000,
        method=Method.EQUAL_INSTALLMENT,
        installment_count=MONTHS,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount.ACTUAL_365,
        disbursement_date=dt.date(2022, 1, 10) + dt.timedelta(days=number),
        rounding=Rounding.HALF_EVEN,
        fees=FeeTerms(installment_amount=Money(500)),
        penalty=PenaltyRule(uplift=Decimal("0.5"), grace_days=3, annual_cap=Decimal("0.24")),
        calendar=BusinessCalendar.CN,
    )


Draft = tuple[type[Event], dt.date, dict[str, Any]]


def _history(number: int) -> tuple[LoanTerms, int, Callable[..., dt.date]]:
    """Return terms, their level installment in cents, and the dates of their months."""
    terms = history_terms(number)
    start = terms.disbursement_date

    def on(month: int, days: int = 0) -> dt.date:
        return add_months(start, month) + dt.timedelta(days=days)

    return terms, build_schedule(terms).rows[0].total.cents, on


def _numbered(drafts: Sequence[Draft]) -> tuple[Event, ...]:
    """Return the events, numbered in the order of recording."""
    return tuple(
        kind(event_id=f"e{place}", effective_date=date, sequence=place, **values)
        for place, (kind, date, values) in enumerate(drafts)
    )


def serviced_history(number: int) -> tuple[LoanTerms, tuple[Event, ...], dt.date]:
    """Return a loan of 36 months with 40 events as most are, and the day after its term.

    The payout, a repayment each month (in time, six days late, four days early in turn; two of a
    half that the next one makes up), one that bounces and is paid again, and a waived penalty.
    """
    terms, level, on = _history(number)
    drafts: list[Draft] = [(Disbursed, on(0), {"amount": terms.principal})]
    for month in range(1, MONTHS + 1):
        share = {7: 50, 8: 150, 19: 50, 20: 150}.get(month, 100)
        paid = {"amount": Money(level * share // 100)}
        drafts.append((Repaid, on(month, (0, 6, -4)[month % 3]), paid))
    drafts += [
        (Reversed, on(5, 9), {"of": "e5"}),
        (Repaid, on(5, 10), {"amount": Money(level)}),
        (Waived, on(11, 8), {"penalty": Money(900)}),
    ]
    return terms, _numbered(drafts), on(MONTHS, 1)


def mixed_history(number: int) -> tuple[LoanTerms, tuple[Event, ...], dt.date]:
    """Return a loan of 36 months with 40 events of all eleven kinds, and the day after its term.

    Repayments on time, early, late, partial and beyond what is due; two bounce; penalty is waived
    twice, two due dates move, one installment is disputed, a plan changes, credit is refunded, and
    what is left is charged off and partly recovered.
    """
    terms, level, on = _history(number)
    drafts: list[Draft] = [(Disbursed, on(0), {"amount": terms.principal})]
    effects = (None, PrepaymentEffect.LOWER_INSTALLMENT, PrepaymentEffect.SHORTEN_TERM)
    for month in range(1, 28):
        days = (0, 6, -4)[month % 3]
        share = {7: 50, 13: 240, 19: 60, 22: 150}.get(month, 100)
        effect = PrepaymentEffect.NEXT_INSTALLMENTS if month == _AHEAD else effects[month % 3]
        paid = {"amount": Money(level * share // 100), "prepayment": effect}
        drafts.append((Repaid, on(month, days), paid))
    drafts += [
        (Reversed, on(5, 9), {"of": "e5"}),
        (Reversed, on(12, 3), {"of": "e12"}),
        (Waived, on(8, 12), {"penalty": Money(900)}),
        (Waived, on(15, 2), {"interest": Money(1500)}),
        (DueDateMoved, on(9, -3), {"number": 9, "payable_through": on(9, 10)}),
        (DueDateMoved, on(17, -2), {"number": 17, "payable_through": on(17, 5)}),
        (Disputed, on(14, 4), {"number": 14}),
        (DisputeResolved, on(14, 25), {"of": "e34"}),
        (
            PlanChanged,
            on(20, 8),
            {
                "annual_rate": terms.annual_rate,
                "installment_count": 15,
                "first_due_date": on(21),
                "period": terms.period,
                "method": Method.EQUAL_INSTALLMENT,
            },
        ),
        (Refunded, on(_AHEAD, 8), {"amount": Money(2500)}),
        (ChargedOff, on(34), {}),
        (Recovered, on(35), {"amount": Money(120_000)}),
    ]
    return terms, _numbered(drafts), on(MONTHS, 1)


# -- the machine ------------------------------------------------------------------------------


def machine_facts(folder: Path) -> Figures:
    """Return cores, load, Python, and how long the disk of `folder` takes to keep 8 KiB."""
    return {
        "cores": os.cpu_count(),
        "load_average_1_minute": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "fsync_ms": milliseconds(_fsync_ns(folder)),
    }


def _fsync_ns(folder: Path) -> int:
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            file.write(bytes(_SYNC_BYTES))
            file.flush()
            started = time.perf_counter_ns()
            os.fsync(file.fileno())
            times.append(time.perf_counter_ns() - started)
    return int(statistics.median(times))


def milliseconds(nanoseconds: int) -> Any:  # noqa: ANN401 - a number for people, never money.
    """Return milliseconds with two places."""
    return round(nanoseconds / _NS_A_MILLISECOND, 2)


def percentile(times: Sequence[int], percent: int) -> int:
    """Return the time that `percent` of the times do not exceed (nearest rank)."""
    ordered = sorted(times)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def per_second(times: Sequence[int]) -> Any:  # noqa: ANN401 - see above.
    """Return how many a second, by the median of the times in nanoseconds."""
    return round(_NS / statistics.median(times), 1)
