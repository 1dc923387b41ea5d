"""Real sandbox processes, a lender's endpoint, and the product's client between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from loans.adapters.bank import BankClient
from loans.adapters.bank_words import BankNoticeData, InvalidNoticeError
from zhixin.sandbox import clock
from zhixin.sandbox.keys import KeyFiles, ensure_keys
from zhixin.shared.signing import load_private_key, load_public_key

PROJECT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 40
T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """Return what `look` returns as soon as it is truthy; fail after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)
    return seen


@cache
def web() -> httpx.Client:
    """Return a plain client for controls and hand-made requests."""
    return httpx.Client(
        trust_env=False, timeout=5, limits=httpx.Limits(max_keepalive_connections=0)
    )


@dataclass
class Lender:
    """The lender's end of the notify URL: verifies each notice and answers as told."""

    client: Callable[[], BankClient]
    notices: list[BankNoticeData] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    url: str = ""
    busy: Callable[[], object] = lambda: None  # What it does before each answer.

    def receive(self, body: bytes) -> str:
        try:
            notice = self.client().parse_notice(body)
        except InvalidNoticeError as error:
            self.refused.append(str(error))
            return "failure"
        self.notices.append(notice)
        self.busy()
        return self.answers.pop(0) if self.answers else "success"


@dataclass
class SandboxProcess:
    """A sandbox in a process of its own."""

    module: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self, *, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, "--port", str(port), *self.arguments],
            cwd=PROJECT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " listens on http://" in line, line
        self.url = line.split()[-1]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """Kill it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def control(self, path: str, wish: dict[str, Any] | None = None) -> Any:
        address = f"{self.url}/control/{path}"
        reply = web().get(address) if wish is None else web().post(address, json=wish)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def fault(self, name: str, **details: Any) -> None:
        self.control("faults", {"fault": name, **details})


@dataclass
class World:
    """The bank, the lender's endpoint and the lender's client."""

    bank: SandboxProcess
    lender: Lender
    keys: KeyFiles
    data_dir: Path

    def client(self, **changes: Any) -> BankClient:
        values: dict[str, Any] = {
            "gateway_url": f"{self.bank.url}/gateway.do",
            "app_id": "zhixin",
            "lender_private_key": load_private_key(self.keys.lender_private),
            "bank_public_key": load_public_key(self.keys.bank_public),
            "seller_id": "2088102100000001",
            "timeout": httpx.Timeout(3),
            "now": clock.now,
        }
        return BankClient(**(values | changes))

    def book(self) -> Any:
        return self.bank.control("book")

    def order(self, client_reference: str) -> Any:
        orders = self.book()["orders"]
        return next(row for row in orders if row["client_reference"] == client_reference)


@contextmanager
def listening_lender() -> Iterator[Lender]:
    """Run a lender's endpoint on a free port."""
    lender = Lender(client=lambda: pytest.fail("The world is not complete."))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = lender.receive(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A bank that is killed hangs up in the middle of a word."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    lender.url = f"http://127.0.0.1:{server.server_port}/bank/notify"
    try:
        yield lender
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running_world(data_dir: Path, *, keys_dir: Path) -> Iterator[World]:
    """Run a bank on `data_dir` with the keys of `keys_dir`, and its lender."""
    data_dir.mkdir()
    for file in keys_dir.glob("*.pem"):
        (data_dir / file.name).write_bytes(file.read_bytes())
    with listening_lender() as lender:
        bank = SandboxProcess(
            "zhixin.sandbox.bank",
            [
                *("--data-dir", str(data_dir), "--notify-url", lender.url),
                *("--settle-delay", "0.03", "--retry-base", "0.05", "--allow-faults"),
            ],
        )
        world = World(bank, lender, ensure_keys(data_dir), data_dir)
        lender.client = world.client
        try:
            bank.start()
            yield world
        finally:
            bank.kill()
