"""The whole product for the browser tests: real processes on free ports and a database of its own.

    sandbox bank  ←→  gunicorn, Celery worker  ←→  PostgreSQL (own database), Redis (own number)

Everything is the product as it ships, with `zhixin.settings.test`; only beat is left out, so that
the story decides when a day ends.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg2

from zhixin.embedded import processes
from zhixin.embedded.product import Part, product_on
from zhixin.embedded.redis import claimed_number

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 40
SHOWN_LINES = 40
# Beat would close days behind the story's back.
LEFT_OUT = "beat"
# From the other end than the workers of pytest-xdist.
REDIS_NUMBERS = range(15, 0, -1)
CLAIM = "zhixin-browser-tests"
T = TypeVar("T")


def eventually(look: Callable[[], T], *, what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Return what `look` returns as soon as it is truthy; fail, saying what was awaited."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"It did not happen in {seconds} s: {what}"
        time.sleep(0.05)
    return seen


@dataclass
class Servers:
    """The running product. `url` has no slash at its end."""

    url: str
    database_url: str
    environment: dict[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, part: Part) -> None:
        """Start a process in a group of its own; what it says goes into its log."""
        with (self.logs / f"{part.name}.log").open("ab") as log:
            self.processes[part.name] = subprocess.Popen(
                [sys.executable, *part.arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End every process, last started first; kill what does not go."""
        for process in reversed(self.processes.values()):
            _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        for process in reversed(self.processes.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(deadline - time.monotonic(), 0.1))
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a management command as an operator does; return what it printed."""
        return self.run("manage.py", *arguments, **environment)

    def let_it_become_late(self, loan: str, *, days: int) -> None:
        """Let nights pass until the loan's first installment is `days` days late."""
        last_day_in_time = self.one(
            """
            SELECT min(payable_through) FROM loans_installment AS installment
            JOIN loans_loan AS loan ON loan.id = installment.loan_id WHERE loan.public_id = %s
            """,
            loan,
        )
        late = last_day_in_time + datetime.timedelta(days=days)
        self.manage("close_day", "--through", late.isoformat())

    def run(self, *arguments: str, **environment: str) -> str:
        """Run Python with the servers' environment to its end; return what it printed."""
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        command = " ".join(arguments)
        assert result.returncode == 0, f"{command} failed:\n{result.stdout}{result.stderr}"
        return result.stdout

    def close_days(self, count: int) -> None:
        """Let `count` nights pass."""
        self.manage("close_day", "--days", str(count))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the product's database."""
        with (
            contextlib.closing(psycopg2.connect(self.database_url)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query, values)
            return cursor.fetchall()

    def one(self, query: str, *values: object) -> Any:
        """Return the single value of a query."""
        [(value,)] = self.rows(query, *values)
        return value

    def check_alive(self) -> None:
        """Fail when a process has ended, with its last words."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise AssertionError(f"The {name} process ended.\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of every log."""
        parts = []
        for log in sorted(self.logs.glob("*.log")):
            words = processes.tail(log, lines=SHOWN_LINES)
            if words:
                parts.append(f"--- {log.stem} ---\n{words}")
        return "\n".join(parts) or "(the servers said nothing)"

    def answers(self, path: str = "/healthz") -> bool:
        """Tell whether the web server answers with 200."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


@contextlib.contextmanager
def own_database(server_url: str) -> Iterator[str]:
    """Make a database on the server of `server_url`; drop it at the end."""
    name = f"zhixin_browser_{os.getpid()}"

    def order(sql: str) -> None:
        connection = psycopg2.connect(server_url)
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(sql)

    order(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    order(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        order(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def own_redis(server_url: str) -> Iterator[str]:
    """Claim an empty numbered database of the Redis server; empty it again at the end."""
    with claimed_number(server_url, REDIS_NUMBERS, claimant=CLAIM) as url:
        yield url


@contextlib.contextmanager
def running_servers(data_dir: Path, *, database_url: str, redis_url: str) -> Iterator[Servers]:
    """Run the whole product on `data_dir`; everything has ended when this is left."""
    port = processes.free_port()
    url = f"http://{processes.LOOPBACK}:{port}"
    product = product_on(url=url, bind=f"{processes.LOOPBACK}:{port}", data_dir=data_dir)
    logs = data_dir / "logs"
    logs.mkdir(parents=True)
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "ZHIXIN_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "zhixin.settings.test",
        "SITE_URL": url,
        "PYTHONUNBUFFERED": "1",
        **product.environment,
    }
    servers = Servers(url, database_url, dict(environment), logs)
    try:
        for part in product.outside:
            servers.start(part)
        # The bank makes the keys that the settings read.
        key = data_dir / "bank" / "lender_private.pem"
        eventually(lambda: _while_alive(servers, key.is_file), what="the bank's keys")
        servers.manage("prepare_database")
        for part in product.parts:
            if part.name != LEFT_OUT:
                servers.start(Part(part.name, _without_reload(part.arguments)))
        eventually(lambda: _while_alive(servers, servers.answers), what="the web server answers")
        yield servers
    finally:
        servers.stop()


def _while_alive(servers: Servers, look: Callable[[], T]) -> T:
    servers.check_alive()
    return look()


def _without_reload(arguments: Sequence[str]) -> list[str]:
    return [argument for argument in arguments if argument != "--reload"]
