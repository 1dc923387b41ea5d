"""The benchmark runs, answers in its documented shape, leaves nothing behind. No time is tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from loans.management.commands.bench_engine import GOALS, LABELS

ROOT = Path(__file__).resolve().parents[4]


def bench(*arguments: str) -> dict[str, Any]:
    """Run the command in a process of its own, as a person does."""
    done = subprocess.run(
        [sys.executable, "manage.py", "bench_engine", "--quick", "--json", *arguments],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "zhixin.settings.local"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_the_engine_is_measured_without_a_database() -> None:
    answer = bench("--engine-only")
    assert set(answer) == {"quick", "figures", "goals", "machine"}
    assert set(answer["figures"]) == {
        "schedules_per_second",
        "schedules_cold_dates_per_second",
        "schedules_with_rows_per_second",
        "folds_per_second",
        "folds_of_all_kinds_per_second",
    }
    assert set(answer["goals"]) == {"schedules_per_second", "folds_per_second"}
    assert min(answer["figures"].values()) > 0


@pytest.mark.django_db
def test_posting_is_measured_in_a_scratch_database() -> None:
    answer = bench()
    figures, goals = answer["figures"], answer["goals"]
    assert set(figures) | set(answer["machine"]) == set(LABELS)
    assert set(goals) == set(GOALS)
    for key, goal in goals.items():
        assert goal == {"at_least": GOALS[key], "met": figures[key] >= GOALS[key]}
    assert figures["scratch_database"].startswith("test_zhixin_bench_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        assert figures["scratch_database"] not in {name for (name,) in cursor.fetchall()}
    # Command, transfer, notice, event, entry and three postings; transfer, loan and installment.
    assert figures["rows_inserted_per_repayment"] == 8
    assert figures["rows_updated_per_repayment"] == 3
