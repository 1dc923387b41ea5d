"""The project's own PostgreSQL and Redis: joined when they run, started when they do not.

    with ensure_running(purpose="run") as services:
        services.database_url, services.redis_url

Whoever uses the servers holds a shared lock; the last to leave stops them. The system frees a
killed process's lock, so there is no count that could be wrong.

    python -m zhixin.embedded.services prepare     make the data, start nothing
    python -m zhixin.embedded.services addresses   print the addresses of the running servers
    python -m zhixin.embedded.services discard     throw the developer's data away
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Literal

from zhixin.embedded import paths, processes, running
from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.given import check_given_servers
from zhixin.embedded.postgres import PostgresServer
from zhixin.embedded.redis import RedisServer

Purpose = Literal["run", "test"]

_START_LOCK = running.START_LOCK
_USERS_LOCK = "users.lock"
# What `discard` leaves: locks that others may be waiting for, and what names the folder.
_KEPT = frozenset(
    {
        _START_LOCK,
        _USERS_LOCK,
        running.RUN_LOCK,
        "setup.lock",
        "location",
        "location.lock",
        "project",
    }
)


class Services:
    """The addresses of servers that run until `release()` (or the end of a `with` block)."""

    def __init__(
        self, *, database_url: str, redis_url: str, data_dir: Path, lease: _Lease | None
    ) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.data_dir = data_dir
        self._lease = lease

    def as_environment(self) -> dict[str, str]:
        """Return the variables by which the settings learn of these servers."""
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            paths.DATA_DIR_VARIABLE: str(self.data_dir),
        }

    def dead_server(self) -> str | None:
        """Return the name and last words of a server of ours that no longer runs, if any."""
        return self._lease.dead_server() if self._lease is not None else None

    def release(self) -> None:
        """Leave the servers; the last to leave stops them. May be called twice."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def __enter__(self) -> Services:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class _Lease:
    """A share in the servers under `base`, those of `names` started or joined on `acquire`."""

    def __init__(self, base: Path, *, durable: bool, throwaway: bool) -> None:
        self.base = base
        self.postgres = PostgresServer(base / "postgres", durable=durable)
        self.redis = RedisServer(base / "redis", durable=durable)
        self._throwaway = throwaway
        self._needed: dict[str, PostgresServer | RedisServer] = {}
        self._users: int | None = None

    def acquire(self, *, need_postgres: bool, need_redis: bool) -> tuple[str, str]:
        """Return the addresses ("" for what is not needed)."""
        with processes.file_lock(self.base / _START_LOCK):
            users = processes.open_lock(self.base / _USERS_LOCK)
            processes.try_lock(users, shared=True)
            self._users = users
            try:
                database_url = self.postgres.ensure_running() if need_postgres else ""
                redis_url = self.redis.ensure_running() if need_redis else ""
                self._needed |= {"PostgreSQL": self.postgres} if need_postgres else {}
                self._needed |= {"Redis": self.redis} if need_redis else {}
            except BaseException:
                self._leave()
                raise
        return database_url, redis_url

    def dead_server(self) -> str | None:
        for name, server in self._needed.items():
            if not server.is_running():
                return f"{name} ended. Its last words, from {server.log}:\n{server.last_words()}"
        return None

    def release(self) -> None:
        with processes.file_lock(self.base / _START_LOCK):
            self._leave()
        if self._throwaway:
            shutil.rmtree(self.base, ignore_errors=True)

    def _leave(self) -> None:
        """Give the share back and stop the servers if nobody has another."""
        users, self._users = self._users, None
        if users is None:
            return
        try:
            if processes.try_lock(users):
                self.postgres.stop()
                self.redis.stop()
        finally:
            os.close(users)


def ensure_running(*, purpose: Purpose) -> Services:
    """Return running services: those of DATABASE_URL and REDIS_URL when set, else our own.

    "run" is the developer's data, kept; "test" is a new pair of servers whose data is thrown away.
    Raises EmbeddedError, saying what to do, when a server cannot be had.
    """
    # A test session makes a database of its own; the named one need not be there.
    if purpose == "run":
        check_given_servers()
    database_url = os.environ.get("DATABASE_URL", "")
    redis_url = os.environ.get("REDIS_URL", "")
    data_dir = paths.data_dir()
    if purpose == "test":
        data_dir = _new_test_dir(data_dir)
    lease = _Lease(_servers_dir(data_dir), durable=purpose == "run", throwaway=purpose == "test")
    own_database, own_redis = lease.acquire(
        need_postgres=not database_url, need_redis=not redis_url
    )
    return Services(
        database_url=database_url or own_database,
        redis_url=redis_url or own_redis,
        data_dir=data_dir,
        lease=lease,
    )


