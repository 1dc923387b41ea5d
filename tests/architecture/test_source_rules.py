"""Rules that a reader of the source can check: no float in money code, no clock, no stray names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "risk", "loans", "collections_app", "education")
CLOCK_FUNCTIONS = {"now", "utcnow", "today", "localdate", "localtime", "time", "monotonic"}
CLOCK_OWNERS = {"datetime", "date", "timezone", "time"}
CLOCK_MODULES = {"time", "django.utils.timezone"}
CONVERSIONS = {"localdate", "localtime"}

# Rows of record → the one module that makes them.
WRITERS = {
    "JournalEntry": "loans/services/ledger.py",
    "Posting": "loans/services/ledger.py",
    "LoanEvent": "loans/services/servicing.py",
}
TABLES = {f"loans_{row.lower()}": row for row in WRITERS}
RELATED = {"journal_entries": "JournalEntry", "postings": "Posting", "events": "LoanEvent"}
MANAGERS = {"objects", "_default_manager", "_base_manager"}
INSERTED = re.compile(r'INSERT\s+INTO\s+"?(\w+)', re.IGNORECASE)
CREATIONS = {
    *("create", "bulk_create", "get_or_create", "update_or_create"),
    *("acreate", "abulk_create", "aget_or_create", "aupdate_or_create"),
}


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
    """Return the lines that call, or import by name, a clock of Python or of Django.

    `localtime` and `localdate` that are handed an instant convert it and read no clock.
    """
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in CLOCK_MODULES:
            imported = {alias.name for alias in node.names}
            lines += [node.lineno] if imported & CLOCK_FUNCTIONS else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            converts = node.func.attr in CONVERSIONS and bool(node.args)
            if node.func.attr in CLOCK_FUNCTIONS and not converts:
                lines += [node.lineno] if last_name(node.func.value) in CLOCK_OWNERS else []
    return lines


def last_name(node: ast.expr) -> str:
    """Return `c` of `a.b.c`, and of `c` itself."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def rows_of_record_made_in(source: str) -> set[str]:
    """Return the rows of record that the source makes: by class, manager, related manager, SQL."""
    made: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str):
            made |= {TABLES.get(table, table) for table in INSERTED.findall(text)}
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in CREATIONS:
            owner = node.func.value
            is_manager = isinstance(owner, ast.Attribute) and owner.attr in MANAGERS
            made |= {last_name(owner.value if is_manager else owner)}  # type: ignore[attr-defined]  # An attribute, as asked above.
        else:
            made |= {last_name(node.func)}
    return {RELATED.get(name, name) for name in made} & set(WRITERS)


def product_sources() -> list[Path]:
    """Every module of the apps and of what they share: no float, and one clock."""
    return list(sources("zhixin/shared", *APPS))


def clockless_sources() -> list[Path]:
    return [path for path in product_sources() if path != ROOT / "zhixin/shared/clock.py"]


@pytest.mark.parametrize("path", product_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_product_has_no_float(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", clockless_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_shared_clock_reads_the_time(path: Path) -> None:
    assert clock_readings_in(path.read_text(encoding="utf-8")) == []


def test_rows_of_record_are_made_by_one_module_each() -> None:
    makers = {
        (row, str(path.relative_to(ROOT)))
        for path in sources("zhixin", *APPS)
        for row in rows_of_record_made_in(path.read_text(encoding="utf-8"))
    }
    assert makers == set(WRITERS.items())


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
        "time.localtime()",
        "from django.utils.timezone import now",
        "from time import monotonic",
    ],
)
def test_the_clock_rule_can_fail(breach: str) -> None:
    assert clock_readings_in(breach) == [1]


def test_a_conversion_is_no_reading_of_the_clock() -> None:
    assert clock_readings_in("timezone.localtime(instant)") == []


@pytest.mark.parametrize(
    ("breach", "row"),
    [
        ("JournalEntry.objects.create(loan=loan)", "JournalEntry"),
        ("models.JournalEntry(loan=loan).save()", "JournalEntry"),
        ("Posting.objects.bulk_create(rows)", "Posting"),
        ("entry.postings.create(account=account)", "Posting"),
        ("LoanEvent._default_manager.get_or_create(loan=loan)", "LoanEvent"),
        ("loan.events.create(kind=kind)", "LoanEvent"),
        ("""cursor.execute('insert into "loans_posting" VALUES (1)')""", "Posting"),
    ],
)
def test_the_rule_of_one_writer_can_fail(breach: str, row: str) -> None:
    assert rows_of_record_made_in(breach) == {row}


def test_reading_rows_of_record_is_free() -> None:
    assert rows_of_record_made_in("LoanEvent.objects.filter(loan=loan).count()") == set()
    assert rows_of_record_made_in("loan.events.order_by('sequence')") == set()
    assert rows_of_record_made_in("cursor.execute('SELECT id FROM loans_posting')") == set()


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
