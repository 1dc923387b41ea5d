"""PostgreSQL and Redis of the project's own: kept, joined, shared, and recovered."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from tests.integration.embedded.conftest import processes_of
from zhixin.embedded import processes, services
from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.postgres import PostgresServer
from zhixin.embedded.redis import RedisServer

pytestmark = pytest.mark.usefixtures("own_environment")
# The test session's own servers, before a test's environment forgets them.
_SESSION = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}


def _execute(url: str, statement: str) -> object:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def _postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres/cluster/postmaster.pid").read_text().splitlines()[0])


def test_data_survives_a_stop_and_a_start(data_dir: Path) -> None:
    with services.ensure_running(purpose="run") as first:
        _execute(first.database_url, "CREATE TABLE kept AS SELECT 41 + 1 AS answer")
        redis.Redis.from_url(first.redis_url).set("kept", "还不上")
    assert processes_of(data_dir) == []

    with services.ensure_running(purpose="run") as second:
        assert _execute(second.database_url, "SELECT answer FROM kept") == 42
        with closing(redis.Redis.from_url(second.redis_url)) as client:
            assert client.get("kept") == "还不上".encode()


def test_the_second_user_joins_and_the_last_one_stops(data_dir: Path) -> None:
    first = services.ensure_running(purpose="run")
    second = services.ensure_running(purpose="run")
    assert second.database_url == first.database_url
    assert second.redis_url == first.redis_url

    first.release()
    assert _execute(second.database_url, "SELECT 1") == 1
    second.release()
    assert processes_of(data_dir) == []


def test_the_servers_ask_for_a_password() -> None:
    with services.ensure_running(purpose="run") as running:
        address = urlsplit(running.database_url)
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(f"postgresql://zhixin@127.0.0.1:{address.port}/zhixin")
        port = urlsplit(running.redis_url).port
        with pytest.raises(redis.AuthenticationError), closing(redis.Redis(port=port)) as client:
            client.ping()


def test_two_commands_at_once_get_the_same_servers(data_dir: Path) -> None:
    script = (
        "import time; from zhixin.embedded.services import ensure_running\n"
        "with ensure_running(purpose='run') as running:\n"
        "    print(running.database_url, running.redis_url, flush=True); time.sleep(2)"
    )

    def start(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    with ThreadPoolExecutor(max_workers=3) as pool:
        addresses = set(pool.map(start, range(3)))
    assert len(addresses) == 1
    assert processes_of(data_dir) == []


def test_a_killed_user_leaves_servers_that_the_next_one_joins_and_stops(data_dir: Path) -> None:
    script = (
        "import os, signal; from zhixin.embedded.services import ensure_running\n"
        "print(ensure_running(purpose='run').database_url, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    left_behind = killed.stdout.strip()
    assert _execute(left_behind, "SELECT 1") == 1

    with services.ensure_running(purpose="run") as running:
        assert running.database_url == left_behind
    assert processes_of(data_dir) == []


def test_killed_servers_come_back_with_what_was_committed(data_dir: Path) -> None:
    with services.ensure_running(purpose="run") as running:
        _execute(running.database_url, "CREATE TABLE kept AS SELECT 7 AS answer")
        for process in processes_of(data_dir):
            if process.pid == _postmaster_pid(data_dir) or "redis" in process.name():
                process.kill()
        with services.ensure_running(purpose="run") as again:
            assert again.database_url != running.database_url
            assert _execute(again.database_url, "SELECT answer FROM kept") == 7
            with closing(redis.Redis.from_url(again.redis_url)) as client:
                assert client.ping()


def test_a_pid_that_is_another_programs_after_a_restart_is_not_believed(data_dir: Path) -> None:
    services.ensure_running(purpose="run").release()
    postgres = data_dir / "postgres" / "cluster" / "postmaster.pid"
    postgres.write_text(f"{os.getpid()}\n{postgres.parent}\n1\n5432\n\n127.0.0.1\n\nready\n")
    state = data_dir / "redis" / "server.json"
    state.write_text(f'{{"pid": {os.getpid()}, "port": 6379, "password": "old"}}')

    with services.ensure_running(purpose="run") as running:
        assert _execute(running.database_url, "SELECT 1") == 1
        with closing(redis.Redis.from_url(running.redis_url)) as client:
            assert client.ping()


def test_a_half_made_database_is_made_anew(data_dir: Path) -> None:
    half_made = data_dir / "postgres" / "cluster.new-dead"
    half_made.mkdir(parents=True)
    (data_dir / "postgres").chmod(0o711)
    (half_made / "PG_VERSION").write_text("18\n")

    with services.ensure_running(purpose="run") as running:
        assert _execute(running.database_url, "SELECT 1") == 1
    assert not half_made.exists()


def test_data_of_another_version_is_refused_and_left_alone(data_dir: Path) -> None:
    services.ensure_running(purpose="run").release()
    version = data_dir / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 9; the installed one is 18"):
        services.ensure_running(purpose="run")
    assert version.read_text() == "9\n"
    assert processes_of(data_dir) == []


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    server = PostgresServer(data_dir / "postgres", durable=False)
    server.prepare()
    configuration = server.cluster / "postgresql.conf"
    configuration.write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        server.ensure_running()


def test_given_addresses_are_used_and_nothing_is_started(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, address in _SESSION.items():
        monkeypatch.setenv(name, address)
    with services.ensure_running(purpose="run") as running:
        assert running.database_url == _SESSION["DATABASE_URL"]
        assert running.redis_url == _SESSION["REDIS_URL"]
        assert processes_of(data_dir) == []


def test_each_test_session_has_its_own_and_leaves_nothing(data_dir: Path) -> None:
    first = services.ensure_running(purpose="test")
    second = services.ensure_running(purpose="test")
    assert first.database_url != second.database_url
    assert first.data_dir != second.data_dir
    first.release()
    second.release()
    assert [path.name for path in (data_dir / "tests").iterdir()] == ["sweep.lock"]
    assert processes_of(data_dir) == []


def test_a_killed_test_session_is_swept_by_the_next(data_dir: Path) -> None:
    script = (
        "import os, signal; from zhixin.embedded.services import ensure_running\n"
        "ensure_running(purpose='test'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert len(list((data_dir / "tests").glob("*-*"))) == 1
    assert processes_of(data_dir) != []

    services.ensure_running(purpose="test").release()
    assert list((data_dir / "tests").glob("*-*")) == []
    assert processes_of(data_dir) == []


def test_a_very_long_path_works(data_dir: Path) -> None:
    # Longer than what a socket's path may be.
    deep = data_dir / ("很长的路径 " * 12).strip() / ("x" * 60)
    deep.mkdir(parents=True)
    server = PostgresServer(deep / "postgres", durable=False)
    try:
        assert _execute(server.ensure_running(), "SELECT 1") == 1
    finally:
        server.stop()


def test_a_system_redis_that_is_new_enough_is_preferred(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=7.2.4 sha=0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    server = RedisServer(data_dir / "redis", durable=False)
    # It is no server, so it ends at once; the folder tells that it was chosen.
    with pytest.raises(EmbeddedError, match="Redis did not start"):
        server.ensure_running()
    assert (data_dir / "redis" / "data-7").is_dir()


def test_the_command_line_prints_the_addresses_of_running_servers(data_dir: Path) -> None:
    command = [sys.executable, "-m", "zhixin.embedded.services"]
    result = subprocess.run([*command, "addresses"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "The services are not running.\n")
    with services.ensure_running(purpose="run") as running:
        result = subprocess.run([*command, "addresses"], capture_output=True, text=True, check=True)
        assert result.stdout == (
            f"DATABASE_URL={running.database_url}\nREDIS_URL={running.redis_url}\n"
        )
        discard = subprocess.run([*command, "discard"], capture_output=True, text=True, check=False)
        assert discard.returncode == 1
        assert re.match("The services are in use", discard.stderr)
    subprocess.run([*command, "discard"], check=True)
    assert not (data_dir / "postgres").exists()


def test_a_port_tells_whether_it_is_free_and_who_has_it() -> None:
    port = processes.free_port()
    assert processes.port_is_free("127.0.0.1", port)
    with services.ensure_running(purpose="run") as running:
        taken = urlsplit(running.redis_url).port
        assert taken is not None
        assert not processes.port_is_free("127.0.0.1", taken)
        assert processes.listener_on(taken).startswith("redis-server (process ")
