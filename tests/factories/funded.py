"""Funded loans for tests, made by the services from the signed agreement on.

What stands before the agreement (product, application, assessment) is written as rows.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from accounts.models import User
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
from loans.services.transfers import BankWord, Outcome, order_transfer, settle_transfer
from risk.models import Assessment
from tests.factories.accounts import CARD_NUMBER, make_borrower
from tests.factories.assessments import make_assessment
from zhixin.shared.calendar import PeriodUnit
from zhixin.shared.money import Money, Rounding

_numbers = itertools.count(1)
SIGNED_ON = datetime.date(2026, 6, 16)
SIGNED_AT = datetime.datetime(2026, 6, 16, 4, 0, tzinfo=datetime.UTC)


def terms(
    *,
    principal: str = "12000.00",
    rate: str = "0.12",
    count: int = 12,
    method: Method = Method.EQUAL_INSTALLMENT,
    disbursement_date: datetime.date = SIGNED_ON,
) -> LoanTerms:
    """Return monthly 30/360 terms; overdue principal costs 1.5 times the rate, 24 % at most."""
    return LoanTerms(
        principal=Money.parse(principal),
        annual_rate=Decimal(rate),
        method=method,
        installment_count=count,
        period=Period(every=1, unit=PeriodUnit.MONTH),
        day_count=DayCount.THIRTY_360,
        disbursement_date=disbursement_date,
        rounding=Rounding.HALF_EVEN,
        penalty=PenaltyRule(uplift=Decimal("0.5"), grace_days=0, annual_cap=Decimal("0.24")),
    )


def set_business_date(date: datetime.date) -> None:
    """Make `date` the business date."""
    BusinessDay.objects.update_or_create(
        id=BusinessDay.SINGLE_ROW, defaults={"current_date": date, "advanced_at": SIGNED_AT}
    )


def product_version() -> ProductVersion:
    """Return a personal credit product's version, the same one at each call of a test."""
    product, _ = Product.objects.get_or_create(
        code="personal",
        defaults={
            "scenario": Scenario.PERSONAL,
            "name_en": "Personal credit",
            "name_zh": "个人信用贷",
            "summary_en": "For your household.",
            "summary_zh": "用于家庭日常消费。",
        },
    )
    version = product.versions.first()
    return version or ProductVersion.objects.create(
        product=product,
        number=1,
        effective_from=datetime.date(2026, 1, 1),
        minimum_amount=Money.parse("1000"),
        maximum_amount=Money.parse("200000"),
        installment_counts=[3, 6, 12],
        methods=["EQUAL_INSTALLMENT", "EQUAL_PRINCIPAL"],
        day_count="THIRTY_360",
        rounding="HALF_EVEN",
        penalty_uplift=Decimal("0.5"),
        penalty_grace_days=0,
        all_in_cap=Decimal("0.24"),
        allocation=["FEES", "INTEREST", "PENALTY", "PRINCIPAL"],
    )


def signed_agreement(borrower: User, loan_terms: LoanTerms) -> Agreement:
    """Return an agreement with everything that has to stand before it."""
    assessment: Assessment = make_assessment(subject=borrower)
    application = LoanApplication.objects.create(
        borrower=borrower,
        request_key=f"form-{next(_numbers)}",
        product_version=product_version(),
        amount=loan_terms.principal,
        installment_count=loan_terms.installment_count,
        method=loan_terms.method,
        purpose_code="DAILY",
        state=ApplicationState.SIGNED,
        assessment=assessment,
        approved_amount=loan_terms.principal,
        approved_rate=loan_terms.annual_rate,
        business_date=loan_terms.disbursement_date,
        created_at=SIGNED_AT,
    )
    sheet = CostSheet.objects.create(
        application=application,
        terms=loan_terms.to_json(),
        document={},
        sha256="0" * 64,
        language="en",
        shown_at=SIGNED_AT,
    )
    confirmation = CostSheetConfirmation.objects.create(
        cost_sheet=sheet, reading_seconds=20, required_seconds=20, confirmed_at=SIGNED_AT
    )
    content = b"<p>The agreement.</p>"
    return Agreement.objects.create(
        number=f"ZX-TEST-{next(_numbers):06d}",
        application=application,
        confirmation=confirmation,
        terms=loan_terms.to_json(),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        language="en",
        signed_by=borrower,
        signed_at=SIGNED_AT,
    )


def signed_loan(
    *, borrower: User | None = None, loan_terms: LoanTerms | None = None
) -> tuple[Loan, BankTransfer]:
    """Return a loan that waits for its payout, and the transfer of the payout."""
    borrower = borrower or make_borrower()
    loan_terms = loan_terms or terms()
    set_business_date(loan_terms.disbursement_date)
    with transaction.atomic():
        loan = Loan.objects.create(
            borrower=borrower,
            agreement=signed_agreement(borrower, loan_terms),
            principal=loan_terms.principal,
            annual_rate=loan_terms.annual_rate,
            created_at=SIGNED_AT,
        )
        payout = order_transfer(
            loan=loan,
            direction=TransferDirection.PAYOUT,
            purpose=TransferPurpose.DISBURSEMENT,
            amount=loan.principal,
            account_name="李小华",
            card_number=CARD_NUMBER,
            business_date=loan_terms.disbursement_date,
            at=SIGNED_AT,
        )
    return loan, payout


def word(
    transfer: BankTransfer, outcome: Outcome = Outcome.SUCCEEDED, amount: Money | None = None
) -> BankWord:
    """Return what the bank says of `transfer`."""
    return BankWord(
        outcome=outcome,
        amount=amount or transfer.amount,
        bank_reference=f"B{transfer.pk}",
        failure_code="" if outcome == Outcome.SUCCEEDED else "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        body={"source": "test"},
    )


def settle(transfer: BankTransfer, outcome: Outcome = Outcome.SUCCEEDED) -> BankTransfer:
    """Have the bank settle `transfer`; return it as it stands then."""
    settle_transfer(reference=str(transfer.public_id), word=word(transfer, outcome), at=SIGNED_AT)
    transfer.refresh_from_db()
    return transfer


def funded_loan(*, borrower: User | None = None, loan_terms: LoanTerms | None = None) -> Loan:
    """Return a loan that is paid out on its signing day, the business date."""
    loan, payout = signed_loan(borrower=borrower, loan_terms=loan_terms)
    settle(payout)
    return Loan.objects.select_related("agreement").get(pk=loan.pk)


@dataclass(frozen=True)
class Clock:
    """A clock that stands still."""

    at: datetime.datetime = SIGNED_AT

    def __call__(self) -> datetime.datetime:
        """Return the instant at which it stands."""
        return self.at
