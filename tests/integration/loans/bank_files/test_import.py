"""A bank's file is judged, shown, and booked once: nothing twice, nothing lost."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from accounts.services import profiles
from loans.engine.bank_file import RowReason
from loans.engine.ledger import HouseAccount
from loans.engine.lifecycle import LoanStatus
from loans.models import BankFile, BankFileRow, BankFileStep, JournalEntry, Loan, LoanEvent, Posting
from loans.models.bank_file import RowVerdict
from loans.models.received_money import MoneyChannel
from loans.selectors.bank_files import results_of, sums_of
from loans.selectors.trial_balance import trial_balance
from loans.services import bank_files
from loans.services.bank_files import UnreadableLinesError
from loans.services.bank_queue import Deed, claim_money, match_money
from loans.services.charge_offs import charge_off
from loans.services.received_money import record_repayment
from loans.services.reversals import reverse_event
from tests.factories.accounts import grant, make_borrower
from tests.factories.bank_files import (
    card,
    imported,
    judged,
    kinds,
    loan_with_card,
    row,
    statement,
    stored,
)
from tests.factories.collections_app import FIRST_DUE, FIRST_LATE, close_through
from tests.factories.corrections import assert_books_agree, how, make_servicer, yuan
from tests.factories.funded import SIGNED_ON, funded_loan, set_business_date, settle, signed_loan
from tests.integration.loans.servicing.test_corrections import collected
from zhixin.shared.money import Money, total

pytestmark = pytest.mark.django_db


def counts() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def suspense() -> Money:
    found = {each.account: each for each in trial_balance().accounts}
    return -found[HouseAccount.SUSPENSE].balance


def assert_ties() -> None:
    books = trial_balance()
    assert books.loose_ends == ()
    assert books.debits == books.credits


def test_every_verdict_of_a_small_file() -> None:
    staff = make_servicer()
    mine, two_loans = loan_with_card(1), make_borrower(full_name="赵强")
    other = loan_with_card(2, full_name="孙丽")
    [funded_loan(borrower=two_loans) for _ in range(2)]
    pending = signed_loan()[0]
    lost = funded_loan()
    close_through(FIRST_LATE)
    charge_off(loan_id=lost.pk, **how(staff))
    record_repayment(
        loan_id=mine.pk,
        amount=yuan("5.00"),
        effective_date=FIRST_DUE,
        channel=MoneyChannel.BANK_TRANSFER,
        reference="HAND",
        **how(staff),
    )
    transfer = settle(collected(other, "10.00", on=FIRST_LATE))
    text = statement(
        row(serial="A", amount="100.00", remark=f"还款 {mine.agreement.number.lower()}"),
        row(serial="B", amount="200.00", account=card(2)),
        row(serial="C", amount="300.00", remark=lost.agreement.number, on="2026-07-17"),
        row(serial="D", amount="", out="50.00"),
        row(serial="HAND", amount="5.00", remark=mine.agreement.number),
        row(serial="HAND", amount="6.00", remark=mine.agreement.number),
        row(serial=transfer.bank_reference, amount="10.00", account=card(2)),
        row(serial="E", amount="1066.19", payer="孙丽"),
        row(serial="F", amount="7.00", remark="ZX-NOBODY-1"),
        row(serial="G", amount="8.00", remark=pending.agreement.number),
        row(serial="H", amount="9.00", remark=mine.agreement.number, on="2026-07-18"),
        row(serial="I", amount="9.00", remark=mine.agreement.number, on="2026-06-15"),
        row(serial="A", amount="100.00", remark=mine.agreement.number),
        row(serial="J", amount="x", remark=mine.agreement.number),
        row(serial="", amount="11.00", remark=mine.agreement.number),
        "合计,,1771.19,50.00",
    )
    before = counts()
    found = judged(text)
    assert [(each.verdict.value, each.reason.value) for each in found] == [
        ("WILL_BOOK", "BY_NUMBER"),
        ("WILL_BOOK", "BY_ACCOUNT"),
        ("WILL_BOOK", "BY_NUMBER"),
        ("SKIPPED", "OUTGOING"),
        ("ALREADY_BOOKED", "BOOKED_BY_HAND"),
        ("UNMATCHED", "REFERENCE_CONFLICT"),
        ("ALREADY_BOOKED", "CAME_BY_RAIL"),
        ("UNMATCHED", "SUGGESTED"),
        ("UNMATCHED", "UNKNOWN_NUMBER"),
        ("UNMATCHED", "LOAN_NOT_PAID_OUT"),
        ("UNMATCHED", "FUTURE_DATE"),
        ("UNMATCHED", "REFUSED"),
        ("ALREADY_BOOKED", "TWICE_IN_FILE"),
        ("INVALID", "BAD_AMOUNT"),
        ("INVALID", "NO_SERIAL"),
        ("INVALID", "TOTALS_DIFFER"),
    ]
    assert counts() == before
    assert [each.loan.key for each in found if each.loan] == [mine.pk, other.pk, lost.pk]
    assert [each.what_if["kind"] for each in found if each.loan] == [
        "REPAYMENT",
        "REPAYMENT",
        "RECOVERY",
    ]

    file = stored(text, staff)
    assert LoanEvent.objects.filter(body__amount="100.00").count() == 0
    sums = {each.verdict: each.amount_in for each in sums_of(file)}
    assert {key: str(value) for key, value in sums.items()} == {
        RowVerdict.WILL_BOOK: "600.00",
        RowVerdict.ALREADY_BOOKED: "115.00",
        RowVerdict.UNMATCHED: "1105.19",
        RowVerdict.SKIPPED: "0.00",
        RowVerdict.INVALID: "11.00",
    }
    assert total(sums.values()) == file.amount_in == yuan("1831.19")
    with pytest.raises(UnreadableLinesError, match="2 lines cannot be read"):
        imported(file, staff)
    assert not BankFileStep.objects.exists()

    assert imported(file, staff, accept=True) == 16
    assert [kind for kind, _ in kinds(file)] == [
        *("BOOKED", "BOOKED", "BOOKED", "SHOWN", "KNOWN", "QUEUED", "KNOWN"),
        *("QUEUED", "QUEUED", "QUEUED", "QUEUED", "QUEUED", "KNOWN"),
        *("LISTED", "QUEUED", "LISTED"),
    ]
    assert not BankFileStep.objects.filter(changed=True).exists()
    results = {each.kind.value: str(each.amount) for each in results_of(file)}
    assert results == {
        "BOOKED": "600.00",
        "QUEUED": "1116.19",
        "KNOWN": "115.00",
        "SHOWN": "50.00",
        "LISTED": "0.00",
    }
    assert suspense() == yuan("1116.19")
    assert_ties()
    for each in (mine, other, lost):
        assert_books_agree(each)
    event = LoanEvent.objects.get(received_money__reference="A")
    assert (event.effective_date, event.kind) == (FIRST_DUE, "REPAYMENT")
    assert event.reason == "Bank file statement.csv, line 2"
    assert LoanEvent.objects.get(received_money__reference="C").kind == "RECOVERY"


def test_what_it_would_pay_folds_the_lines_above_too_and_penalty_of_late_days_goes() -> None:
    loan = loan_with_card(3)
    close_through(FIRST_DUE + datetime.timedelta(days=10))
    number = loan.agreement.number
    first, second = judged(
        statement(
            row(serial="A", amount="1000.00", remark=number),
            row(serial="B", amount="1066.19", remark=number, on="2026-07-20"),
        )
    )
    assert first.what_if["interest"] == "120.00"
    assert first.what_if["principal"] == "880.00"
    assert second.what_if["owed_before"] == first.what_if["owed_after"]
    staff = make_servicer()
    file = stored(statement(row(serial="A", amount="1066.19", remark=number)), staff)
    imported(file, staff)
    loan.refresh_from_db()
    # It came on the due date: nothing was late, and no penalty remains.
    assert (loan.days_past_due, loan.overdue_amount) == (0, Money.zero())
    assert_books_agree(loan)


def test_a_closed_loan_gets_credit_from_its_borrower_only() -> None:
    staff = make_servicer()
    loan = loan_with_card(4)
    settle(collected(loan, "12000.00", on=SIGNED_ON))
    number = loan.agreement.number
    file = stored(
        statement(
            row(serial="A", payer="李小华", remark=number, on="2026-06-16"),
            row(serial="B", payer="王芳", remark=number, on="2026-06-16"),
            row(serial="C", payer="李小华", account=card(4), on="2026-06-16"),
        ),
        staff,
    )
    imported(file, staff)
    assert kinds(file) == [
        ("BOOKED", "BY_NUMBER"),
        ("QUEUED", "LOAN_CLOSED"),
        ("QUEUED", "NO_MATCH"),
    ]
    loan.refresh_from_db()
    assert (loan.status, loan.overpaid_amount) == (LoanStatus.OVERPAID, yuan("100.00"))
    assert_ties()


def test_money_beyond_what_is_owed_is_said_and_needs_the_contract_number() -> None:
    loan = loan_with_card(5)
    number = loan.agreement.number
    set_business_date(datetime.date(2026, 6, 16))
    text = statement(
        row(serial="B-1", amount="11000.00", on="2026-06-16", account=card(5)),
        # By the account only: 11,000.00 of 12,000.00 came above, so 200.00 are too much.
        row(serial="B-2", amount="1200.00", on="2026-06-16", account=card(5)),
        row(serial="B-3", amount="1000.00", on="2026-06-16", account=card(5)),
        row(serial="B-4", amount="50.00", on="2026-06-16", payer="李小华", remark=number),
    )
    found = judged(text)
    assert [(each.verdict, each.reason) for each in found] == [
        (RowVerdict.WILL_BOOK, RowReason.BY_ACCOUNT),
        (RowVerdict.UNMATCHED, RowReason.MORE_THAN_OWED),
        (RowVerdict.WILL_BOOK, RowReason.BY_ACCOUNT),
        (RowVerdict.WILL_BOOK, RowReason.BY_NUMBER),
    ]
    assert found[1].detail == f"{number}: +200.00"
    assert [each.what_if.get("beyond") for each in found] == ["0.00", None, "0.00", "50.00"]
    staff = make_servicer()
    file = stored(text, staff)
    imported(file, staff)
    assert [kind for kind, _ in kinds(file)] == ["BOOKED", "QUEUED", "BOOKED", "BOOKED"]
    loan.refresh_from_db()
    assert loan.overpaid_amount == Money.parse("50.00")
    assert suspense() == Money.parse("1200.00")
    assert_ties()


def test_twice_and_overlapping_files_book_once() -> None:
    staff = make_servicer()
    loan = loan_with_card(5)
    number = loan.agreement.number
    rows = [row(serial=name, remark=number, on="2026-06-16") for name in "ABC"]
    strange = row(serial="Q", on="2026-06-16")
    set_business_date(SIGNED_ON)
    first = stored(statement(rows[0], rows[1], strange), staff)
    imported(first, staff)
    again = stored(statement(rows[0], rows[1], strange), staff)
    assert again.pk == first.pk
    assert imported(again, staff) == 0
    overlapping = stored(statement(strange, rows[1], rows[2]), staff)
    assert [each.verdict for each in overlapping.rows.order_by("line_number")] == [
        "ALREADY_BOOKED",
        "ALREADY_BOOKED",
        "WILL_BOOK",
    ]
    imported(overlapping, staff)
    assert kinds(overlapping) == [
        ("KNOWN", "WAITS_IN_QUEUE"),
        ("KNOWN", "IMPORTED_BEFORE"),
        ("BOOKED", "BY_NUMBER"),
    ]
    assert loan.events.filter(kind="REPAYMENT").count() == 3
    assert suspense() == yuan("100.00")
    assert_ties()


def test_cut_off_between_lines_and_run_again_is_once(monkeypatch: pytest.MonkeyPatch) -> None:
    staff = make_servicer()
    loan = loan_with_card(6)
    number = loan.agreement.number
    file = stored(
        statement(
            *(row(serial=name, remark=number, on="2026-06-16") for name in "AB"),
            row(serial="Q", on="2026-06-16"),
        ),
        staff,
    )

    class PowerCutError(Exception):
        pass

    def cut(done: int, _every: int) -> None:
        if done == 1:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        bank_files.import_bank_file(
            file_id=file.pk,
            actor=staff.as_actor(),
            business_date=SIGNED_ON,
            clock=lambda: datetime.datetime(2026, 6, 16, tzinfo=datetime.UTC),
            report=cut,
        )
    assert [kind for kind, _ in kinds(file)] == ["BOOKED"]
    # In the middle of a line: its money and its step come together or not at all.
    with monkeypatch.context() as broken:
        broken.setattr(bank_files._RowWork, "_write", lambda *_a, **_k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            imported(file, staff)
    assert loan.events.filter(kind="REPAYMENT").count() == 1
    assert imported(file, staff) == 2
    assert [kind for kind, _ in kinds(file)] == ["BOOKED", "BOOKED", "QUEUED"]
    assert loan.events.filter(kind="REPAYMENT").count() == 2
    assert_ties()


def test_what_changed_since_the_dry_run_waits_for_a_person() -> None:
    staff = make_servicer()
    shown, late_match = loan_with_card(7), loan_with_card(8)
    set_business_date(SIGNED_ON)
    file = stored(
        statement(
            row(serial="A", remark=shown.agreement.number, on="2026-06-16"),
            row(serial="B", account=card(9), on="2026-06-16"),
        ),
        staff,
    )
    record_repayment(
        loan_id=shown.pk,
        amount=yuan("100.00"),
        effective_date=SIGNED_ON,
        channel=MoneyChannel.BANK_TRANSFER,
        reference="A",
        **how(staff),
    )
    profiles.save_bank_account(
        user=late_match.borrower,
        bank_code="ICBC",
        card_number=card(9),
        actor=late_match.borrower.as_actor(),
        at=datetime.datetime(2026, 6, 16, tzinfo=datetime.UTC),
    )
    imported(file, staff)
    assert kinds(file) == [("KNOWN", "BOOKED_BY_HAND"), ("QUEUED", "CHANGED")]
    steps = BankFileStep.objects.order_by("pk").values_list("changed", flat=True)
    assert list(steps) == [True, False]
    assert late_match.events.filter(kind="REPAYMENT").count() == 0
    assert_ties()


def test_what_was_booked_and_reversed_is_not_booked_again_by_itself() -> None:
    staff = make_servicer()
    loan = loan_with_card(10)
    number = loan.agreement.number
    line = row(serial="A", remark=number, on="2026-06-16")
    booked = record_repayment(
        loan_id=loan.pk,
        amount=yuan("100.00"),
        effective_date=SIGNED_ON,
        channel=MoneyChannel.BANK_TRANSFER,
        reference="A",
        **how(staff),
    )
    reverse_event(loan_id=loan.pk, event_id=booked.event_id, **how(staff))
    file = stored(statement(line), staff)
    imported(file, staff)
    assert kinds(file) == [("QUEUED", "REVERSED_BEFORE")]


def test_nobody_books_on_a_loan_of_their_own() -> None:
    loan = loan_with_card(11)
    file = stored(
        statement(row(serial="A", remark=loan.agreement.number, on="2026-06-16")), loan.borrower
    )
    imported(file, loan.borrower)
    assert kinds(file) == [("QUEUED", "REFUSED")]
    assert loan.events.filter(kind="REPAYMENT").count() == 0


# --- What the database keeps true ---------------------------------------------------------------


def queued_row(staff: User) -> BankFileRow:
    file = stored(statement(row(serial="Q", on="2026-06-16")), staff)
    imported(file, staff)
    return file.rows.get()


def test_the_database_takes_money_in_once_and_settles_it_once() -> None:
    set_business_date(SIGNED_ON)
    found = queued_row(make_servicer())
    entry = JournalEntry.objects.get()
    facts: dict[str, Any] = {
        "row": found,
        "actor_label": "x",
        "recorded_at": found.file.recorded_at,
    }
    for name, wrong in {
        "bank_file_row_imported_once": {"kind": "SHOWN"},
        "bank_file_step_identity": {"kind": "CLAIMED", "identity": "x"},
        "bank_file_step_entry": {"kind": "RETURNED", "reason": "x", "reference": "x"},
        "bank_file_step_event": {"kind": "MATCHED", "entry": entry},
    }.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            BankFileStep.objects.create(**facts, **wrong)


def test_only_suspense_and_its_bank_side_stand_without_a_loan() -> None:
    set_business_date(SIGNED_ON)
    queued_row(make_servicer())
    entry, loan = JournalEntry.objects.get(), funded_loan()
    assert sorted(Posting.objects.filter(loan=None).values_list("account", "entry")) == [
        ("BANK", entry.pk),
        ("SUSPENSE", entry.pk),
    ]
    wrong = (("NULL", "LOANS_RECEIVABLE"), (str(loan.pk), "SUSPENSE"))
    for loan_id, account in wrong:
        with (
            pytest.raises(IntegrityError, match="posting_without_loan_is_suspense"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "INSERT INTO loans_posting (entry_id, loan_id, account, debit_cents, credit_cents)"
                f" VALUES ({entry.pk}, {loan_id}, '{account}', 1, 0)"
            )
    with pytest.raises(IntegrityError, match="journal_entry_has_loan_or_suspense"):
        JournalEntry.objects.create(
            loan=None,
            business_date=SIGNED_ON,
            reason="REPAYMENT",
            posting_count=2,
            actor_label="x",
            recorded_at=entry.recorded_at,
        )


# --- The command --------------------------------------------------------------------------------


def command(path: Path, *words: str) -> str:
    output = io.StringIO()
    call_command("import_bank_file", str(path), *words, stdout=output)
    return output.getvalue()


@pytest.fixture
def clerk() -> User:
    staff = make_servicer()
    grant(staff, "loans.import_bank_file")
    return staff


def test_the_command_shows_and_then_books(tmp_path: Path, clerk: User) -> None:
    loan = loan_with_card(12)
    number = loan.agreement.number
    path = tmp_path / "july.csv"
    path.write_bytes(
        statement(
            row(serial="A", amount="1,066.19".replace(",", ""), remark=number, on="2026-06-16"),
            row(serial="B", amount="7.00", payer="=cmd()", on="2026-06-16"),
        ).encode("gbk")
    )
    before = counts()
    shown = command(path)
    assert counts() == before
    lines = shown.splitlines()
    assert (
        lines[0].split()
        == (
            f"2 WILL_BOOK 2026-06-16 1,066.19 A 王芳 {number} REPAYMENT; "
            "Contract number in the remark; pays credit 1066.19"
        ).split()
    )
    assert "'=cmd()" in lines[1]
    assert "No loan was found" in lines[1]
    assert lines[-1].split() == ["the", "file", "2", "in", "1073.19", "out", "0.00"]

    found = json.loads(command(path, "--dry-run", "--format", "json"))
    assert found["totals"]["WILL_BOOK"] == {"lines": "1", "in": "1066.19", "out": "0.00"}
    assert [each["verdict"] for each in found["rows"]] == ["WILL_BOOK", "UNMATCHED"]
    assert counts() == before

    with pytest.raises(CommandError, match="--by"):
        command(path, "--commit")
    with pytest.raises(CommandError, match="no member of staff"):
        command(path, "--commit", "--by", "nobody@example.com")
    assert counts() == before
    done = json.loads(command(path, "--commit", "--by", clerk.email or "", "--format", "json"))
    assert done["done"] == {
        "BOOKED": {"lines": 1, "sum": "1066.19"},
        "QUEUED": {"lines": 1, "sum": "7.00"},
    }
    again = command(path, "--commit", "--by", clerk.email or "")
    assert "stored before" in again
    assert "0 lines imported now" in again
    assert loan.events.filter(kind="REPAYMENT").count() == 1
    assert BankFile.objects.get().name == "july.csv"
    assert_ties()


@pytest.mark.parametrize(
    "login",
    ["13900000005", "+8613900000005", "139 0000 0005", "0086-139-0000-0005", "Clerk@Example.com"],
)
def test_the_command_knows_staff_by_what_they_sign_in_with(
    tmp_path: Path, clerk: User, login: str
) -> None:
    clerk.phone = None if "@" in login else "+8613900000005"
    clerk.email = "clerk@example.com" if "@" in login else None
    clerk.save()
    path = tmp_path / "july.csv"
    path.write_bytes(statement(row(serial="A", amount="7.00", on="2026-06-16")).encode())
    before = counts()
    with pytest.raises(CommandError, match=r"13900000006 is no member .* phone number .* e-mail"):
        command(path, "--commit", "--by", "13900000006")
    assert counts() == before
    assert "1 lines imported now" in command(path, "--commit", "--by", login)


def test_the_command_refuses_what_is_no_statement(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"PK\x03\x04...")
    before = counts()
    with pytest.raises(CommandError, match="Export the statement as CSV"):
        command(path)
    with pytest.raises(CommandError, match="cannot be read"):
        command(tmp_path / "nothing.csv")
    other = tmp_path / "other.csv"
    other.write_text("when,who,how much\n2026-07-16,Wang,1.00\n")
    with pytest.raises(CommandError) as refused:
        command(other)
    (said,) = str(refused.value).splitlines()
    assert said.startswith(f"{other}: No row with the names of the columns was found.")
    assert "Found: when, who, how much. Expected: 交易日期 (date), 流水号 (reference)" in said
    assert said.endswith("docs/bank_files.md lists every name that is understood.")
    assert counts() == before


def test_account_numbers_are_stored_encrypted() -> None:
    set_business_date(SIGNED_ON)
    staff = make_servicer()
    stored(statement(row(serial="A", account=card(13), on="2026-06-16")), staff)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM loans_bankfilerow")
        assert card(13) not in str(cursor.fetchall())
    kept = json.loads(BankFileRow.objects.get().raw)
    assert kept["对方账号"] == card(13)
    assert Loan.objects.count() == 0


# --- The queue's hard cases ---------------------------------------------------------------------


def booked_from_queue(found: BankFileRow, loan: Loan, staff: User) -> LoanEvent:
    """Take the money on and book it, as staff do."""
    claim_money(row_id=found.pk, actor=staff.as_actor(), at=found.file.recorded_at)
    deed = Deed(
        actor=staff.as_actor(),
        reason="x",
        business_date=SIGNED_ON,
        at=found.file.recorded_at,
    )
    step = match_money(
        row_id=found.pk, loan_id=loan.pk, effective_date=SIGNED_ON, seen=None, deed=deed
    )
    assert step.event is not None
    return step.event


def test_money_with_a_serial_number_of_another_payment_is_booked_under_one_of_its_own() -> None:
    staff, loan = make_servicer(), loan_with_card(14)
    number = loan.agreement.number
    file = stored(
        statement(
            row(serial="S", amount="5.00", remark=number, on="2026-06-16"),
            row(serial="S", amount="6.00", remark=number, on="2026-06-16"),
            row(serial="", amount="7.00", remark=number, on="2026-06-16"),
        ),
        staff,
    )
    imported(file, staff)
    assert [why for _, why in kinds(file)] == ["BY_NUMBER", "REFERENCE_CONFLICT", "NO_SERIAL"]
    second, third = file.rows.order_by("line_number")[1:]
    for found, serial in ((second, "S"), (third, "")):
        event = booked_from_queue(found, loan, staff)
        assert event.received_money.reference == f"{serial}#{found.identity[:8]}"
    assert loan.events.filter(kind="REPAYMENT").count() == 3
    assert suspense() == Money.zero()
    assert_ties()
    assert_books_agree(loan)


def test_money_that_was_reversed_is_booked_again_from_the_queue() -> None:
    staff, wrong, right = make_servicer(), loan_with_card(15), loan_with_card(16)
    booked = record_repayment(
        loan_id=wrong.pk,
        amount=yuan("100.00"),
        effective_date=SIGNED_ON,
        channel=MoneyChannel.BANK_TRANSFER,
        reference="A",
        **how(staff),
    )
    reverse_event(loan_id=wrong.pk, event_id=booked.event_id, **how(staff))
    file = stored(statement(row(serial="A", account=card(16), on="2026-06-16")), staff)
    imported(file, staff)
    event = booked_from_queue(file.rows.get(), right, staff)
    assert (event.received_money.reference, event.received_money.use) == ("A", 2)
    assert_ties()
    assert_books_agree(right)
