"""Measures the posting of repayments, in a scratch database that is thrown away.

Both sides of the comparison write the same rows. For each repayment that goes through the services,
the rows that it in fact inserted or changed are read back, and the same rows are then written for
a twin loan by plain `save()` and `bulk_create()`, in as many transactions. See docs/performance.md.
"""

from __future__ import annotations

import datetime
import hashlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeVar
from uuid import uuid4

from celery import current_app
from django.conf import settings
from django.db import connection, connections, models, transaction

from accounts.models import User
from accounts.services.people import register_person
from loans.engine.lifecycle import ApplicationState, TransferState
from loans.engine.terms import DayCount, LoanTerms, Method, PenaltyRule, Period
from loans.management.benchmarks import Figures, milliseconds, per_second, percentile
from loans.models import (
    Agreement,
    BankNotice,
    BankTransfer,
    BusinessDay,
    CostSheet,
    CostSheetConfirmation,
    Installment,
    JournalEntry,
    Loan,
    LoanApplication,
    LoanEvent,
    LoanStatusChange,
    MoneyCommand,
    Posting,
    Product,
    ProductVersion,
)
from loans.models.product import Scenario
from loans.models.transfer import TransferDirection, TransferPurpose
from loans.services.night import bill_due_installments
from loans.services.repayments import request_repayment
from loans.services.transfers import BankWord, Outcome, order_transfer, settle_transfer
from risk.models import Assessment, PolicyVersion, ScorecardVersion
from zhixin.shared.actor import SYSTEM
from zhixin.shared.calendar import PeriodUnit, add_months
from zhixin.shared.money import Money, Rounding

START: Final = datetime.date(2026, 1, 15)
AT: Final = datetime.datetime(2026, 1, 15, 4, 0, tzinfo=datetime.UTC)
PAYERS: Final = 8
RUNS: Final = 3
_PAIRS: Final = 10
_MONTHS: Final = 11
_EACH: Final = 12
_PREFIX: Final = "zhixin-bench-"
_INSTALLMENTS: Final = 12
_CARD: Final = "6222020000000000000"
_numbers = count(1)

Tick = Callable[[], object]
Row = TypeVar("Row", bound=models.Model)


def posting_figures(*, quick: bool, tick: Tick) -> Figures:
    """Return what posting repayments costs, as medians of several runs."""
    runs = 1 if quick else RUNS
    with settings_of_production(), scratch_database() as name:
        warm_up = measure_posting(pairs=1, months=2, tick=tick)
        posted = [
            measure_posting(pairs=2 if quick else _PAIRS, months=3 if quick else _MONTHS, tick=tick)
            for _ in range(runs)
        ]
        payers = {
            kind: [
                measure_payers(one_loan=one, repayments=2 if quick else _EACH, tick=tick)
                for _ in range(runs)
            ]
            for kind, one in (("eight_loans", False), ("one_loan", True))
        }
        return {
            **_posting(posted),
            **{
                f"repayment_{percent}_{kind}_8_payers_ms": milliseconds(
                    int(statistics.median(percentile(times, int(percent[1:])) for times in found))
                )
                for kind, found in payers.items()
                for percent in ("p50", "p99")
            },
            "rows_inserted_per_repayment": warm_up.rows_inserted,
            "rows_updated_per_repayment": warm_up.rows_updated,
            "scratch_database": name,
            **_server_facts(),
        }


def _posting(runs: Sequence[PostingTimes]) -> Figures:
    def of(*columns: str) -> int:
        """Return the median over the runs of the sum of the columns' medians."""
        return int(
            statistics.median(
                sum(statistics.median(getattr(run, column)) for column in columns) for run in runs
            )
        )

    service = of("service_ns")
    bare = of("bare_rows_ns", "messages_ns")
    rows = of("bare_rows_ns")
    return {
        "repayments_per_second": per_second([service]),
        "bare_orm_repayments_per_second": per_second([bare]),
        "bare_orm_rows_only_per_second": per_second([rows]),
        "repayments_percent_of_bare_orm": percent_of(bare, service),
        "repayments_percent_of_bare_orm_rows_only": percent_of(rows, service),
    }


