"""A book of loans to measure posting with, in a scratch database that is thrown away.

What stands before the payout (product, application, assessment, agreement) is written as rows;
from the payout on everything goes through the services.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any, Final
from uuid import uuid4

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from accounts.services.people import register_person
from loans.engine.lifecycle import ApplicationState
from loans.engine.terms import DayCount, LoanTerms, Method, PenaltyRule, Period
from loans.models import (
    Agreement,
    BankTransfer,
    BusinessDay,
    CostSheet,
    CostSheetConfirmation,
    Loan,
    LoanApplication,
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
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

START: Final = datetime.date(2026, 1, 15)
AT: Final = datetime.datetime(2026, 1, 15, 4, 0, tzinfo=datetime.UTC)
# Monthly, 30/360, 12,000.00 at 12 %.
TERMS: Final = LoanTerms(
    principal=Money(1_200_000),
    annual_rate=Decimal("0.12"),
    method=Method.EQUAL_INSTALLMENT,
    installment_count=12,
    period=Period(every=1, unit=PeriodUnit.MONTH),
    day_count=DayCount.THIRTY_360,
    disbursement_date=START,
    rounding=Rounding.HALF_EVEN,
    penalty=PenaltyRule(uplift=Decimal("0.5"), grace_days=0, annual_cap=Decimal("0.24")),
)
_NAME: Final = "Bench"
_CARD: Final = "6222020000000000000"
_PREFIX: Final = "zhixin-bench-"
_numbers = count(1)


# -- where ------------------------------------------------------------------------------------


@contextmanager
def scratch_database() -> Iterator[str]:
    """Make a database named test_…, migrated and empty; drop it at the end, whatever happens.

    Tasks go to the real broker under a prefix of their own, which no worker reads. DEBUG is off, as
    in production: it keeps every query.
    """
    creation = connection.creation
    before, debug = connection.settings_dict["NAME"], settings.DEBUG
    connection.settings_dict["TEST"]["NAME"] = f"test_{_PREFIX}{uuid4().hex[:8]}".replace("-", "_")
    try:
        settings.DEBUG = False
        name = creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        with _own_queue():
            yield name
    finally:
        settings.DEBUG = debug
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


# -- loans ------------------------------------------------------------------------------------


def make_borrower() -> User:
    """Return a new person."""
    return register_person(phone=f"+8613{next(_numbers):09d}", language="en")


def funded_loan(borrower: User) -> Loan:
    """Return a loan on `TERMS`, paid out through the services; `START` is the business date."""
    with transaction.atomic():
        loan = Loan.objects.create(
            borrower=borrower,
            agreement=_agreement(borrower),
            principal=TERMS.principal,
            annual_rate=TERMS.annual_rate,
            created_at=AT,
        )
        payout = order_transfer(
            loan=loan,
            direction=TransferDirection.PAYOUT,
            purpose=TransferPurpose.DISBURSEMENT,
            amount=loan.principal,
            account_name=_NAME,
            card_number=_CARD,
            business_date=START,
            at=AT,
        )
    _settle(payout)
    return loan


def begin_day(date: datetime.date) -> None:
    """Make `date` the business date, and have the night bill what is due on it."""
    BusinessDay.objects.update_or_create(
        id=BusinessDay.SINGLE_ROW, defaults={"current_date": date, "advanced_at": AT}
    )
    bill_due_installments(
        business_date=date, actor=SYSTEM, clock=lambda: AT, report=lambda _done, _all: None
    )


def post_repayment(loan: Loan, amount: Money, on: datetime.date) -> BankTransfer:
    """Have the services take a repayment: the borrower's request, then the bank's word."""
    transfer = request_repayment(
        loan_id=loan.pk,
        owner_id=loan.borrower_id,
        amount=amount,
        key=uuid4().hex,
        account_name=_NAME,
        card_number=_CARD,
        business_date=on,
        at=AT,
        confirmed=True,
    )
    _settle(transfer)
    return transfer


def _settle(transfer: BankTransfer) -> None:
    reference = str(transfer.public_id)
    word = BankWord(
        outcome=Outcome.SUCCEEDED,
        amount=transfer.amount,
        bank_reference=f"B{transfer.pk}",
        failure_code="",
        body={"source": "notice", "out_biz_no": reference, "status": "SUCCESS"},
    )
    settle_transfer(reference=reference, word=word, at=AT)


# -- what stands before a loan ----------------------------------------------------------------


def _agreement(borrower: User) -> Agreement:
    number = next(_numbers)
    application = LoanApplication.objects.create(
        borrower=borrower,
        request_key=f"bench-{number}",
        product_version=_product_version(),
        amount=TERMS.principal,
        installment_count=TERMS.installment_count,
        method=TERMS.method,
        purpose_code="DAILY",
        state=ApplicationState.SIGNED,
        assessment=_assessment(borrower),
        approved_amount=TERMS.principal,
        approved_rate=TERMS.annual_rate,
        business_date=START,
        created_at=AT,
    )
    shown = {"terms": TERMS.to_json(), "language": "en"}
    sheet = CostSheet.objects.create(
        application=application, document={}, sha256="0" * 64, shown_at=AT, **shown
    )
    confirmation = CostSheetConfirmation.objects.create(
        cost_sheet=sheet, reading_seconds=20, required_seconds=20, confirmed_at=AT
    )
    content = b"<p>The agreement.</p>"
    return Agreement.objects.create(
        number=f"ZX-BENCH-{number:06d}",
        application=application,
        confirmation=confirmation,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        signed_by=borrower,
        signed_at=AT,
        **shown,
    )


def _product_version() -> ProductVersion:
    product, _ = Product.objects.get_or_create(
        code="bench", defaults={"scenario": Scenario.PERSONAL, "name_en": "Bench"}
    )
    rules = {
        "effective_from": START,
        "minimum_amount": TERMS.principal,
        "maximum_amount": TERMS.principal,
        "installment_counts": [TERMS.installment_count],
        "methods": [TERMS.method],
        "day_count": TERMS.day_count,
        "rounding": TERMS.rounding,
        "penalty_uplift": Decimal("0.5"),
        "penalty_grace_days": 0,
        "all_in_cap": Decimal("0.24"),
        "allocation": ["FEES", "INTEREST", "PENALTY", "PRINCIPAL"],
    }
    return ProductVersion.objects.get_or_create(product=product, number=1, defaults=rules)[0]


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
        subject=borrower,
        facts={},
        request={},
        decision={},
        policy=policy,
        scorecard=card,
        outcome="APPROVE",
        score=620,
        grade="B",
        limit=TERMS.principal,
        approved_amount=TERMS.principal,
        annual_rate=TERMS.annual_rate,
        decision_date=START,
        decided_at=AT,
        actor_label="bench",
    )
