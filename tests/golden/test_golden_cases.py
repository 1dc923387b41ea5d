"""The commands reproduce figures from outside (tests/golden/README.md)."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

HERE = Path(__file__).parent
TOLERANCE = Decimal("0.0002")
ROUGH_TOLERANCE = Decimal("0.005")
SHORT_OF_DECIMALS = 3
SCHEDULES = ("schedules.json", "outside_schedules.json")
COSTS = ("annualized_cost.json", "outside_annualized_cost.json")


def cases(*names: str) -> list[dict[str, Any]]:
    return [case for name in names for case in cases_of(name)]


def cases_of(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((HERE / name).read_text())["cases"]
    return loaded


def answers(command: str, *names: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for name in names:
        out = io.StringIO()
        call_command(command, str(HERE / name), stdout=out)
        found += json.loads(out.getvalue())["cases"]
    ids = [case["id"] for case in found]
    assert ids == [case["id"] for case in cases(*names)]
    assert len(set(ids)) == len(ids)
    return {case["id"]: case for case in found}


@pytest.fixture(scope="module")
def replayed() -> dict[str, Any]:
    return answers("replay", *SCHEDULES)


@pytest.fixture(scope="module")
def costs() -> dict[str, Any]:
    return answers("annualized_cost", *COSTS)


@pytest.mark.parametrize("case", cases(*SCHEDULES), ids=lambda case: case["id"])
def test_schedule(case: dict[str, Any], replayed: dict[str, Any]) -> None:
    rows = {row["number"]: row for row in replayed[case["id"]]["installments"]}
    for expected in case["expected"]["installments"]:
        found = rows[expected["number"]]
        assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("case", cases(*COSTS), ids=lambda case: case["id"])
def test_annualized_cost(case: dict[str, Any], costs: dict[str, Any]) -> None:
    printed = case["expected"]["annualized_cost_pct"]
    expected, found = Decimal(printed), Decimal(costs[case["id"]]["annualized_cost_pct"])
    places = len(printed.partition(".")[2])
    tolerance = ROUGH_TOLERANCE if places < SHORT_OF_DECIMALS else TOLERANCE
    assert abs(found - expected) <= Decimal(case.get("tolerance", tolerance))