def percent_of(part: int, whole: int) -> Any:  # noqa: ANN401 - a number for people, never money.
    """Return `part` in percent of `whole`."""
    return round(100 * part / whole, 1)


def _server_facts() -> Figures:
    facts = {}
    with connection.cursor() as cursor:
        for name, setting in (
            ("postgresql", "server_version"),
            ("postgresql_fsync", "fsync"),
            ("postgresql_synchronous_commit", "synchronous_commit"),
        ):
            cursor.execute(f"SHOW {setting}")
            facts[name] = cursor.fetchone()[0]
    return facts


@contextmanager
def settings_of_production() -> Iterator[None]:
    """Turn off what only a developer's settings do: they keep every query for the debug page."""
    before = settings.DEBUG
    settings.DEBUG = False
    try:
        yield
    finally:
        settings.DEBUG = before


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingTimes:
    """Nanoseconds of each repayment: through the services, by bare ORM, and of its messages."""

    service_ns: list[int]
    bare_rows_ns: list[int]
    messages_ns: list[int]
    rows_inserted: int
    rows_updated: int


@contextmanager
def scratch_database() -> Iterator[str]:
    """Make a database named test_…, migrated and empty; drop it at the end, whatever happens.

    Tasks go to the real broker under a prefix of their own, which no worker reads.
    """
    creation = connection.creation
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"test_{_PREFIX}{uuid4().hex[:8]}".replace("-", "_")
    try:
        name = creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        with _own_queue():
            yield name
    finally:
        # Only what was made here is dropped, also when the making failed half-way.
        if connection.settings_dict["NAME"] != before:
            creation.destroy_test_db(before, verbosity=0)


@contextmanager
def _own_queue() -> Iterator[None]:
    """Send tasks to queues that no worker knows, and empty them at the end."""
    options = dict(current_app.conf.broker_transport_options or {})
    queue = f"{_PREFIX}{uuid4().hex[:8]}"
    before = current_app.conf.task_default_queue
    current_app.conf.broker_transport_options = options | {"global_keyprefix": f"{queue}:"}
    current_app.conf.task_default_queue = queue
    try:
        yield
    finally:
        with current_app.connection_for_write() as broker:
            channel: Any = broker.default_channel
            channel.queue_purge(queue)
            channel.queue_delete(queue)
        current_app.conf.task_default_queue = before
        current_app.conf.broker_transport_options = options


# -- the book ---------------------------------------------------------------------------------


def loan_terms(*, installments: int = _INSTALLMENTS) -> LoanTerms:
    """Return monthly 30/360 terms of 12,000.00 at 12 %."""
    return LoanTerms(
        principal=Money(1_200_000),
        annual_rate=Decimal("0.12"),
        method=Method.EQUAL_INSTALLMENT,
        installment_count=installments,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount.THIRTY_360,
        disbursement_date=START,
        rounding=Rounding.HALF_EVEN,
        penalty=PenaltyRule(uplift=Decimal("0.5"), grace_days=0, annual_cap=Decimal("0.24")),
    )


def set_business_date(date: datetime.date) -> None:
    """Make `date` the business date of the scratch database."""
    BusinessDay.objects.update_or_create(
        id=BusinessDay.SINGLE_ROW, defaults={"current_date": date, "advanced_at": AT}
    )


def _product_version() -> ProductVersion:
    product, _ = Product.objects.get_or_create(
        code="bench", defaults={"scenario": Scenario.PERSONAL, "name_en": "Bench"}
    )
    version, _ = ProductVersion.objects.get_or_create(
        product=product,
        number=1,
        defaults={
            "effective_from": START,
            "minimum_amount": Money(100_000),
            "maximum_amount": Money(20_000_000),
            "installment_counts": [_INSTALLMENTS],
            "methods": [Method.EQUAL_INSTALLMENT],
            "day_count": DayCount.THIRTY_360,
            "rounding": Rounding.HALF_EVEN,
            "penalty_uplift": Decimal("0.5"),
            "penalty_grace_days": 0,
            "all_in_cap": Decimal("0.24"),
            "allocation": ["FEES", "INTEREST", "PENALTY", "PRINCIPAL"],
        },
    )
    return version


