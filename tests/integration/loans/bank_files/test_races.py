"""Several at once: the same file, overlapping files, two people at one amount. Each money once."""

from __future__ import annotations

from typing import Any

import pytest

from loans.models import BankFileStep, ReceivedMoney
from loans.selectors.trial_balance import trial_balance
from loans.services.bank_queue import (
    Deed,
    MoneyAlreadySettledError,
    claim_money,
    match_money,
    return_money,
)
from tests.factories.bank_files import imported, kinds, loan_with_card, row, statement, stored
from tests.factories.corrections import assert_books_agree, make_servicer
from tests.factories.funded import SIGNED_AT, SIGNED_ON, set_business_date
from tests.integration.loans.servicing.test_races import at_once, none_failed

pytestmark = pytest.mark.django_db(transaction=True)
DAY = "2026-06-16"


def test_four_threads_import_the_same_file_once() -> None:
    staff = make_servicer()
    loans = [loan_with_card(41), loan_with_card(42)]
    rows = [row(serial=f"A{n}", remark=loans[n % 2].agreement.number, on=DAY) for n in range(6)]
    file = stored(statement(*rows, row(serial="Q", on=DAY)), staff)
    none_failed(at_once(*[lambda: imported(file, staff) for _ in range(4)]))
    assert [kind for kind, _ in kinds(file)] == ["BOOKED"] * 6 + ["QUEUED"]
    assert ReceivedMoney.objects.count() == 6
    for each in loans:
        assert each.events.filter(kind="REPAYMENT").count() == 3
        assert_books_agree(each)
    assert trial_balance().loose_ends == ()


def test_overlapping_files_at_once_take_each_money_in_once() -> None:
    staff, others = make_servicer(), make_servicer()
    loan = loan_with_card(43)
    number = loan.agreement.number
    rows = [row(serial=f"A{n}", remark=number, on=DAY) for n in range(5)]
    rows += [row(serial=f"Q{n}", on=DAY) for n in range(5)]
    files = [
        stored(statement(*rows), staff),
        stored(statement(*rows[::-1], row(serial="X", on=DAY)), others),
    ]
    none_failed(at_once(lambda: imported(files[0], staff), lambda: imported(files[1], others)))
    done = sorted(kind for file in files for kind, _ in kinds(file))
    assert done == ["BOOKED"] * 5 + ["KNOWN"] * 10 + ["QUEUED"] * 6
    assert loan.events.filter(kind="REPAYMENT").count() == 5
    assert_books_agree(loan)
    assert trial_balance().loose_ends == ()


def test_a_second_click_and_a_return_at_the_same_moment_settle_once() -> None:
    set_business_date(SIGNED_ON)
    staff = make_servicer()
    loan = loan_with_card(44)
    file = stored(statement(row(serial="Q", on=DAY)), staff)
    imported(file, staff)
    found = file.rows.get()
    claim_money(row_id=found.pk, actor=staff.as_actor(), at=SIGNED_AT)
    deed = Deed(actor=staff.as_actor(), reason="x", business_date=SIGNED_ON, at=SIGNED_AT)

    def match() -> Any:
        return match_money(
            row_id=found.pk, loan_id=loan.pk, effective_date=SIGNED_ON, seen=None, deed=deed
        )

    def give_back() -> Any:
        return return_money(row_id=found.pk, reference="B", deed=deed)

    results = at_once(match, match, match, give_back)
    done = [each for each in results if isinstance(each, BankFileStep)]
    refused = [each for each in results if isinstance(each, MoneyAlreadySettledError)]
    assert (len(done), len(refused)) == (1, 3), results
    booked = done[0].kind == "MATCHED"
    assert loan.events.filter(kind="REPAYMENT").count() == int(booked)
    assert_books_agree(loan)
    assert trial_balance().loose_ends == ()
