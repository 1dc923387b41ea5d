"""The law of an import: booked + suspense + known = what came in; the journal ties. Any files."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loans.engine.ledger import HouseAccount, LedgerAccount
from loans.models import BankFileRow, Loan
from loans.models.bank_file import RowVerdict
from loans.selectors.bank_files import results_of, sums_of
from loans.selectors.trial_balance import trial_balance
from tests.factories.bank_files import card, imported, loan_with_card, row, statement, stored
from tests.factories.corrections import assert_books_agree, make_servicer
from tests.factories.funded import SIGNED_ON, set_business_date
from zhixin.shared.money import Money, total

pytestmark = pytest.mark.django_db

DAYS = ("2026-06-16", "20260616", "2026/6/15", "2026-06-17", "soon")
LINES = st.builds(
    dict,
    serial=st.sampled_from(["", "A", "B", "C", "D", "E"]),
    amount=st.sampled_from(["0.01", "100.00", "12000.00", "13000.00", "x", "-5", ""]),
    out=st.sampled_from(["", "", "", "7.00"]),
    on=st.sampled_from(DAYS),
    payer=st.sampled_from(["李小华", "王芳"]),
    account=st.sampled_from(["", card(61), card(62)]),
    remark=st.sampled_from(["", "还款", "FIRST", "SECOND", "ZX-NOBODY"]),
)
FILES = st.lists(st.lists(LINES, min_size=1, max_size=5), min_size=1, max_size=3)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=FILES)
def test_what_came_in_is_booked_in_suspense_or_known(
    files: list[list[dict[str, str]]], books: tuple[Loan, Loan]
) -> None:
    # The next example begins with the same books.
    with transaction.atomic():
        for number, lines in enumerate(files):
            import_and_check(number, lines, books)
        transaction.set_rollback(True)


@pytest.fixture
def books() -> tuple[Loan, Loan]:
    set_business_date(SIGNED_ON)
    return loan_with_card(61), loan_with_card(62)


def import_and_check(number: int, lines: list[dict[str, str]], books: tuple[Loan, Loan]) -> None:
    numbers = {"FIRST": books[0].agreement.number, "SECOND": books[1].agreement.number}
    staff = make_servicer()
    text = statement(
        f"第{number}页",
        *(row(**{**line, "remark": numbers.get(line["remark"], line["remark"])}) for line in lines),
    )
    file = stored(text, staff)
    shown = {each.verdict: each for each in sums_of(file)}
    assert sum(each.count for each in shown.values()) == file.row_count == len(lines) + 1
    assert total(each.amount_in for each in shown.values()) == file.amount_in
    assert total(each.amount_out for each in shown.values()) == file.amount_out
    assert shown[RowVerdict.SKIPPED].amount_out == file.amount_out
    imported(file, staff, accept=True)
    done = {each.kind.value: each.amount for each in results_of(file)}
    nothing = Money.zero()
    moved = [done.get(kind, nothing) for kind in ("BOOKED", "QUEUED", "KNOWN")]
    assert total(moved) == file.amount_in
    assert done.get("SHOWN", nothing) == file.amount_out
    balance = trial_balance()
    assert balance.loose_ends == ()
    held = {each.account: each.balance for each in balance.accounts}
    waiting = total(each.amount for each in BankFileRow.objects.waiting() if each.amount)
    assert held[HouseAccount.SUSPENSE] == -waiting
    booked = BankFileRow.objects.filter(steps__kind="BOOKED")
    came = total(each.amount for each in booked if each.amount)
    # Two payouts of 12,000 went out; all else at the bank came with the files.
    assert held[LedgerAccount.BANK] == came + waiting - Money.parse("24000.00")
    for loan in books:
        assert_books_agree(loan)