def _assessment(borrower: User) -> Assessment:
    loaded = {"document": {}, "loaded_at": AT, "actor_label": "bench"}
    policy, _ = PolicyVersion.objects.get_or_create(
        code="bench",
        defaults={"jurisdiction": "bench", "effective_from": START, "sha256": "1" * 64, **loaded},
    )
    card, _ = ScorecardVersion.objects.get_or_create(
        code="bench", defaults={"sha256": "2" * 64, **loaded}
    )
    return Assessment.objects.create(
        subject=borrower, facts={}, request={}, decision={}, policy=policy, scorecard=card,
        outcome="APPROVE", score=620, grade="B", limit=Money(20_000_000),
        approved_amount=Money(1_200_000), annual_rate=Decimal("0.12"), decision_date=START,
        decided_at=AT, actor_label="bench",
    )  # fmt: skip


def _agreement(borrower: User, terms: LoanTerms) -> Agreement:
    number = next(_numbers)
    application = LoanApplication.objects.create(
        borrower=borrower,
        request_key=f"bench-{number}",
        product_version=_product_version(),
        amount=terms.principal,
        installment_count=terms.installment_count,
        method=terms.method,
        purpose_code="DAILY",
        state=ApplicationState.SIGNED,
        assessment=_assessment(borrower),
        approved_amount=terms.principal,
        approved_rate=terms.annual_rate,
        business_date=START,
        created_at=AT,
    )
    sheet = CostSheet.objects.create(
        application=application, terms=terms.to_json(), document={}, sha256="0" * 64,
        language="en", shown_at=AT,
    )  # fmt: skip
    confirmation = CostSheetConfirmation.objects.create(
        cost_sheet=sheet, reading_seconds=20, required_seconds=20, confirmed_at=AT
    )
    content = b"<p>The agreement.</p>"
    return Agreement.objects.create(
        number=f"ZX-BENCH-{number:06d}",
        application=application,
        confirmation=confirmation,
        terms=terms.to_json(),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        language="en",
        signed_by=borrower,
        signed_at=AT,
    )


def make_borrower() -> User:
    """Return a new person."""
    return register_person(phone=f"+8613{next(_numbers):09d}", language="en")


def funded_loan(borrower: User, terms: LoanTerms) -> Loan:
    """Return a loan that was paid out on its signing day through the services."""
    with transaction.atomic():
        loan = Loan.objects.create(
            borrower=borrower,
            agreement=_agreement(borrower, terms),
            principal=terms.principal,
            annual_rate=terms.annual_rate,
            created_at=AT,
        )
        payout = order_transfer(
            loan=loan,
            direction=TransferDirection.PAYOUT,
            purpose=TransferPurpose.DISBURSEMENT,
            amount=loan.principal,
            account_name="Bench",
            card_number=_CARD,
            business_date=START,
            at=AT,
        )
    _settle(payout)
    return loan


def _settle(transfer: BankTransfer) -> None:
    word = BankWord(
        outcome=Outcome.SUCCEEDED,
        amount=transfer.amount,
        bank_reference=f"B{transfer.pk}",
        failure_code="",
        body={"out_biz_no": str(transfer.public_id), "status": "SUCCESS"},
    )
    settle_transfer(reference=str(transfer.public_id), word=word, at=AT)


def post_repayment(loan: Loan, amount: Money, on: datetime.date) -> BankTransfer:
    """Have the services take a repayment: the borrower's request, then the bank's word."""
    transfer = request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=amount,
        key=uuid4().hex,
        account_name="Bench",
        card_number=_CARD,
        business_date=on,
        at=AT,
        confirmed=True,
    )
    _settle(transfer)
    return transfer


