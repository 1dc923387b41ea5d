"""What `make run` runs: the commands of the product's parts, for the supervisor to start."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from zhixin.embedded import processes

BANK_NOTICE_PATH = "/bank/notices"


@dataclass(frozen=True, slots=True)
class Part:
    """A process that runs as long as the product; `arguments` follow the Python interpreter."""

    name: str
    arguments: list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """A command that runs to its end before the web starts."""

    title: str
    arguments: list[str]
    # Done once for each database, not at each start.
    once: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """The outside world, the steps, then the product's own parts, in the order of their start."""

    outside: list[Part]
    steps: list[Step]
    parts: list[Part]
    # Answers 200 when the product is up.
    health_path: str = "/healthz"
    environment: dict[str, str] = field(default_factory=dict)


def product_on(*, url: str, bind: str, data_dir: Path) -> Product:
    """Return Zhixin, listening on `bind` (host:port) and known to its bank as `url`.

    `FAULTS` in the environment is a port: there the sandbox bank takes orders for faults.
    """
    bank_port = int(os.environ.get("FAULTS") or processes.free_port())
    celery = ["-m", "celery", "--quiet", "--app", "zhixin.celery"]
    return Product(
        outside=[Part("bank", _bank(bank_port, data_dir=data_dir, url=url))],
        steps=[
            Step("Preparing the database", ["manage.py", "prepare_database"]),
            Step("Making the demo data", ["manage.py", "seed_demo"], once=True),
        ],
        parts=[
            Part("web", _web(bind)),
            Part("worker", [*_AS_ROOT_TOO, *celery, *_WORKER]),
            Part("beat", [*celery, *_beat(data_dir)]),
        ],
        environment={
            "BANK_GATEWAY_URL": f"http://{processes.LOOPBACK}:{bank_port}/gateway.do",
            "SITE_URL": url,
        },
    )


def _bank(port: int, *, data_dir: Path, url: str) -> list[str]:
    return [
        *("-m", "zhixin.sandbox.bank", "--port", str(port)),
        *("--data-dir", str(data_dir / "bank")),
        *("--notify-url", f"{url}{BANK_NOTICE_PATH}"),
        *(["--allow-faults"] if os.environ.get("FAULTS") else []),
    ]


def _web(bind: str) -> list[str]:
    return [
        *("-m", "gunicorn", "zhixin.wsgi", "--bind", bind, "--workers", "1", "--threads", "8"),
        *("--reload", "--log-level", "error", "--graceful-timeout", "3"),
        "--no-control-socket",
    ]


# Celery warns of root at length; on a developer's machine or in a container it is meant.
_AS_ROOT_TOO = ["-W", "ignore:You're running the worker with superuser"]
_WORKER = [
    *("worker", "--loglevel", "WARNING", "--concurrency", "2"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
]


def _beat(data_dir: Path) -> list[str]:
    schedule = str(data_dir / "celerybeat-schedule")
    return ["beat", "--loglevel", "WARNING", "--schedule", schedule, "--pidfile", ""]
