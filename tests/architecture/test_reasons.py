"""Whoever silences a tool says why, on the same line."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("accounts", "risk", "loans", "collections_app", "education", "zhixin", "tests")
# What silences, and by which codes; the rest of the comment is the reason.
SILENCER = re.compile(
    r"# *(?:noqa(?:: ?[A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*)?|type: *ignore(?:\[[\w, -]+\])?)"
)
REASON = re.compile(r"\w+")


def comments_of(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def silenced_without_reason(source: str) -> list[int]:
    """Return the lines that silence a tool and do not say why."""
    return [
        line
        for line, comment in comments_of(source)
        if SILENCER.search(comment) and not REASON.search(SILENCER.sub("", comment))
    ]


def test_every_silenced_tool_has_its_reason_beside_it() -> None:
    files = [ROOT / "manage.py"]
    for place in PLACES:
        files += [path for path in (ROOT / place).rglob("*.py") if "migrations" not in path.parts]
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := silenced_without_reason(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("comment", "has_reason"),
    [
        ("# noqa", False),
        ("# noqa: A002", False),
        ("# noqa: FBT001, FBT002", False),
        ("# type: ignore[arg-type, misc]", False),
        ("# type: ignore  # noqa: A002", False),
        ("# noqa: A002 - The base says so.", True),
        ("# noqa: A002  The base says so.", True),
        ("# type: ignore[arg-type]  # The base says so.", True),
        ("# The base says so.", True),
    ],
)
def test_what_counts_as_a_reason(comment: str, has_reason: bool) -> None:
    assert (silenced_without_reason(f"value = 1  {comment}\n") == []) is has_reason
    assert silenced_without_reason(f'value = "{comment}"\n') == []