# -- through the services, and the same rows by bare ORM --------------------------------------


def measure_posting(*, pairs: int, months: int, tick: Tick) -> PostingTimes:
    """Pay `months` installments of `pairs` loans through the services, and of twins by ORM.

    The night bills each installment beforehand, untimed. Both sides alternate, so that whatever
    else the machine does meets both.
    """
    set_business_date(START)
    terms = loan_terms()
    borrowers = [make_borrower() for _ in range(pairs)]
    twins = [(funded_loan(each, terms), funded_loan(each, terms)) for each in borrowers]
    service, bare, messages = [], [], []
    inserted = updated = 0
    for month in range(1, months + 1):
        day = add_months(START, month)
        set_business_date(day)
        bill_due_installments(
            business_date=day, actor=SYSTEM, clock=lambda: AT, report=lambda _done, _all: None
        )
        for loan, twin in twins:
            loan.refresh_from_db()
            before = _snapshot(loan)
            started = time.perf_counter_ns()
            transfer = post_repayment(loan, before.due, day)
            service.append(time.perf_counter_ns() - started)
            writes = _written(transfer, before, twin)
            started = time.perf_counter_ns()
            writes.write()
            written = time.perf_counter_ns()
            writes.send_messages()
            bare.append(written - started)
            messages.append(time.perf_counter_ns() - written)
            inserted, updated = writes.row_counts()
            tick()
    return PostingTimes(
        service_ns=service,
        bare_rows_ns=bare,
        messages_ns=messages,
        rows_inserted=inserted,
        rows_updated=updated,
    )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a loan's projection was before a repayment."""

    loan: Loan
    installments: dict[int, Installment]
    status_changes: int

    @property
    def due(self) -> Money:
        """Return what the oldest unpaid installment asks for."""
        row = next(each for each in self.installments.values() if each.paid_on is None)
        return Money(
            sum(
                getattr(row, name).cents - getattr(row, f"{name}_paid").cents
                for name in ("principal", "interest", "fees", "penalty")
            )
        )


def _snapshot(loan: Loan) -> _Snapshot:
    rows = {row.number: row for row in loan.installments.order_by("number")}
    return _Snapshot(copy(loan), rows, loan.status_changes.count())


@dataclass(slots=True, kw_only=True)
class _Writes:
    """The rows of one repayment, made for the twin and not saved yet."""

    command: MoneyCommand
    transfer: BankTransfer
    settled: dict[str, object]
    notice: BankNotice
    event: LoanEvent
    entry: JournalEntry
    postings: list[Posting]
    status_changes: list[LoanStatusChange]
    loan: Loan
    loan_fields: list[str]
    installments: list[Installment]

    def write(self) -> None:
        """Write them by plain ORM, in the services' two transactions."""
        with transaction.atomic():
            self.command.save(force_insert=True)
            self.transfer.command = self.command
            self.transfer.save(force_insert=True)
        with transaction.atomic():
            self.notice.transfer = self.transfer
            self.notice.save(force_insert=True)
            for name, value in self.settled.items():
                setattr(self.transfer, name, value)
            self.transfer.save(update_fields=list(self.settled))
            self.event.transfer = self.transfer
            self.event.save(force_insert=True)
            self.entry.event = self.event
            self.entry.save(force_insert=True)
            for posting in self.postings:
                posting.entry = self.entry
            bulk_insert(self.postings)
            for change in self.status_changes:
                change.save(force_insert=True)
            self.loan.save(update_fields=self.loan_fields)
            for row in self.installments:
                row.save(force_update=True)

    def send_messages(self) -> None:
        """Send the two tasks that the services hand to the broker."""
        for name in ("loans.send_transfer", "loans.tell_borrower_of_transfer"):
            current_app.send_task(name, kwargs={"transfer_id": self.transfer.pk}, retry=False)

    def row_counts(self) -> tuple[int, int]:
        """Return rows inserted and rows updated."""
        inserted = 5 + len(self.postings) + len(self.status_changes)
        return inserted, 2 + len(self.installments)


