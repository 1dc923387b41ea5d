"""What all tests share. The servers come from `zhixin.embedded.pytest_plugin`."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from zhixin.embedded.browser import NoBrowserError, find_chromium

# What lands is judged by the same examples each time; new ones are found at the desk.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

_UNIT_TESTS = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Block sockets in unit tests; they calculate and touch nothing."""
    for item in items:
        if item.path.is_relative_to(_UNIT_TESTS):
            item.add_marker(pytest.mark.disable_socket)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The Chromium of the browser tests; without one they fail with how to get it."""
    try:
        return find_chromium()
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)
