"""`make run`: the whole product on one machine, until Ctrl-C.

Starts PostgreSQL and Redis (unless their addresses are given), the sandbox bank, migrates, seeds
the demo data once, starts web, worker and beat, and prints the address and the demo sign-ins. It
ends with everything that it started: on Ctrl-C, on a signal, or when a part dies.

    python -m zhixin.embedded.supervisor --port 8000
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TypeAlias

import psutil
import psycopg2

from zhixin.embedded import paths, processes, running
from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.product import Part, Product, Step, product_on
from zhixin.embedded.services import Services, ensure_running

DEFAULT_PORT = 8000
# Marks the processes of a supervisor, so that the next one finds what a killed one left.
_MARK = "ZHIXIN_SUPERVISED_DATA_DIR"
_READY_SECONDS = 120.0
_GRACE_SECONDS = 8.0
_SERVER_LOOK_SECONDS = 2.0
_LAST_LINES = 15
_COLORS = ("33", "36", "35", "34", "32")
MakeProduct: TypeAlias = Callable[..., Product]


class _StoppedError(Exception):
    """Somebody asked the supervisor to end."""


@dataclass(slots=True)
class _Child:
    """A process of the product, with its last lines."""

    name: str
    process: subprocess.Popen[str]
    color: str
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    reader: threading.Thread | None = None
    # While everything ends, good-byes are not worth a line.
    muted: bool = False


class Supervisor:
    """Runs the product that `make_product` describes on `host`:`port`."""

    def __init__(self, *, host: str, port: int, make_product: MakeProduct = product_on) -> None:
        self.host = host
        self.port = port
        self.data_dir = paths.data_dir()
        self._product = make_product(url=self.url, bind=f"{host}:{port}", data_dir=self.data_dir)
        self._environment: dict[str, str] = {}
        self._children: list[_Child] = []
        self._services: Services | None = None
        self._stop = threading.Event()
        self._lock: int | None = None
        self._run_file = self.data_dir / running.RUN_FILE

    @property
    def url(self) -> str:
        """Return the address to open in a browser."""
        shown = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared.
        return f"http://{shown}:{self.port}"

    def run(self) -> int:
        """Run until asked to stop; return the exit code."""
        started = time.monotonic()
        self._listen_to_signals()
        self._claim()
        try:
            self._start_everything()
            self._greet(time.monotonic() - started)
            self._watch()
        except _StoppedError:
            _say("\nStopping.")
        except EmbeddedError as error:
            _say(f"\n{error}\nStopping.")
            return 1
        finally:
            self._end_everything()
        return 0

    # --- One supervisor at a time -------------------------------------------------------------

    def _claim(self) -> None:
        """Become the project's only supervisor, and end what a killed one left behind."""
        self._lock, was_killed = running.claim(self.data_dir, url=self.url)
        if was_killed:
            _end_leftovers(self.data_dir)
        if not processes.port_is_free(self.host, self.port):
            self._run_file.unlink(missing_ok=True)
            holder = processes.listener_on(self.port)
            by = f" by {holder}" if holder else ""
            raise EmbeddedError(
                f"Port {self.port} is taken{by}. Free it, or choose another: "
                f"make run PORT={self.port + 1}"
            )

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    # --- Starting -----------------------------------------------------------------------------

    def _start_everything(self) -> None:
        _say(f"· {_where_servers_come_from()}")
        self._services = ensure_running(purpose="run")
        self._environment = self._environment_on(self._services)
        for part in self._product.outside:
            self._start(part)
        # Commands by hand find the bank from here on.
        running.announce(
            self.data_dir,
            url=self.url,
            environment=self._product.environment,
            database_url=self._environment["DATABASE_URL"],
        )
        for step in self._product.steps:
            if step.once:
                self._run_once(step)
            else:
                self._run_step(step)
        _say(f"· Starting {', '.join(part.name for part in self._product.parts)}")
        for part in self._product.parts:
            self._start(part)
        self._wait_until_ready()

    def _environment_on(self, services: Services) -> dict[str, str]:
        environment = os.environ | services.as_environment() | self._product.environment
        environment.setdefault("DJANGO_SETTINGS_MODULE", "zhixin.settings.local")
        environment |= {_MARK: str(self.data_dir), "PYTHONUNBUFFERED": "1"}
        return environment

    def _run_once(self, step: Step) -> None:
        """Run the step unless it came to its end on this very database before."""
        done = self.data_dir / "demo-data-done"
        database = _identity_of(self._environment["DATABASE_URL"])
        if done.is_file() and done.read_text(encoding="utf-8") == database:
            return
        self._run_step(step)
        paths.write_private(done, database)

    def _run_step(self, step: Step) -> None:
        """Run a command to its end; raise EmbeddedError with its last words when it fails."""
        self._check_stop()
        _say(f"· {step.title}")
        log = self.data_dir / "last-step.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, *step.arguments],
                cwd=paths.PROJECT_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                # Progress bars are drawn on stderr: worth seeing when the step is a long one.
                stderr=None if step.once else output,
                start_new_session=True,
            )
        try:
            while process.poll() is None:
                self._check_stop()
                self._check_children()
                time.sleep(0.05)
        finally:
            if process.poll() is None:
                _end_group(process.pid, grace_seconds=_GRACE_SECONDS)
            process.wait()
        if process.returncode:
            # What a shown step had to say stands above already.
            words = processes.tail(log, lines=_LAST_LINES)
            command = " ".join(step.arguments)
            raise EmbeddedError(f"{step.title} failed ({command}).\n{words}".rstrip())

    def _start(self, part: Part) -> None:
        self._check_stop()
        process = subprocess.Popen(
            [sys.executable, *part.arguments],
            cwd=paths.PROJECT_DIR,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C reaches only the supervisor, which ends its children in order.
            start_new_session=True,
        )
        child = _Child(part.name, process, _COLORS[len(self._children) % len(_COLORS)])
        self._children.append(child)
        child.reader = threading.Thread(target=_relay, args=(child,), daemon=True)
        child.reader.start()

    def _wait_until_ready(self) -> None:
        health = f"{self.url}{self._product.health_path}"
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(health):
            self._check_stop()
            self._check_children()
            if time.monotonic() > deadline:
                raise EmbeddedError(f"The web server does not answer at {health}.")
            time.sleep(0.1)

    def _greet(self, seconds: float) -> None:
        _say(f"\nZhixin 智信 runs at {self.url}   (ready in {seconds:.1f} s)")
        accounts = self.data_dir / "demo-accounts.txt"
        if accounts.is_file():
            _say("\n" + accounts.read_text(encoding="utf-8").rstrip())
        _say("\nCtrl-C stops everything.\n")

    # --- Watching and ending ------------------------------------------------------------------

    def _watch(self) -> None:
        next_look = 0.0
        while True:
            self._check_stop()
            self._check_children()
            if time.monotonic() >= next_look:
                self._check_servers()
                next_look = time.monotonic() + _SERVER_LOOK_SECONDS
            self._stop.wait(0.2)

    def _check_servers(self) -> None:
        dead = self._services.dead_server() if self._services is not None else None
        if dead is not None:
            raise EmbeddedError(dead)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _check_children(self) -> None:
        for child in self._children:
            code = child.process.poll()
            if code is None:
                continue
            if child.reader is not None:
                child.reader.join(timeout=1)
            words = "\n".join(f"  {line}" for line in child.last_lines) or "  (it said nothing)"
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise EmbeddedError(f"The {child.name} process ended ({how}). Its last lines:\n{words}")

    def _end_everything(self) -> None:
        """End the children, last started first, then the servers; a second Ctrl-C hurries."""
        self._stop.clear()
        for child in reversed(self._children):
            child.muted = True
            _signal_group(child.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for child in reversed(self._children):
            while child.process.poll() is None and time.monotonic() < deadline:
                if self._stop.wait(0.02):
                    deadline = 0
            _end_group(child.process.pid, grace_seconds=0)
            child.process.wait()
        if self._services is not None:
            self._services.release()
        self._run_file.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)


