"""The clock of the world outside: the bank and the carrier do not share ours."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  The world outside has a clock of its own.
