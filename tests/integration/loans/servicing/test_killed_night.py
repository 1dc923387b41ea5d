"""A night whose process is killed in the middle of its work, and run again, is the same night.

`manage.py close_day` runs as a process of its own on a copy of a database that holds a book. To be
killed in the middle of a step and not somewhere around it, the night is held there: the test locks
one row that the step needs, waits until PostgreSQL says that the night waits for it, and kills.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from django.conf import settings
from django.db import connection

from loans.models import AutopayMandate, Loan
from tests.browser.servers import own_redis
from tests.factories.funded import funded_loan, set_business_date, terms
from tests.integration.loans.servicing.autopay_days import autopay_loan, july, morning, night
from tests.integration.sandbox.sandbox_world import eventually

PROJECT = Path(__file__).resolve().parents[4]
LAST_DAY = july(17)  # The book stands on 15 July: two nights.
SEED = 20_260_715

# All that the nights wrote, without keys and instants: these differ from run to run.
ROWS = {
    "day": 'SELECT d."current_date" FROM loans_businessday d',
    "steps": "SELECT business_date, step FROM loans_nightsteprun",
    "loans": """SELECT id, status, projected_as_of, disbursed_on, closed_on,
        principal_outstanding_cents, overdue_amount_cents, overpaid_amount_cents, next_due_date,
        next_due_amount_cents, overdue_since, days_past_due, bucket, classification
        FROM loans_loan""",
    "installments": """SELECT loan_id, number, due_date, payable_through, principal_cents,
        interest_cents, fees_cents, penalty_cents, principal_paid_cents, interest_paid_cents,
        fees_paid_cents, penalty_paid_cents, balance_cents, paid_on FROM loans_installment""",
    "events": "SELECT loan_id, sequence, kind, effective_date, body::text FROM loans_loanevent",
    "status changes": """SELECT loan_id, from_status, to_status, business_date, reason
        FROM loans_loanstatuschange""",
    "journal": """SELECT e.loan_id, e.business_date, e.reason, p.account, p.debit_cents,
        p.credit_cents FROM loans_posting p JOIN loans_journalentry e ON e.id = p.entry_id""",
    "sums": """SELECT loan_id, account, sum(debit_cents), sum(credit_cents) FROM loans_posting
        GROUP BY loan_id, account""",
    "transfers": """SELECT loan_id, direction, purpose, amount_cents, state, effective_date
        FROM loans_banktransfer""",
    "debits": """SELECT mandate_id, installment_number, attempt, business_date
        FROM loans_autopaydebit""",
    "notices": """SELECT mandate_id, installment_number, attempt, debit_on, amount_cents
        FROM loans_autopaynotice""",
    "mandates ended": "SELECT mandate_id, reason, ended_on FROM loans_autopayend",
    "cases": """SELECT loan_id, state, opened_on, closed_on, refreshed_on, days_past_due,
        overdue_amount_cents, next_action_on FROM collections_app_case""",
    "case changes": """SELECT c.loan_id, h.from_state, h.to_state, h.business_date, h.reason
        FROM collections_app_casechange h JOIN collections_app_case c ON c.id = h.case_id""",
    "messages": "SELECT recipient_id, kind, dedup_key, body, state FROM accounts_message",
    "differences in the books": "SELECT * FROM loans_booksdifference",
}


@dataclass(frozen=True)
class Moment:
    """Where the night is held: at a row that a step needs."""

    step: str
    table: str
    key: int


@dataclass(frozen=True)
class Copy:
    """A copy of the book's database, and the night on it."""

    url: str
    redis_url: str

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "zhixin.settings.test",
                "DATABASE_URL": self.url,
                "REDIS_URL": self.redis_url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        said, _nothing = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said

    def close_day(self) -> str:
        return self.run("close_day", "--through", LAST_DAY.isoformat())

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        found = {}
        with contextlib.closing(psycopg2.connect(self.url)) as wire, wire.cursor() as cursor:
            for name, query in ROWS.items():
                cursor.execute(query)
                found[name] = sorted(cursor.fetchall(), key=repr)
        return found

    def kill_at(self, moment: Moment) -> None:
        """Start the night, hold it at the moment's row, and kill it there with SIGKILL."""
        with (
            contextlib.closing(psycopg2.connect(self.url)) as holder,
            contextlib.closing(psycopg2.connect(self.url)) as watcher,
            holder.cursor() as hold,
            watcher.cursor() as watch,
        ):
            watcher.autocommit = True
            hold.execute(f"SELECT 1 FROM {moment.table} WHERE id = %s FOR UPDATE", [moment.key])
            process = self.start("close_day", "--through", LAST_DAY.isoformat())

            def others(waiting: str = "") -> bool:
                watch.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid NOT IN (pg_backend_pid(), %s)" + waiting,
                    [holder.info.backend_pid],
                )
                return bool(watch.fetchone()[0])  # type: ignore[index]  # A count is one row.

            def is_held() -> bool:
                assert process.poll() is None, process.stdout and process.stdout.read()
                return others(" AND wait_event_type = 'Lock'")

            with process:
                try:
                    eventually(is_held)
                    watch.execute(
                        "SELECT count(*) FROM loans_nightsteprun "
                        "WHERE step = %s AND business_date = %s",
                        [moment.step, july(16)],
                    )
                    assert watch.fetchone() == (0,), f"{moment.step} was over before it was held."
                finally:
                    process.kill()
            assert process.returncode == -signal.SIGKILL
            holder.rollback()
            # The server notices on its own that nobody listens any more.
            eventually(lambda: not others())


