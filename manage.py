#!/usr/bin/env python
"""Runs Django's commands; without DATABASE_URL on the project's own PostgreSQL and Redis.

A command joins the servers of a running `make run`, and its bank, or starts the servers and stops
them at its end.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

# These calculate, read files or explain; they start no server.
WITHOUT_SERVERS = frozenset(
    {
        "annualized_cost",
        "check",
        "collectstatic",
        "compilemessages",
        "decide",
        "diffsettings",
        "findstatic",
        "help",
        "makemessages",
        "makemigrations",
        "replay",
        "startapp",
        "version",
        "--help",
        "-h",
        "--version",
    }
)


def main() -> None:
    """Run the command of the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhixin.settings.local")
    arguments = sys.argv[1:]
    if os.environ["DJANGO_SETTINGS_MODULE"] == "zhixin.settings.production":
        _run()
    else:
        _run_on_own_servers(needed=_needs_servers(arguments))


def _needs_servers(arguments: list[str]) -> bool:
    if not arguments or arguments[0] in WITHOUT_SERVERS:
        return False
    return not {"--help", "-h", "--engine-only"} & set(arguments)


def _run_on_own_servers(*, needed: bool) -> None:
    from zhixin.embedded import (  # noqa: PLC0415 - production needs none.
        given,
        paths,
        running,
        services,
    )
    from zhixin.embedded.errors import EmbeddedError  # noqa: PLC0415 - see above.

    try:
        if not needed:
            os.environ[paths.DATA_DIR_VARIABLE] = str(paths.data_dir())
            _run()
            return
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            given.check_given_servers()
            os.environ[paths.DATA_DIR_VARIABLE] = str(paths.data_dir())
            running.join(paths.data_dir())
            _run()
            return
        # A terminated command stops its servers too.
        signal.signal(signal.SIGTERM, _exit_on_signal)
        with services.ensure_running(purpose="run") as servers:
            os.environ.update(servers.as_environment())
            running.join(servers.data_dir)
            _run()
    except EmbeddedError as error:
        sys.exit(f"{error}")


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _run() -> None:
    try:
        from django.core.management import (  # noqa: PLC0415 - told plainly when missing.
            execute_from_command_line,
        )
    except ImportError as error:
        sys.exit(f"Django cannot be imported ({error}). Run `make setup`, then .venv/bin/python.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
