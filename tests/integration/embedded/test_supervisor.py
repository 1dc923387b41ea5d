"""`make run` ends with everything it started, recovers from what it could not end, and says why."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.embedded.conftest import processes_of
from zhixin.embedded import paths, running
from zhixin.embedded.postgres import PostgresServer
from zhixin.embedded.processes import free_port, wait_until

_TOY = Path(__file__).with_name("toy_supervisor.py")
_SECONDS = 60.0
Start = Callable[..., "Run"]


class Run:
    """A running supervisor and what it has said so far."""

    def __init__(self, port: int, options: tuple[str, ...], log: Path) -> None:
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(_TOY), str(port), *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def words(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def says(self, text: str) -> bool:
        return wait_until(
            lambda: text in self.words or self.process.poll() is not None, seconds=_SECONDS
        ) and (text in self.words)

    def ends(self) -> int:
        return self.process.wait(timeout=_SECONDS)


@pytest.fixture
def start(own_environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def start_one(*options: str, port: int | None = None) -> Run:
        log = tmp_path / f"run-{len(runs)}.log"
        runs.append(Run(port or free_port(), options, log))
        return runs[-1]

    yield start_one
    for run in runs:
        with contextlib.suppress(ProcessLookupError):
            run.process.kill()
        run.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(data_dir: Path, start: Start, number: signal.Signals) -> None:
    run = start()
    assert run.says(f"runs at http://127.0.0.1:{run.port}"), run.words
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/healthz") as response:
        assert response.status == 200
    run.process.send_signal(number)
    assert run.ends() == 0
    assert processes_of(data_dir) == []
    assert not (data_dir / "run.json").exists()


def test_a_second_start_keeps_the_data_and_does_not_seed_again(
    data_dir: Path, start: Start
) -> None:
    for number in ("1", "2"):
        run = start()
        assert run.says("runs at"), run.words
        run.process.send_signal(signal.SIGINT)
        assert run.ends() == 0
        assert (data_dir / "starts").read_text() == number
    assert (data_dir / "seeds").read_text() == "seeded "


def test_a_stubborn_part_and_its_children_are_killed(data_dir: Path, start: Start) -> None:
    run = start("--part-that-is-stubborn")
    assert run.says("stubborn and ready"), run.words
    assert run.says("runs at"), run.words
    run.process.send_signal(signal.SIGINT)
    # A second Ctrl-C does not wait for it.
    assert run.says("Stopping."), run.words
    run.process.send_signal(signal.SIGINT)
    assert run.ends() == 0
    assert processes_of(data_dir) == []


def test_a_part_that_dies_is_reported_and_everything_ends(data_dir: Path, start: Start) -> None:
    run = start("--part-that-dies")
    assert run.ends() == 1
    assert "The worker process ended (exit code 7). Its last lines:\n  out of ink" in run.words
    assert processes_of(data_dir) == []


def test_a_server_that_dies_is_reported_and_everything_ends(data_dir: Path, start: Start) -> None:
    run = start()
    assert run.says("runs at"), run.words
    postmaster = data_dir / "postgres" / "cluster" / "postmaster.pid"
    os.kill(int(postmaster.read_text().splitlines()[0]), signal.SIGKILL)
    assert run.ends() == 1
    assert f"PostgreSQL ended. Its last words, from {data_dir}/postgres/server.log:" in run.words
    assert processes_of(data_dir) == []


def test_a_step_that_fails_is_reported_and_everything_ends(data_dir: Path, start: Start) -> None:
    run = start("--step-that-fails")
    assert run.ends() == 1
    assert "Failing failed" in run.words
    assert "the table is in the way" in run.words
    assert processes_of(data_dir) == []


def test_stopping_in_the_middle_of_a_step_leaves_nothing(data_dir: Path, start: Start) -> None:
    run = start("--step-that-hangs")
    assert run.says("Hanging"), run.words
    run.process.send_signal(signal.SIGINT)
    assert run.ends() == 0
    assert processes_of(data_dir) == []


def test_a_killed_supervisor_is_cleaned_up_by_the_next(data_dir: Path, start: Start) -> None:
    killed = start()
    assert killed.says("runs at"), killed.words
    killed.process.kill()
    killed.ends()
    assert processes_of(data_dir) != []

    # On the same port, which the web server that was left behind still holds.
    run = start(port=killed.port)
    assert run.says("runs at"), run.words
    assert "Ending what an earlier run left behind" in run.words
    assert (data_dir / "starts").read_text() == "2"
    run.process.send_signal(signal.SIGINT)
    assert run.ends() == 0
    assert processes_of(data_dir) == []


def test_a_second_run_says_that_one_is_running(start: Start) -> None:
    first = start()
    assert first.says("runs at"), first.words
    second = start()
    assert second.ends() == 1
    assert second.words == (
        f"Zhixin is already running at http://127.0.0.1:{first.port} "
        f"(process {first.process.pid}). Stop it there first.\n"
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{first.port}/healthz") as response:
        assert response.status == 200


def test_a_taken_port_is_named_with_who_has_it(data_dir: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = start(port=port)
        assert run.ends() == 1
    assert f"Port {port} is taken by " in run.words
    assert f"make run PORT={port + 1}" in run.words
    assert processes_of(data_dir) == []


def settings_by_hand(**given: str) -> str:
    """Return the bank's address that a command by hand is given."""
    code = "from django.conf import settings; print(settings.BANK_GATEWAY_URL)"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "zhixin.settings.local"} | given
    result = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", code],
        cwd=paths.PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_a_command_by_hand_finds_the_bank_of_the_run(data_dir: Path, start: Start) -> None:
    nobody = "http://127.0.0.1:8010/gateway.do"
    first = start()
    assert first.says("runs at"), first.words
    assert settings_by_hand() == f"http://127.0.0.1:{first.port}/gateway.do"
    # What the terminal says goes first; and a bank is joined only together with its database.
    assert settings_by_hand(BANK_GATEWAY_URL="http://127.0.0.1:9/") == "http://127.0.0.1:9/"
    told = running.environment_of_running(data_dir, database_url="postgresql://another/one")
    assert told == {}
    database_url = PostgresServer(data_dir / "postgres", durable=True).address() or ""
    assert running.environment_of_running(data_dir, database_url=database_url) != {}

    # The file of a run that was killed is there, and not believed.
    first.process.kill()
    first.ends()
    assert (data_dir / "run.json").exists()
    assert running.environment_of_running(data_dir, database_url=database_url) == {}
    assert settings_by_hand() == nobody

    again = start(port=free_port())
    assert again.says("runs at"), again.words
    assert settings_by_hand() == f"http://127.0.0.1:{again.port}/gateway.do"
    again.process.send_signal(signal.SIGINT)
    assert again.ends() == 0
    assert not (data_dir / "run.json").exists()


def test_looking_for_a_run_keeps_none_from_starting(
    data_dir: Path, own_environment: dict[str, str]
) -> None:
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            running.environment_of_running(data_dir, database_url="")

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(50):
            lock, _was_killed = running.claim(data_dir, url="http://127.0.0.1:8000")
            os.close(lock)
    finally:
        done.set()
        for looker in lookers:
            looker.join()
