"""Real servers, a real Chromium, and people in front of it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.person import Person
from tests.browser.servers import PROJECT, Servers, own_database, own_redis, running_servers

EVIDENCE = PROJECT / "test-results"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_report_key = pytest.StashKey[pytest.TestReport]()

MakePerson = Callable[..., Person]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The whole product, running; one for all browser tests."""
    data_dir = tmp_path_factory.mktemp("product")
    with (
        own_database(os.environ["DATABASE_URL"]) as database_url,
        own_redis(os.environ["REDIS_URL"]) as redis_url,
        running_servers(data_dir, database_url=database_url, redis_url=redis_url) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A Chromium; for a module at most, since its event loop is in the way of other tests."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(chromium_path), args=CHROMIUM_FLAGS
        )
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know how the test went; add what the servers said to a failure."""
    report = yield
    if report.when == "call":
        item.stash[_report_key] = report
    running = getattr(item, "funcargs", {}).get("servers")
    if report.failed and isinstance(running, Servers):
        report.sections.append(("Servers", running.last_words()))
    return report


@pytest.fixture
def person(
    browser: Browser, servers: Servers, request: pytest.FixtureRequest
) -> Iterator[MakePerson]:
    """Make people; after a failure what each of them saw lies under test-results/."""
    people: list[Person] = []
    folder = EVIDENCE / re.sub(r"\W+", "-", request.node.name).strip("-")
    shutil.rmtree(folder, ignore_errors=True)

    def make(name: str, *, language: str = "zh-CN", **options: object) -> Person:
        somebody = Person(browser, servers.url, name=name, language=language, **options)  # type: ignore[arg-type]  # Handed on.
        people.append(somebody)
        return somebody

    yield make
    report = request.node.stash.get(_report_key, None)
    for somebody in people:
        if report is None or report.failed:
            somebody.keep_evidence(folder)
        somebody.context.close()
