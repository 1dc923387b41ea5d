"""Rules that a reader of the source can check: no float in money code, no clock, no stray names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "risk", "loans", "collections_app", "education")
CLOCK_FUNCTIONS = {"now", "utcnow", "today", "localdate", "localtime", "time", "monotonic"}
CLOCK_OWNERS = {"datetime", "date", "timezone", "time"}


def sources(*roots: str) -> Iterator[Path]:
    for root in roots:
        for path in sorted((ROOT / root).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def floats_in(source: str) -> list[int]:
    """Return the lines that make, name or test for a float."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        name = isinstance(node, ast.Name) and node.id == "float"
        field = isinstance(node, ast.Attribute) and node.attr == "FloatField"
        if literal or name or field:
            lines.append(node.lineno)
    return lines


def clock_readings_in(source: str) -> list[int]:
    """Return the lines that call a clock of the standard library or of Django."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if node.func.attr in CLOCK_FUNCTIONS and name in CLOCK_OWNERS:
            lines.append(node.lineno)
    return lines


def money_sources() -> list[Path]:
    shared = [ROOT / "zhixin/shared" / f"{name}.py" for name in ("money", "rates", "fields")]
    return [*sources("loans", "risk/engine", "risk/services", "collections_app"), *shared]


def below_the_interface() -> list[Path]:
    layers = ("engine", "models", "selectors", "access", "services", "forms")
    return [
        path
        for path in sources(*APPS)
        if path.relative_to(ROOT).parts[1].removesuffix(".py") in layers
    ]


@pytest.mark.parametrize("path", money_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_money_code_has_no_float(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "path", below_the_interface(), ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_below_the_interface_reads_the_clock(path: Path) -> None:
    assert clock_readings_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "breach", ["x = 0.5", "x = float('1')", "x: float", "f = models.FloatField()"]
)
def test_the_float_rule_can_fail(breach: str) -> None:
    assert floats_in(breach) == [1]


@pytest.mark.parametrize(
    "breach",
    [
        "datetime.datetime.now()",
        "datetime.now(tz=UTC)",
        "date.today()",
        "timezone.now()",
        "django.utils.timezone.localdate()",
        "time.time()",
    ],
)
def test_the_clock_rule_can_fail(breach: str) -> None:
    assert clock_readings_in(breach) == [1]


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [path for path in sources("zhixin", *APPS) if path.name in drawers] == []


def test_no_app_uses_signals() -> None:
    users = [
        str(path.relative_to(ROOT))
        for path in sources("zhixin", *APPS)
        if "django.dispatch" in (text := path.read_text(encoding="utf-8"))
        or "models.signals" in text
    ]
    assert users == []
