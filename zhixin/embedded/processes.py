"""Processes, ports and locks: what the embedded services and the supervisor share."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.02
# Servers that this process started; kept so that their end can be collected.
_spawned: dict[int, subprocess.Popen[bytes]] = {}


def spawn_server(
    command: Sequence[str], *, cwd: Path, log: Path, account: tuple[int, int] | None = None
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, out of reach of the terminal's Ctrl-C.

    It outlives this process if nobody stops it. As root it runs as `account` (uid, gid) if given.
    """
    uid, gid = account or (None, None)
    with log.open("ab") as output:
        server = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=uid,
            group=gid,
            extra_groups=[] if account else None,
        )
    _spawned[server.pid] = server
    return server


@atexit.register
def _forget_ended() -> None:
    """Collect the servers that somebody else has ended; Python complains about them otherwise."""
    for pid, server in list(_spawned.items()):
        if server.poll() is not None:
            _spawned.pop(pid, None)


def free_port() -> int:
    """Return a TCP port of the loopback address that nothing listened on a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def listener_on(port: int) -> str:
    """Return who listens on the port, as "name (process 12)", or "" when that cannot be seen."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    for connection in connections:
        address = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address and address.port == port:
            return _describe(connection.pid)
    return ""


def _describe(pid: int | None) -> str:
    if pid is None:
        return ""
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"


def is_alive(pid: int) -> bool:
    """Tell whether the process runs; a zombie does not, and our own is collected."""
    server = _spawned.get(pid)
    if server is not None and server.poll() is not None:
        return False
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def command_of(pid: int) -> list[str]:
    """Return the process's command line, or [] when there is none to see."""
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Return True as soon as the condition holds, or False after that many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def stop_process(pid: int, *, with_signal: signal.Signals, grace_seconds: float) -> None:
    """Signal the process, wait for its end, and kill it when the grace is over."""
    for number, patience in ((with_signal, grace_seconds), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(lambda: not is_alive(pid), seconds=patience):
            return


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the exclusive lock on `path`; the system frees it when the process dies, however."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Return a descriptor to take a lock on; closing it gives the lock back."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock without waiting; False when somebody else holds it."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def tail(path: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, or "" when there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
