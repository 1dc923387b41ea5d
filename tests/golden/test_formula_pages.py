"""The worked tables of docs/formulas are true.

A fenced block `json replay` or `json annualized_cost` holds a case; the table after it holds either
columns of installments (first column `number`), lines of explanation (first column `of`), or
pairs of key and value.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loans.engine.cases import answer_annualized_cost, answer_replay

PAGES = Path(__file__).parents[2] / "docs" / "formulas"
EXAMPLE = re.compile(
    r"```json (replay|annualized_cost)\n(.*?)\n```\n\n((?:\|[^\n]*\n)+)", re.DOTALL
)
ANSWER = {"replay": answer_replay, "annualized_cost": answer_annualized_cost}


def examples() -> list[Any]:
    found = []
    for page in sorted(PAGES.glob("*.md")):
        for command, case, table in EXAMPLE.findall(page.read_text() + "\n"):
            data = json.loads(case)
            found.append(pytest.param(command, data, table, id=f"{page.stem}-{data['id']}"))
    return found


def cells(table: str) -> list[list[str]]:
    lines = table.strip().splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])
    ]


def value(answer: Any, key: str) -> str:
    for part in key.split("."):
        answer = answer[int(part) - 1] if isinstance(answer, list) else answer[part]
    return str(answer)


def test_every_formula_has_a_worked_table() -> None:
    pages = {str(example.id).rpartition("-")[0].partition("-")[0] for example in examples()}
    assert pages == {
        "aging",
        "allocation",
        "annualized_cost",
        "cases",
        "explanation",
        "payoff",
        "penalty",
        "plan_change",
        "schedule",
        "statement",
    }


@pytest.mark.parametrize(("command", "case", "table"), examples())
def test_worked_table(command: str, case: dict[str, Any], table: str) -> None:
    answer: Any = ANSWER[command](case)
    header, *rows = cells(table)
    if header == ["key", "value"]:
        assert [[key, value(answer, key)] for key, _ in rows] == rows
        return
    if header[0] == "of":
        lines = [
            ["" if line[key] is None else str(line[key]) for key in header]
            for line in answer["lines"]
        ]
        assert lines == rows
        return
    by_number = {str(row["number"]): row for row in answer["installments"]}
    assert [[str(by_number[row[0]][column]) for column in header] for row in rows] == rows
