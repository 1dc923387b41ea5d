"""The pages of import and queue: look, import, take on, book or return; who may and who may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import PersonalDataAccess, User
from loans.models import BankFile, BankFileRow, BankFileStep, Loan, LoanEvent, Posting
from loans.selectors.trial_balance import trial_balance
from tests.factories.bank_files import card, imported, loan_with_card, row, statement, stored
from tests.factories.corrections import assert_books_agree
from tests.factories.funded import SIGNED_ON, set_business_date
from tests.integration.loans.test_loan_desk import hidden, signed_in, staff_as
from zhixin.shared.permissions import Role

pytestmark = pytest.mark.django_db
FILES = "/admin/loans/bankfile/import/"
QUEUE = "/admin/loans/bankfile/queue/"
DAY = "2026-06-16"


@pytest.fixture
def clerk() -> User:
    return staff_as(Role.SERVICER)


@pytest.fixture
def desk(clerk: User) -> Client:
    return signed_in(clerk)


@pytest.fixture
def loan() -> Loan:
    return loan_with_card(21)


@pytest.fixture
def waiting(loan: Loan, clerk: User) -> BankFileRow:
    """100.00 with the borrower's name and another amount than is due, in the queue."""
    del loan
    file = stored(statement(row(serial="Q", payer="李小华", account=card(22), on=DAY)), clerk)
    imported(file, clerk)
    return file.rows.get()


def upload(desk: Client, content: bytes, name: str = "六月.csv") -> Any:
    return desk.post(FILES, {"file": SimpleUploadedFile(name, content)}, follow=True)


def act(desk: Client, found: BankFileRow, do: str, **more: str) -> Any:
    return desk.post(f"{QUEUE}{found.pk}/", {"do": do, **more}, follow=True)


def kinds_of(found: BankFileRow) -> list[str]:
    return list(found.steps.order_by("pk").values_list("kind", flat=True))


def repayments(loan: Loan) -> int:
    return loan.events.filter(kind="REPAYMENT").count()


def test_upload_look_and_import(desk: Client, loan: Loan) -> None:
    text = statement(
        row(serial="A", remark=loan.agreement.number, on=DAY),
        row(serial="B", payer="<script>", on=DAY),
        row(serial="C", amount="abc", on=DAY),
    )
    page = upload(desk, text.encode("gbk"))
    assert page.status_code == 200
    assert {each.verdict.value: each.count for each in page.context["sums"] if each.count} == {
        "WILL_BOOK": 1,
        "UNMATCHED": 1,
        "INVALID": 1,
    }
    assert loan.agreement.number in page.text
    assert "&lt;script&gt;" in page.text
    assert not BankFileStep.objects.exists()
    file = BankFile.objects.get()
    assert file.name == "六月.csv"
    address = reverse("admin:loans_bank_file", args=[file.pk])
    refused = desk.post(address, follow=True)
    assert "1 lines cannot be read" in refused.text
    assert not BankFileStep.objects.exists()
    for _ in range(2):
        desk.post(address, {"accept": "1"}, follow=True)
    assert repayments(loan) == 1
    assert BankFileStep.objects.count() == 3
    again = upload(desk, text.encode("gbk"))
    assert "stored before" in again.text
    assert "The whole file is imported." in again.text
    assert BankFile.objects.count() == 1
    only = desk.get(f"{address}?verdict=INVALID")
    assert [each.line_number for each, _ in only.context["rows"]] == [4]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04...", "Export the statement as CSV"),
        (b"", "The file is empty."),
        (b"a,b\n1,2\n", "No row with the names of the columns"),
        (b"x" * (20 * 1024 * 1024 + 1), "the most is 20 MB"),
        (
            statement(*(row(serial=str(n), on=DAY) for n in range(1001))).encode(),
            "import_bank_file",
        ),
    ],
)
def test_what_is_no_statement_is_refused(desk: Client, content: bytes, words: str) -> None:
    page = upload(desk, content)
    assert page.status_code == 422
    assert words in page.text
    assert not BankFile.objects.exists()


def test_a_files_name_keeps_its_letters_and_a_posting_says_its_side(
    desk: Client, loan: Loan
) -> None:
    upload(desk, statement(row(serial="A", remark=loan.agreement.number, on=DAY)).encode())
    file = BankFile.objects.get()
    address = reverse("admin:loans_bank_file", args=[file.pk])
    assert desk.get(address).context["title"] == f"bank file {file.name}"
    paid_out = Posting.objects.filter(loan=loan).order_by("pk")
    assert sorted(str(posting) for posting in paid_out) == [
        "Credit Bank ¥12,000.00",
        "Debit Loans receivable ¥12,000.00",
    ]


def test_money_is_taken_on_looked_at_and_booked(
    desk: Client, clerk: User, loan: Loan, waiting: BankFileRow
) -> None:
    assert "李小华" in desk.get(QUEUE).text
    first = act(desk, waiting, "claim")
    assert [why for _, why in first.context["suggested"]] == ["name"]
    before = PersonalDataAccess.objects.filter(subject=loan.borrower).count()
    url = f"{QUEUE}{waiting.pk}/?loan={loan.public_id}"
    look = desk.get(url)
    assert PersonalDataAccess.objects.filter(subject=loan.borrower).count() == before + 1
    shown = {each.label: each.after for each in look.context["figures"] if each.changes}
    assert shown["Credit"] == "¥100.00"
    form = {**hidden(look), "effective_date": DAY}
    assert "Say why." in act(desk, waiting, "book", **form).text
    other_day = {**form, "effective_date": "2026-06-17", "reason": "x"}
    assert "has not begun" in act(desk, waiting, "book", **other_day).text
    assert repayments(loan) == 0
    done = act(desk, waiting, "book", **form, reason="The borrower called.")
    assert f"Booked on loan {loan.agreement.number}." in done.text
    again = act(desk, waiting, "book", **form, reason="The borrower called.")
    assert "settled already" in again.text
    assert kinds_of(waiting) == ["QUEUED", "CLAIMED", "MATCHED"]
    event = LoanEvent.objects.get(kind="REPAYMENT")
    assert (event.reason, event.actor_user) == ("The borrower called.", clerk)
    assert event.received_money.reference == "Q"
    assert not BankFileRow.objects.waiting().exists()
    assert_books_agree(loan)
    assert trial_balance().loose_ends == ()


