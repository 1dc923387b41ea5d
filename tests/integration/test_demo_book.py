"""The demo book: dozens of months lived by the services; then the laws hold on all of it."""

from __future__ import annotations

import datetime
from collections import Counter

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction

from accounts.models import User
from loans.engine.lifecycle import ApplicationState, LoanStatus
from loans.models import (
    AutopayDebit,
    AutopayEnd,
    AutopayMandate,
    Installment,
    Loan,
    LoanApplication,
    SettlementCertificate,
)
from loans.selectors.servicing import loan_state
from loans.services.ledger import booked_balances
from loans.services.servicing import PROJECTED_FIELDS, installment_row, project
from zhixin.demo import CAST, STAFF, DemoBook
from zhixin.shared.models import AppendOnly
from zhixin.shared.money import total

pytestmark = pytest.mark.django_db
TODAY = datetime.date(2026, 11, 23)


@pytest.fixture
def book() -> None:
    call_command("prepare_database", verbosity=0)
    DemoBook(today=TODAY, progress=lambda _date: None).make()


def refuses(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return "append_only" in str(error)
    return False


def append_only_tables_with_rows() -> list[str]:
    return [
        model._meta.db_table
        for model in apps.get_models()
        if issubclass(model, AppendOnly) and model._default_manager.exists()
    ]


def assert_projection_is_the_fold(loan: Loan) -> None:
    projected = {name: getattr(loan, name) for name in PROJECTED_FIELDS}
    # A loan that was written off is left alone by the night: its projection keeps its day.
    written_off = loan.status == LoanStatus.CHARGED_OFF
    as_of = loan.projected_as_of if written_off and loan.projected_as_of else TODAY
    state = loan_state(loan, as_of=as_of)
    project(loan, state)
    loan.projected_as_of = projected["projected_as_of"]
    # A loan to which nothing happened today still stands where the night left it.
    assert {name: getattr(loan, name) for name in PROJECTED_FIELDS} == projected
    columns = [f.name for f in Installment._meta.concrete_fields if f.name != "id"]
    stored = [row_values(row, columns) for row in loan.installments.order_by("number")]
    folded = [row_values(installment_row(loan, row), columns) for row in state.installments]
    assert stored == folded


def row_values(row: models.Model, columns: list[str]) -> dict[str, object]:
    return {name: getattr(row, name) for name in columns}


def loan_of(name: str) -> Loan:
    return Loan.objects.select_related("agreement").get(borrower__profile__full_name=name)


def kinds_of(name: str) -> list[str]:
    return list(loan_of(name).events.order_by("sequence").values_list("kind", flat=True))


def assert_turns_have_happened() -> None:
    """Each story of a turn ends as its line tells."""
    bounced = loan_state(loan_of("何燕"), as_of=TODAY)
    assert kinds_of("何燕")[-3:] == ["REVERSAL", "WAIVER", "REPAYMENT"]
    assert (bounced.days_past_due, bounced.due_now.total.cents) == (0, 0)
    assert bounced.totals.waived.penalty.cents > 0
    assert kinds_of("高峰")[-2:] == ["CHARGE_OFF", "RECOVERY"]
    disputed = loan_state(loan_of("罗琴"), as_of=TODAY)
    assert [row.number for row in disputed.installments if row.disputed] == [3]
    assert (disputed.days_past_due, disputed.penalty_accrued.cents) == (0, 0)
    assert SettlementCertificate.objects.get().loan == loan_of("宋涛")
    refunded = loan_of("唐静")
    assert kinds_of("唐静")[-1] == "REFUND"
    assert (refunded.status, refunded.overpaid_amount.cents) == (LoanStatus.PAID_OFF, 0)
    # 23 January 2027 is a Saturday.
    resting = loan_of("许刚").installments.get(number=2)
    days = (resting.due_date, resting.payable_through)
    assert days == (datetime.date(2027, 1, 23), datetime.date(2027, 1, 25))
    rows = loan_state(loan_of("韩梅"), as_of=TODAY).installments
    assert len(rows) == 12
    assert rows[3].due.total < rows[1].due.total


@pytest.mark.usefixtures("book")
def test_the_book_holds_the_stories_it_tells() -> None:
    assert User.objects.count() == len(CAST) + len(STAFF)
    assert Counter(Loan.objects.values_list("status", flat=True)) == {
        LoanStatus.ACTIVE: 7,
        LoanStatus.OVERDUE: 4,
        LoanStatus.PAID_OFF: 3,
        LoanStatus.CHARGED_OFF: 1,
    }
    assert_turns_have_happened()
    late = Loan.objects.filter(status=LoanStatus.OVERDUE).order_by("days_past_due")
    assert list(late.values_list("days_past_due", flat=True)) == [5, 18, 40, 105]
    # One has autopay on, which paid two installments; for one it stopped after two failures.
    assert AutopayMandate.objects.filter(end__isnull=True).count() == 1
    assert list(AutopayEnd.objects.values_list("reason", flat=True)) == ["TWO_FAILURES"]
    debits = AutopayDebit.objects.order_by("transfer__state")
    assert list(debits.values_list("transfer__state", flat=True)) == [
        *["FAILED", "FAILED"],
        *["SUCCEEDED", "SUCCEEDED"],
    ]
    states = LoanApplication.objects.exclude(state=ApplicationState.SIGNED)
    assert Counter(states.values_list("state", flat=True)) == {
        ApplicationState.DECLINED: 1,
        ApplicationState.REFERRED: 1,
        ApplicationState.APPROVED: 1,
    }
    for loan in Loan.objects.select_related("agreement"):
        assert loan.agreement.terms["calendar"] == "CN"
        assert total(booked_balances(loan).values()).cents == 0
        assert booked_balances(loan) == {
            account: amount
            for account, amount in loan_state(loan, as_of=loan.projected_as_of).balances.items()
            if account in booked_balances(loan)
        }
        assert_projection_is_the_fold(loan)
    tables = append_only_tables_with_rows()
    assert len(tables) >= 15
    for table in tables:
        assert refuses(f"UPDATE {table} SET id = id"), table
        assert refuses(f"DELETE FROM {table}"), table