def prepare() -> None:
    """Make the developer's data, so that the first start is quick; start nothing."""
    base = _servers_dir(paths.data_dir())
    with processes.file_lock(base / _START_LOCK):
        if not os.environ.get("DATABASE_URL"):
            PostgresServer(base / "postgres", durable=True).prepare()
        if not os.environ.get("REDIS_URL"):
            RedisServer(base / "redis", durable=True).prepare()


def _servers_dir(data_dir: Path) -> Path:
    """Return where the servers of this data folder live: inside it, if they can get there."""
    if paths.running_as_root() and not paths.reachable_by_others(data_dir / "postgres"):
        raise EmbeddedError(
            f"As root, PostgreSQL runs as another account, which cannot reach {data_dir}. Unset "
            f"{paths.DATA_DIR_VARIABLE}, or choose a folder that others may walk through."
        )
    return data_dir


def _new_test_dir(data_dir: Path) -> Path:
    """Return a new folder for a test session; sweep those whose session was killed."""
    mode = 0o711 if paths.running_as_root() else 0o700
    tests = paths.make_dir(data_dir / "tests", mode=mode)
    with processes.file_lock(tests / "sweep.lock"):
        for old in tests.iterdir():
            if old.is_dir():
                _sweep(old)
        fresh = paths.make_dir(tests / f"{os.getpid()}-{secrets.token_hex(3)}", mode=mode)
        paths.write_private(fresh / "owner", str(os.getpid()))
    return fresh


def _sweep(directory: Path) -> None:
    """Remove a test session's folder, with its servers, when the session is over."""
    with contextlib.suppress(OSError, ValueError):
        owner = int((directory / "owner").read_text(encoding="utf-8"))
        users = processes.open_lock(directory / _USERS_LOCK)
        try:
            # The session may not have its lock yet; then its process is young and alive.
            if not processes.try_lock(users) or processes.is_alive(owner):
                return
        finally:
            os.close(users)
    PostgresServer(directory / "postgres", durable=False).stop()
    RedisServer(directory / "redis", durable=False).stop()
    shutil.rmtree(directory, ignore_errors=True)


def discard() -> None:
    """Throw the developer's data away; raise EmbeddedError while somebody uses it."""
    data_dir = paths.data_dir()
    with processes.file_lock(data_dir / _START_LOCK):
        users = processes.open_lock(data_dir / _USERS_LOCK)
        try:
            if not processes.try_lock(users):
                raise EmbeddedError("The services are in use. Stop `make run` first.")
            PostgresServer(data_dir / "postgres", durable=True).stop()
            RedisServer(data_dir / "redis", durable=True).stop()
            for entry in data_dir.iterdir():
                if entry.name in _KEPT:
                    continue
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        finally:
            os.close(users)


def print_addresses() -> None:
    """Print the addresses of the developer's servers; raise EmbeddedError when none runs."""
    base = _servers_dir(paths.data_dir())
    database_url = PostgresServer(base / "postgres", durable=True).address()
    redis_url = RedisServer(base / "redis", durable=True).address()
    if database_url is None and redis_url is None:
        raise EmbeddedError("The services are not running.")
    print(f"DATABASE_URL={database_url or ''}\nREDIS_URL={redis_url or ''}")
    product = running.environment_of_running(
        paths.data_dir(), database_url=os.environ.get("DATABASE_URL") or database_url or ""
    )
    for name, value in product.items():
        print(f"{name}={value}")


_COMMANDS = {"prepare": prepare, "addresses": print_addresses, "discard": discard}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m zhixin.embedded.services")
    parser.add_argument("command", choices=sorted(_COMMANDS))
    command = parser.parse_args(arguments).command
    try:
        _COMMANDS[command]()
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
