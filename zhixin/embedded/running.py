"""What a running `make run` tells commands by hand: where its bank is, and where it is itself.

It stands in `run.json` of the data folder. It is believed only while the supervisor that wrote it
holds `run.lock`, which the system frees when a process dies, and only on the same database.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from zhixin.embedded import paths, processes
from zhixin.embedded.errors import EmbeddedError

RUN_FILE = "run.json"
RUN_LOCK = "run.lock"
# Whoever tries the run lock holds this one: a look must not keep a supervisor from starting.
START_LOCK = "start.lock"


def claim(data_dir: Path, *, url: str) -> tuple[int, bool]:
    """Take the run lock of the one supervisor, and tell that there is nothing to join yet.

    Returns the descriptor that holds it, and whether an earlier run did not come to its end.
    Raises EmbeddedError when another one runs.
    """
    with processes.file_lock(data_dir / START_LOCK):
        lock = processes.open_lock(data_dir / RUN_LOCK)
        if processes.try_lock(lock):
            was_killed = (data_dir / RUN_FILE).exists()
            announce(data_dir, url=url, environment={}, database_url="")
            return lock, was_killed
    os.close(lock)
    raise EmbeddedError(f"Zhixin is already running{_other(data_dir)}. Stop it there first.")


def announce(
    data_dir: Path, *, url: str, environment: Mapping[str, str], database_url: str
) -> None:
    """Write who runs, and the variables by which commands find its world; holds the run lock."""
    mine = {
        "pid": os.getpid(),
        "url": url,
        "environment": dict(environment),
        "database": _digest(database_url),
    }
    paths.write_private(data_dir / RUN_FILE, json.dumps(mine))


def environment_of_running(data_dir: Path, *, database_url: str) -> dict[str, str]:
    """Return the variables of the product that runs on this database now; {} when none does."""
    if not _is_running(data_dir):
        return {}
    told = _told(data_dir)
    environment = told.get("environment")
    if told.get("database") != _digest(database_url) or not isinstance(environment, dict):
        return {}
    return {str(name): str(value) for name, value in environment.items()}


def join(data_dir: Path) -> None:
    """Set the variables of the running product in this process, unless they are set already."""
    database_url = os.environ.get("DATABASE_URL", "")
    for name, value in environment_of_running(data_dir, database_url=database_url).items():
        if not os.environ.get(name):
            os.environ[name] = value


def _is_running(data_dir: Path) -> bool:
    with processes.file_lock(data_dir / START_LOCK):
        lock = processes.open_lock(data_dir / RUN_LOCK)
        try:
            return not processes.try_lock(lock, shared=True)
        finally:
            os.close(lock)


def _other(data_dir: Path) -> str:
    told = _told(data_dir)
    return f" at {told['url']} (process {told['pid']})" if {"url", "pid"} <= told.keys() else ""


def _told(data_dir: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        told = json.loads((data_dir / RUN_FILE).read_text(encoding="utf-8"))
        return told if isinstance(told, dict) else {}
    return {}


def _digest(database_url: str) -> str:
    """Return what tells this database's address; it holds a password, a digest does not."""
    return hashlib.sha256(database_url.encode()).hexdigest()
