"""What all tests share. The servers come from `zhixin.embedded.pytest_plugin`."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from zhixin.embedded.browser import NoBrowserError, find_chromium

# What lands is judged by the same examples each time; new ones are found at the desk.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

_UNIT_TESTS = Path(__file__).parent / "unit"
_BROWSER_TESTS = Path(__file__).parent / "browser"


class WholeFiles(LoadFileScheduling):
    """Give each worker of pytest-xdist whole files, and one of them all that share the product.

    The order is that of the collection, in which tests that empty the tables behind them come after
    those that expect what the migrations wrote: of a file with both, these are two parts.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self._scopes: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        if not self._scopes:
            assert self.collection is not None
            runs = itertools.groupby(self.collection, key=_file_of)
            for number, (file, members) in enumerate(runs):
                self._scopes |= dict.fromkeys(members, f"{number} {file}")
        return self._scopes[nodeid]


def _file_of(nodeid: str) -> str:
    return "browser" if nodeid.startswith("tests/browser/") else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    """Let the workers of `make test` have their tests by file."""
    return WholeFiles(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Block sockets in unit tests, which touch nothing; begin with what takes longest."""
    for item in items:
        if item.path.is_relative_to(_UNIT_TESTS):
            item.add_marker(pytest.mark.disable_socket)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not item.path.is_relative_to(_BROWSER_TESTS))


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The Chromium of the browser tests; without one they fail with how to get it."""
    try:
        return find_chromium()
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)