@dataclass
class Book:
    """The database of the test with its book, to be copied."""

    redis_url: str
    moments: tuple[Moment, ...]

    @contextlib.contextmanager
    def copy(self, name: str) -> Iterator[Copy]:
        connection.close()
        name = f"zhixin_night_{name}_{os.getpid()}"
        source = str(settings.DATABASES["default"]["NAME"])
        server = urlsplit(os.environ["DATABASE_URL"])
        administrative = urlunsplit(server._replace(path="/postgres"))
        with contextlib.closing(psycopg2.connect(administrative)) as wire:
            wire.autocommit = True
            with wire.cursor() as cursor:
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
                try:
                    url = urlunsplit(server._replace(path=f"/{name}"))
                    yield Copy(url=url, redis_url=self.redis_url)
                finally:
                    cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def make_loans(signed_on: datetime.date, count: int) -> list[Loan]:
    loan_terms = terms(disbursement_date=signed_on, count=6)
    return [funded_loan(loan_terms=loan_terms) for _ in range(count)]


@pytest.fixture
def book() -> Iterator[Book]:
    """Loans on 15 July: late ones, due on the 16th and 17th, due soon, and on autopay."""
    late = make_loans(datetime.date(2026, 6, 10), 8)
    by_autopay = [autopay_loan() for _ in range(8)]
    due = make_loans(datetime.date(2026, 6, 16), 8)
    make_loans(datetime.date(2026, 6, 17), 4)
    make_loans(datetime.date(2026, 6, 19), 4)
    night(july(11))
    morning(july(11))
    set_business_date(july(15))
    chance = random.Random(SEED)  # noqa: S311 - the same moments at each run.
    mandates = list(AutopayMandate.objects.order_by("pk").values_list("pk", flat=True))
    assert len(mandates) == len(by_autopay)
    step = "loans.services.night"
    moments = (
        Moment(f"{step}.bill_due_installments", "loans_loan", chance.choice(due[1:]).pk),
        Moment(f"{step}.age_overdue_loans", "loans_loan", chance.choice(late[1:]).pk),
        Moment(
            "loans.services.autopay.collect_due",
            "loans_autopaymandate",
            chance.choice(mandates[1:]),
        ),
        Moment(
            "loans.services.reminders.queue_reminders",
            "accounts_user",
            chance.choice(due[1:]).borrower_id,
        ),
    )
    with own_redis(os.environ["REDIS_URL"]) as redis_url:
        yield Book(redis_url=redis_url, moments=moments)


@pytest.mark.django_db(transaction=True)
def test_a_night_killed_in_the_middle_of_its_steps_is_the_same_night(book: Book) -> None:
    with book.copy("quiet") as quiet:
        quiet.close_day()
        expected = quiet.rows()
    assert len(expected["debits"]) == 8
    assert len(expected["cases"]) > 0
    assert len(expected["messages"]) > 0
    with book.copy("killed") as killed:
        for moment in book.moments:
            killed.kill_at(moment)
        assert "The business date is 2026-07-17." in killed.close_day()
        assert killed.rows() == expected
        assert killed.close_day().startswith("Nothing to close")
        said = killed.run("rebuild_projection", "--check")
    nights = [july(11), july(16), july(17)]  # The first one was the book's own.
    assert expected["steps"] == sorted(
        ((day, step) for day in nights for step in settings.NIGHT_STEPS), key=repr
    )
    assert expected["differences in the books"] == []
    assert len(set(expected["debits"])) == 8
    assert said.strip().endswith("32 loans compared, 0 differ.")
