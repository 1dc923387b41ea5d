"""What all tests share. The servers come from `zhixin.embedded.pytest_plugin`."""

from __future__ import annotations

from pathlib import Path

import pytest

_UNIT_TESTS = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Block sockets in unit tests; they calculate and touch nothing."""
    for item in items:
        if item.path.is_relative_to(_UNIT_TESTS):
            item.add_marker(pytest.mark.disable_socket)
