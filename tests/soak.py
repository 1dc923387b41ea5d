"""`make soak`: many more random histories of a loan than a test run has time for.

Runs in batches, each with a seed of its own that is printed, so that a failure can be had again:
`make soak SEQUENCES=250 STORED=0 SEED=<seed>`.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

_BATCH = 250
_STORED_BATCH = 50
_STEPS = 20
_STORED_STEPS = 15


def main() -> int:
    """Run both machines; return 1 when a law failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--sequences", type=int, default=5000, help="histories in memory")
    parser.add_argument("--stored", type=int, default=500, help="histories in a database")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch; 0 draws one")
    options = parser.parse_args()
    seed = options.seed or secrets.randbelow(10**9) + 1
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhixin.settings.test")
    if options.sequences:
        from tests.unit.loans.engine.test_loan_machine import PureLoan  # noqa: PLC0415 - once the settings and servers stand.

        _soak("in memory", PureLoan, options.sequences, seed=seed)
    if options.stored:
        _on_a_scratch_database(lambda: _soak_stored(options.stored, seed))
    return 0


def _soak_stored(sequences: int, seed: int) -> None:
    from tests.integration.loans.servicing.test_loan_machine import (  # noqa: PLC0415 - once the settings and servers stand.
        StoredLoan,
    )

    _soak("in PostgreSQL", StoredLoan, sequences, seed=seed)


def _soak(where: str, machine: type[RuleBasedStateMachine], sequences: int, *, seed: int) -> None:
    stored = machine.__name__ == "StoredLoan"
    batch, steps = (_STORED_BATCH, _STORED_STEPS) if stored else (_BATCH, _STEPS)
    from hypothesis import HealthCheck, settings  # noqa: PLC0415 - once the settings and servers stand.
    from hypothesis import seed as seeded  # noqa: PLC0415 - once the settings and servers stand.
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - once the settings and servers stand.

    started, done = time.monotonic(), 0
    while done < sequences:
        size = min(batch, sequences - done)
        # A class of its own, so that the seed is this batch's.
        loan = type(machine.__name__, (machine,), {})
        chosen = settings(
            max_examples=size,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        _say(f"{where}: {done}/{sequences} sequences, seed {seed + done}")
        run_state_machine_as_test(seeded(seed + done)(loan), settings=chosen)
        done += size
    seconds = time.monotonic() - started
    _say(f"{where}: {done} sequences of {steps} steps at most in {seconds:.0f} s: every law holds")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _on_a_scratch_database(work: Callable[[], None]) -> None:
    """Run `work` on servers and in a database that are thrown away afterwards."""
    from zhixin.embedded.services import ensure_running  # noqa: PLC0415 - once the settings and servers stand.

    with ensure_running(purpose="test") as services:
        os.environ.update(services.as_environment())
        import django  # noqa: PLC0415 - reads the settings, which read the addresses above.

        django.setup()
        from django.db import connection  # noqa: PLC0415 - once the settings and servers stand.

        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            work()
        finally:
            connection.close()


if __name__ == "__main__":
    sys.exit(main())
