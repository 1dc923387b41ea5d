"""`manage.py bench_engine`: how fast the loan engine and the posting of repayments are here."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from loans.management.bench_posting import posting_figures
from loans.management.benchmarks import Figures, engine_figures, machine_facts, span_of

GOALS = {
    "schedules_per_second": 50_000,
    "folds_per_second": 1_000,
    "repayments_percent_of_bare_orm": 60,
}
LABELS = {
    "schedules_per_second": "Schedules of 12 rows with business days, a second, one core",
    "schedules_cold_dates_per_second": "The same, no two with the same dates",
    "schedules_with_rows_per_second": "Schedules with their 12 rows as objects, a second",
    "folds_per_second": "Folds of a loan of 36 months with 40 events, a second, one core",
    "folds_of_all_kinds_per_second": "The same with events of all eleven kinds, a second",
    "repayments_per_second": "Repayments through the services, a second, one connection",
    "bare_orm_repayments_per_second": "The same rows and messages by bare ORM, a second",
    "bare_orm_rows_only_per_second": "The same rows alone by bare ORM, a second",
    "repayments_percent_of_bare_orm": "Services, % of bare ORM",
    "repayments_percent_of_bare_orm_rows_only": "Services, % of bare ORM without its messages",
    "repayment_p50_eight_loans_8_payers_ms": "A repayment, 8 payers on 8 loans: median, ms",
    "repayment_p99_eight_loans_8_payers_ms": "A repayment, 8 payers on 8 loans: p99, ms",
    "repayment_p50_one_loan_8_payers_ms": "A repayment, 8 payers on one loan: median, ms",
    "repayment_p99_one_loan_8_payers_ms": "A repayment, 8 payers on one loan: p99, ms",
    "rows_inserted_per_repayment": "Rows inserted for a repayment",
    "rows_updated_per_repayment": "Rows updated for a repayment",
    "scratch_database": "Scratch database, dropped again",
    "postgresql": "PostgreSQL",
    "postgresql_fsync": "PostgreSQL's fsync",
    "postgresql_synchronous_commit": "PostgreSQL's synchronous_commit",
    "cores": "Cores",
    "load_average_1_minute": "Load average before the start",
    "python": "Python",
    "system": "System",
    "fsync_ms": "fsync of 8 KiB: median, ms",
}


class Command(BaseCommand):
    """Measures, prints a table, and says which goals are met."""

    help = (
        "Measure schedules, folds and the posting of repayments. Posting is measured in a scratch "
        "database named test_… that is dropped at the end; other data is not touched. Always "
        "exits 0; a goal that is not met is shown as such."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how long to measure and how to answer."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--seconds", type=int, default=5, metavar="N", help="for each engine figure (5)"
        )
        parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
        parser.add_argument(
            "--engine-only", action="store_true", help="leave out what needs a database"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Measure, with a bar, and print."""
        if options["seconds"] < 1:
            raise CommandError("--seconds takes a number from 1 on.")
        span = span_of(seconds=options["seconds"], quick=options["quick"])
        machine = machine_facts(settings.DATA_DIR)
        bar = tqdm(unit="step", leave=False, disable=None)
        try:
            figures = engine_figures(span, bar.update)
            if not options["engine_only"]:
                figures |= posting_figures(quick=options["quick"], tick=bar.update)
        finally:
            bar.close()
        if options["json"]:
            self.stdout.write(
                json.dumps(_answer(figures, machine, quick=options["quick"]), indent=1)
            )
        else:
            self._print(figures | machine)

    def _print(self, figures: Figures) -> None:
        for key, value in figures.items():
            goal = GOALS.get(key)
            note = "" if goal is None else f"  goal ≥ {goal:,}: {_verdict(value, goal)}"
            shown = value if isinstance(value, str) else f"{value:,}"
            self.stdout.write(f"{LABELS[key]:<62} {shown:>14}{note}")


def _verdict(value: int | Decimal, goal: int) -> str:
    return "met" if value >= goal else "NOT MET"


def _answer(figures: Figures, machine: Figures, *, quick: bool) -> Figures:
    """Return the JSON object (keys: docs/performance.md)."""
    return {
        "quick": quick,
        "figures": figures,
        "goals": {
            key: {"at_least": goal, "met": bool(figures[key] >= goal)}
            for key, goal in GOALS.items()
            if key in figures
        },
        "machine": machine,
    }