def bulk_insert(rows: Sequence[Posting]) -> None:
    """Insert rows of one table in one statement."""
    type(rows[0])._default_manager.bulk_create(rows)  # noqa: SLF001 - Django's public way.


_SETTLED: Final = ("state", "bank_reference", "failure_code", "settled_at")


def _written(transfer: BankTransfer, before: _Snapshot, twin: Loan) -> _Writes:
    """Read back what the repayment wrote; return the same for the twin."""
    transfer = BankTransfer.objects.select_related("command").get(pk=transfer.pk)
    event = LoanEvent.objects.get(transfer=transfer)
    entry = JournalEntry.objects.get(event=event)
    changes = list(before.loan.status_changes.order_by("pk"))[before.status_changes :]
    settled = {name: getattr(transfer, name) for name in _SETTLED}
    command = transfer.command
    if command is None:
        raise AssertionError("A repayment of a borrower has a command.")
    after = Loan.objects.get(pk=before.loan.pk)
    fields = _changed(before.loan, after)
    twin.refresh_from_db()
    for name in fields:
        setattr(twin, name, getattr(after, name))
    return _Writes(
        command=_fresh(command, key=uuid4().hex),
        transfer=_fresh(
            transfer, public_id=uuid4(), loan=twin, state=TransferState.PENDING, settled_at=None
        ),
        settled=settled,
        notice=_fresh(BankNotice.objects.get(transfer=transfer)),
        event=_fresh(event, event_id=uuid4(), loan=twin),
        entry=_fresh(entry, loan=twin),
        postings=[_fresh(each, loan=twin) for each in entry.postings.order_by("pk")],
        status_changes=[_fresh(each, loan=twin) for each in changes],
        loan=twin,
        loan_fields=fields,
        installments=list(_changed_installments(before, twin)),
    )


def _changed_installments(before: _Snapshot, twin: Loan) -> Iterator[Installment]:
    rows = {row.number: row for row in twin.installments.all()}
    for after in before.loan.installments.order_by("number"):
        fields = _changed(before.installments[after.number], after)
        if fields:
            for name in fields:
                setattr(rows[after.number], name, getattr(after, name))
            yield rows[after.number]


def _changed(before: models.Model, after: models.Model) -> list[str]:
    names = [field.attname for field in before._meta.concrete_fields]  # noqa: SLF001 - see above.
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _fresh(row: Row, **changes: object) -> Row:
    """Return an unsaved copy of the row with `changes`."""
    new = copy(row)
    new._state = copy(row._state)  # noqa: SLF001 - as Django's own copies of rows do it.
    new._state.adding = True  # noqa: SLF001 - as Django's own copies of rows do it.
    new._state.fields_cache = {}  # noqa: SLF001 - as Django's own copies of rows do it.
    new.pk = None
    for name, value in changes.items():
        setattr(new, name, value)
    return new


# -- many payers at once ----------------------------------------------------------------------


def measure_payers(*, one_loan: bool, repayments: int, tick: Tick) -> list[int]:
    """Return the nanoseconds of each of 8 × `repayments` repayments by eight payers at once.

    Each payer has a thread and a connection. All pay one loan, or each a loan of their own.
    """
    set_business_date(START)
    terms = loan_terms()
    loans = [funded_loan(make_borrower(), terms) for _ in range(1 if one_loan else PAYERS)]
    start = threading.Barrier(PAYERS)

    def pay(payer: int) -> list[int]:
        loan, found = loans[payer % len(loans)], []
        try:
            connection.ensure_connection()
            start.wait()
            for number in range(repayments):
                # Every amount is another one: the same on its way would be refused.
                amount = Money(1000 + payer + PAYERS * number)
                started = time.perf_counter_ns()
                post_repayment(loan, amount, START)
                found.append(time.perf_counter_ns() - started)
                tick()
        finally:
            connections.close_all()
        return found

    with ThreadPoolExecutor(PAYERS) as pool:
        return [one for found in pool.map(pay, range(PAYERS)) for one in found]
