"""Servers of DATABASE_URL and REDIS_URL that cannot be used are told in one sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.embedded.conftest import processes_of
from zhixin.embedded import paths
from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.given import check_given_servers
from zhixin.embedded.processes import free_port

pytestmark = pytest.mark.usefixtures("own_environment")
# The test session's own servers, before a test's environment forgets them.
_DATABASE_URL = os.environ.get("DATABASE_URL", "")
_REDIS_URL = os.environ.get("REDIS_URL", "")
_SUPERVISOR = ("-m", "zhixin.embedded.supervisor", "--port")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=paths.PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_servers_that_answer_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", _DATABASE_URL)
    monkeypatch.setenv("REDIS_URL", _REDIS_URL)
    check_given_servers()


@pytest.mark.parametrize("redis_too", [True, False])
def test_a_command_says_that_the_database_server_is_away(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, *, redis_too: bool
) -> None:
    port = free_port()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:hidden@127.0.0.1:{port}/mine")
    if redis_too:
        monkeypatch.setenv("REDIS_URL", _REDIS_URL)
    result = _run("manage.py", "showmigrations")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"The PostgreSQL database mine of DATABASE_URL at 127.0.0.1, port {port}, cannot be used "
        f'(connection to server at "127.0.0.1", port {port} failed: Connection refused): start '
        "that server, make the database or correct DATABASE_URL, or unset it to use the project's "
        "own PostgreSQL.\n"
    )
    assert processes_of(data_dir) == []


def test_a_run_says_that_the_database_is_not_there(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", _DATABASE_URL.rsplit("/", 1)[0] + "/nobody_made_it")
    monkeypatch.setenv("REDIS_URL", _REDIS_URL)
    result = _run(*_SUPERVISOR, str(free_port()))
    assert result.returncode == 1
    assert result.stderr == ""
    first, empty, sentence, last = result.stdout.splitlines()
    assert (first, empty, last) == (
        "· Using the servers of DATABASE_URL and REDIS_URL",
        "",
        "Stopping.",
    )
    assert sentence.startswith("The PostgreSQL database nobody_made_it of DATABASE_URL at ")
    assert 'database "nobody_made_it" does not exist): start that server, make the ' in sentence
    assert processes_of(data_dir) == []


def test_a_run_says_that_redis_is_away(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://:hidden@127.0.0.1:{port}/2")
    result = _run(*_SUPERVISOR, str(free_port()))
    assert result.returncode == 1
    assert result.stdout == (
        "· Using the server of REDIS_URL, starting PostgreSQL\n\n"
        f"The Redis database 2 of REDIS_URL at 127.0.0.1, port {port}, cannot be used "
        f"(Error {errno.ECONNREFUSED} connecting to 127.0.0.1:{port}. Connection refused): "
        "start that server or correct REDIS_URL, or unset it to use the project's own "
        "Redis.\nStopping.\n"
    )
    assert processes_of(data_dir) == []


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
@pytest.mark.parametrize(
    "rest", ["//me:hid/den@127.0.0.1:1/0", "//me:12/hidden@127.0.0.1/0", "//[hidden", "hidden"]
)
def test_an_address_that_cannot_be_read_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, rest: str
) -> None:
    scheme = "postgresql" if name == "DATABASE_URL" else "redis"
    monkeypatch.setenv(name, f"{scheme}:{rest}")
    with pytest.raises(EmbeddedError, match=f"^{name} cannot be read: write it as ") as raised:
        check_given_servers()
    assert "hid" not in str(raised.value)
    assert "den" not in str(raised.value)
