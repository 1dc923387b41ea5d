"""Measures the posting of repayments: against the same rows by bare ORM, and with eight payers."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, connections

from loans.management.bench_book import (
    START,
    begin_day,
    funded_loan,
    make_borrower,
    post_repayment,
    scratch_database,
)
from loans.management.bench_twin import Snapshot, twin_writes
from loans.management.benchmarks import Figures, milliseconds, per_second, percentile
from loans.models import Loan
from zhixin.shared.calendar import add_months
from zhixin.shared.money import Money

PAYERS: Final = 8

Tick = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: runs, pairs of loans, months paid, repayments of each payer."""

    runs: int
    pairs: int
    months: int
    repayments: int


FULL: Final = Effort(runs=3, pairs=10, months=11, repayments=12)
QUICK: Final = Effort(runs=1, pairs=2, months=3, repayments=2)
_WARM_UP: Final = Effort(runs=1, pairs=1, months=2, repayments=0)


def posting_figures(*, quick: bool, tick: Tick) -> Figures:
    """Return what posting repayments costs, as medians of several runs."""
    effort = QUICK if quick else FULL
    with scratch_database() as name:
        rows = measure_posting(_WARM_UP, tick).rows
        posted = [measure_posting(effort, tick) for _ in range(effort.runs)]
        figures = _compared(posted)
        for kind, count in (("eight_loans", PAYERS), ("one_loan", 1)):
            times = [measure_payers(count, effort.repayments, tick) for _ in range(effort.runs)]
            for percent in (50, 99):
                median = int(statistics.median(percentile(each, percent) for each in times))
                figures[f"repayment_p{percent}_{kind}_8_payers_ms"] = milliseconds(median)
        inserted, updated = rows
        return {
            **figures,
            "rows_inserted_per_repayment": inserted,
            "rows_updated_per_repayment": updated,
            "scratch_database": name,
            **_server_facts(),
        }


def _server_facts() -> Figures:
    settings = {
        "postgresql": "server_version",
        "postgresql_fsync": "fsync",
        "postgresql_synchronous_commit": "synchronous_commit",
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings")
        values = dict(cursor.fetchall())
    return {name: values[setting] for name, setting in settings.items()}


# -- through the services, and the same rows by bare ORM --------------------------------------


@dataclass(slots=True)
class PostingTimes:
    """Nanoseconds of each repayment: through the services, by bare ORM, and of its messages.

    `rows` are the rows that the last one inserted and updated.
    """

    service: list[int] = field(default_factory=list)
    bare_rows: list[int] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    rows: tuple[int, int] = (0, 0)


def measure_posting(effort: Effort, tick: Tick) -> PostingTimes:
    """Pay installments of some loans through the services, and of their twins by ORM.

    The night bills each installment beforehand, untimed. Both sides alternate, so that whatever
    else the machine does meets both.
    """
    begin_day(START)
    borrowers = [make_borrower() for _ in range(effort.pairs)]
    pairs = [(funded_loan(each), funded_loan(each)) for each in borrowers]
    times = PostingTimes()
    for month in range(1, effort.months + 1):
        day = add_months(START, month)
        begin_day(day)
        for loan, twin in pairs:
            before = Snapshot.of(loan)
            started = time.perf_counter_ns()
            transfer = post_repayment(loan, before.due, day)
            times.service.append(time.perf_counter_ns() - started)
            writes = twin_writes(transfer, before, twin)
            times.bare_rows.append(_nanoseconds(writes.write))
            times.messages.append(_nanoseconds(writes.send_messages))
            times.rows = writes.row_counts()
            tick()
    return times


def _nanoseconds(call: Callable[[], object]) -> int:
    started = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - started


def _compared(runs: Sequence[PostingTimes]) -> Figures:
    service = _median([statistics.median(run.service) for run in runs])
    rows = _median([statistics.median(run.bare_rows) for run in runs])
    both = _median(
        [statistics.median(run.bare_rows) + statistics.median(run.messages) for run in runs]
    )
    return {
        "repayments_per_second": per_second([service]),
        "bare_orm_repayments_per_second": per_second([both]),
        "bare_orm_rows_only_per_second": per_second([rows]),
        "repayments_percent_of_bare_orm": _percent_of(both, service),
        "repayments_percent_of_bare_orm_rows_only": _percent_of(rows, service),
    }


def _median(times: Sequence[Any]) -> int:
    return int(statistics.median(times))


def _percent_of(part: int, whole: int) -> Any:  # noqa: ANN401 - a number for people, never money.
    return round(100 * part / whole, 1)


# -- many payers at once ----------------------------------------------------------------------


def measure_payers(loan_count: int, repayments: int, tick: Tick) -> list[int]:
    """Return the nanoseconds of each repayment of eight payers at once.

    Each payer has a thread and a connection. All pay one loan, or each a loan of their own.
    """
    begin_day(START)
    loans = [funded_loan(make_borrower()) for _ in range(loan_count)]
    start = threading.Barrier(PAYERS)

    def pay(payer: int) -> list[int]:
        try:
            connection.ensure_connection()
            start.wait()
            return _pay_often(loans[payer % loan_count], payer, repayments, tick)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PAYERS) as pool:
        return [one for found in pool.map(pay, range(PAYERS)) for one in found]


def _pay_often(loan: Loan, payer: int, repayments: int, tick: Tick) -> list[int]:
    found = []
    for number in range(repayments):
        # Every amount is another one: the same on its way would be refused.
        amount = Money(1000 + payer + PAYERS * number)
        started = time.perf_counter_ns()
        post_repayment(loan, amount, START)
        found.append(time.perf_counter_ns() - started)
        tick()
    return found
