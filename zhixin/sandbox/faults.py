"""Faults on demand: what a test may tell the world outside to do wrong next."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

_MOST_AT_ONCE = 1000
_LONGEST_SECONDS = 3600


class UnknownFaultError(ValueError):
    """The order for a fault names none that this server can make, or is not of the form."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that waits for its occasion; `seconds` is how long where that matters."""

    name: str
    seconds: Decimal | None = None


class FaultBox:
    """The faults that wait, first in first out. Safe for threads."""

    def __init__(self, names: frozenset[str]) -> None:
        """Accept faults of these names."""
        self._names = names
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, wish: Mapping[str, Any]) -> None:
        """Queue the fault in `wish`: `{"fault": name, "count": 1, "seconds": "0.5"}`.

        Raises UnknownFaultError; nothing is queued then.
        """
        name = wish.get("fault")
        if name not in self._names:
            raise UnknownFaultError(f"fault must be one of: {', '.join(sorted(self._names))}")
        try:
            count = int(wish.get("count", 1))
            seconds = None if wish.get("seconds") is None else Decimal(str(wish["seconds"]))
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UnknownFaultError("count and seconds must be numbers") from error
        if not 1 <= count <= _MOST_AT_ONCE or (
            seconds is not None and not 0 <= seconds <= _LONGEST_SECONDS
        ):
            raise UnknownFaultError("count must be 1 to 1000, seconds 0 to 3600")
        with self._lock:
            self._waiting.extend([Fault(name, seconds)] * count)

    def take(self, *names: str) -> Fault | None:
        """Remove and return the first waiting fault of these names, or None."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.name in names:
                    return self._waiting.pop(index)
        return None

    def clear(self) -> None:
        """Forget all waiting faults."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[dict[str, str]]:
        """Return the waiting faults, for people and tests."""
        with self._lock:
            return [
                {key: str(value) for key, value in asdict(fault).items() if value is not None}
                for fault in self._waiting
            ]