def test_money_is_returned_with_reference_and_reason(
    desk: Client, loan: Loan, waiting: BankFileRow
) -> None:
    act(desk, waiting, "claim")
    empty = act(desk, waiting, "return", reference="", reason="")
    assert empty.status_code == 422
    assert kinds_of(waiting) == ["QUEUED", "CLAIMED"]
    act(desk, waiting, "return", reference="BACK-1", reason="Not for us.")
    act(desk, waiting, "return", reference="BACK-1", reason="Not for us.")
    step = waiting.steps.get(kind="RETURNED")
    assert (step.reference, step.reason) == ("BACK-1", "Not for us.")
    assert repayments(loan) == 0
    assert trial_balance().loose_ends == ()
    assert "Returned to the payer" in desk.get(f"{QUEUE}{waiting.pk}/").text


def test_what_somebody_has_taken_on_is_theirs(
    desk: Client, loan: Loan, waiting: BankFileRow
) -> None:
    other = signed_in(staff_as(Role.SERVICING_LEAD))
    act(desk, waiting, "claim")
    assert "has taken this on" in act(other, waiting, "claim").text
    form = {"loan": str(loan.public_id), "effective_date": DAY, "shown_date": DAY, "reason": "x"}
    assert "Take it on first." in act(other, waiting, "book", **form).text
    act(other, waiting, "return", reference="x", reason="x")
    act(desk, waiting, "release")
    act(other, waiting, "claim")
    assert kinds_of(waiting) == ["QUEUED", "CLAIMED", "RELEASED", "CLAIMED"]
    assert repayments(loan) == 0


def test_a_loan_that_changed_since_the_look_is_shown_again(
    desk: Client, loan: Loan, waiting: BankFileRow, clerk: User
) -> None:
    act(desk, waiting, "claim")
    form = {
        **hidden(desk.get(f"{QUEUE}{waiting.pk}/?loan={loan.public_id}")),
        "effective_date": DAY,
    }
    other = stored(statement(row(serial="Z", remark=loan.agreement.number, on=DAY)), clerk)
    imported(other, clerk)
    page = act(desk, waiting, "book", **form, reason="x")
    assert page.status_code == 409
    assert "has changed since you looked" in page.text
    assert repayments(loan) == 1
    act(desk, waiting, "book", **{**hidden(page), "effective_date": DAY}, reason="x")
    assert repayments(loan) == 2


def test_a_search_finds_by_number_name_and_phone(
    desk: Client, loan: Loan, waiting: BankFileRow
) -> None:
    act(desk, waiting, "claim")
    for words in (loan.agreement.number, "李小华", str(loan.borrower.phone)[-6:]):
        page = desk.get(f"{QUEUE}{waiting.pk}/", {"q": words})
        assert [found for found, _ in page.context["found"]] == [loan]
    assert desk.get(f"{QUEUE}{waiting.pk}/", {"q": "nobody"}).context["found"] == []


def test_auditors_read_and_change_nothing(waiting: BankFileRow) -> None:
    auditor = signed_in(staff_as(Role.AUDITOR))
    for address in (FILES, f"{FILES}{waiting.file_id}/", QUEUE, f"{QUEUE}{waiting.pk}/"):
        page = auditor.get(address)
        assert page.status_code == 200
        assert 'type="file"' not in page.text
        assert card(22) not in page.text
    for address in (FILES, f"{FILES}{waiting.file_id}/", f"{QUEUE}{waiting.pk}/"):
        assert auditor.post(address, {"do": "claim"}).status_code == 403
    assert kinds_of(waiting) == ["QUEUED"]
    assert auditor.get(f"{QUEUE}{waiting.pk + 1000}/").status_code == 404


def test_underwriters_see_nothing_of_it() -> None:
    underwriter = signed_in(staff_as(Role.UNDERWRITER))
    for address in (FILES, QUEUE):
        assert underwriter.get(address).status_code == 403


def test_collectors_see_nothing_of_it() -> None:
    collector = signed_in(staff_as(Role.COLLECTOR))
    set_business_date(SIGNED_ON)
    for address in (FILES, QUEUE):
        assert collector.get(address).status_code == 403


@pytest.mark.parametrize("lines", [1, 5])
def test_pages_ask_the_database_as_often_whatever_there_is(
    desk: Client, clerk: User, lines: int, django_assert_num_queries: Any
) -> None:
    loan = loan_with_card(30)
    rows = [row(serial=f"Q{n}", on=DAY) for n in range(lines)]
    rows += [row(serial=f"B{n}", remark=loan.agreement.number, on=DAY) for n in range(lines)]
    file = stored(statement(*rows), clerk)
    imported(file, clerk)
    with django_assert_num_queries(13):
        assert desk.get(f"{FILES}{file.pk}/").status_code == 200
    with django_assert_num_queries(7):
        assert desk.get(QUEUE).status_code == 200