def _where_servers_come_from() -> str:
    own_by_variable = {"DATABASE_URL": "PostgreSQL", "REDIS_URL": "Redis"}
    given = [name for name in own_by_variable if os.environ.get(name)]
    own = [server for name, server in own_by_variable.items() if name not in given]
    if not own:
        return "Using the servers of DATABASE_URL and REDIS_URL"
    using = f"Using the server of {given[0]}, starting" if given else "Starting"
    return f"{using} {' and '.join(own)}"


def _relay(child: _Child) -> None:
    """Show the child's lines under its name."""
    stream: IO[str] | None = child.process.stdout
    for line in stream or ():
        text = line.rstrip()
        child.last_lines.append(text)
        if not child.muted:
            _say(f"{_prefix(child)} {text}")


def _prefix(child: _Child) -> str:
    label = f"{child.name:>6} │"
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return label
    return f"\033[{child.color}m{label}\033[0m"


def _say(text: str) -> None:
    # The terminal may be gone: that is no reason to leave processes behind.
    with suppress(OSError, ValueError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own address.
            return bool(response.status == 200)  # noqa: PLR2004 - HTTP's OK.
    except (urllib.error.URLError, OSError):
        return False


def _identity_of(database_url: str) -> str:
    """Return what tells this database from any other, before or after it at the same address."""
    try:
        with closing(psycopg2.connect(database_url, connect_timeout=10)) as connection:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid "
                "FROM pg_database WHERE datname = current_database()"
            )
            row = cursor.fetchone()
    except psycopg2.Error as error:
        raise EmbeddedError(f"The database does not answer: {error}") from error
    return str(row[0]) if row else ""


def _signal_group(leader: int, number: signal.Signals) -> bool:
    """Signal the leader's whole group; False when nobody is left in it."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _end_group(leader: int, *, grace_seconds: float) -> None:
    if not _signal_group(leader, signal.SIGTERM):
        return
    if not processes.wait_until(lambda: not processes.is_alive(leader), seconds=grace_seconds):
        _signal_group(leader, signal.SIGKILL)
    # The leader's own children may be slower than it.
    _signal_group(leader, signal.SIGKILL)


def _end_leftovers(data_dir: Path) -> None:
    """End the processes that a killed supervisor left; they carry its mark."""
    leftovers = [process for process in psutil.process_iter() if _is_marked(process, data_dir)]
    if not leftovers:
        return
    _say("· Ending what an earlier run left behind")
    for process in leftovers:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(leftovers, timeout=_GRACE_SECONDS)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def _is_marked(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return process.environ().get(_MARK) == str(data_dir)
    except (psutil.Error, OSError):
        return False


def main(arguments: list[str] | None = None) -> int:
    """Run the supervisor from the command line."""
    parser = argparse.ArgumentParser(prog="python -m zhixin.embedded.supervisor")
    parser.add_argument("--host", default=os.environ.get("HOST") or processes.LOOPBACK)
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or DEFAULT_PORT)
    options = parser.parse_args(arguments)
    try:
        return Supervisor(host=options.host, port=options.port).run()
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
