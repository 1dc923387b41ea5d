"""Gives a test session PostgreSQL and Redis of its own, before Django reads its settings.

The controller of pytest-xdist starts them once; its workers inherit their addresses. Each worker
has a database of its own, by pytest-django, and all but the first a numbered database of Redis. A
session that asks only for `tests/unit` starts none. DATABASE_URL and REDIS_URL are respected when
set: Django then makes its test database on that server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from zhixin.embedded import paths
from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.redis import claimed_number
from zhixin.embedded.services import Services, ensure_running

_UNIT_TESTS = paths.PROJECT_DIR / "tests" / "unit"
# As many as a Redis server has unless its settings say more.
_REDIS_NUMBERS = 16
_services_key = pytest.StashKey[Services]()
_folder_key = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start the servers ahead of pytest-django, which reads the settings in this hook."""
    # Whatever the shell says: tests never run on another environment's settings.
    os.environ["DJANGO_SETTINGS_MODULE"] = "zhixin.settings.test"
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        _take_number(early_config, worker=int(worker.removeprefix("gw")))
    elif _needs_no_servers(early_config):
        folder = tempfile.mkdtemp(prefix="zhixin-tests-")
        early_config.stash[_folder_key] = folder
        os.environ[paths.DATA_DIR_VARIABLE] = folder
    else:
        _start(early_config)
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers and throw their data away."""
    services = config.stash.get(_services_key, None)
    if services is not None:
        services.release()
    folder = config.stash.get(_folder_key, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _start(config: pytest.Config) -> None:
    try:
        services = ensure_running(purpose="test")
    except EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_services_key] = services
    os.environ.update(services.as_environment())


def _take_number(config: pytest.Config, *, worker: int) -> None:
    """Give a worker of pytest-xdist its numbered database of Redis; the first keeps the given one.

    Each begins to look at a number of its own: tests empty theirs, and with it the claim.
    """
    address = os.environ.get("REDIS_URL", "")
    given = urlsplit(address)
    if not worker or given.scheme not in {"redis", "rediss"}:
        return
    first = int(given.path.strip("/") or 0) + worker
    numbers = [number % _REDIS_NUMBERS for number in range(first, first + _REDIS_NUMBERS - worker)]
    stack = contextlib.ExitStack()
    try:
        os.environ["REDIS_URL"] = stack.enter_context(
            claimed_number(address, numbers, claimant="zhixin-tests")
        )
    except EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(stack.close)


def _needs_no_servers(config: pytest.Config) -> bool:
    """Tell whether the command line names only unit tests, or asks for no tests at all."""
    options = config.known_args_namespace
    if getattr(options, "version", False) or getattr(options, "help", False):
        return True
    named = [str(argument).split("::", 1)[0] for argument in options.file_or_dir]
    return bool(named) and all(Path(name).resolve().is_relative_to(_UNIT_TESTS) for name in named)
