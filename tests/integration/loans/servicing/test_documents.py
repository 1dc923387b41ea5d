"""The documents of a loan: page and PDF say the same, to nobody but those who may read them."""

from __future__ import annotations

import datetime
import io
import re
from collections import Counter
from decimal import Decimal
from threading import Thread

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader
from pytest_django import DjangoAssertNumQueries

from accounts.models import PersonalDataAccess, User
from loans.engine.ledger import LedgerAccount
from loans.engine.statement import position_of, statement
from loans.models import Loan, LoanStatusChange, Posting, SettlementCertificate
from loans.selectors.documents.certificate import check_certificate, grouped_code, holds
from loans.selectors.servicing import events_of, loan_state, terms_of
from loans.services.certificates import (
    UnableToIssueCertificateError,
    issue_settlement_certificate,
)
from tests.factories.accounts import make_borrower, make_person
from tests.factories.collections_app import make_staff
from tests.factories.documents import RARE_NAME, eventful_loan, pay_off, repay, take_back
from tests.factories.funded import SIGNED_AT, funded_loan, signed_loan, terms
from tests.factories.loans import make_ready_to_sign, open_shop, sign
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db

LAST_DAY = datetime.date(2026, 9, 25)
PAID_OFF_ON = datetime.date(2026, 7, 2)
AMOUNT = re.compile(r"[+−]?¥[\d,]+\.\d+")


def as_person(person: User, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(loan: Loan, name: str, query: str = "", language: str = "en") -> str:
    """Return the text of the document on its page."""
    path = reverse(f"loans:{name}", args=[loan.public_id]) + query
    response = as_person(loan.borrower, language).get(path)
    assert response.status_code == 200
    article = re.search(r"<article.*</article>", response.content.decode(), re.DOTALL)
    assert article is not None
    return re.sub(r"<form.*?</form>", " ", article[0], flags=re.DOTALL)


def pdf_text(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def pdf_of(loan: Loan, name: str, query: str = "", language: str = "en") -> str:
    path = reverse(f"loans:{name}_pdf", args=[loan.public_id]) + query
    response = as_person(loan.borrower, language).get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/pdf"
    return pdf_text(response.content)


def paid_off_loan() -> Loan:
    loan = funded_loan(borrower=make_borrower(full_name=RARE_NAME), loan_terms=terms(count=3))
    pay_off(loan, on=PAID_OFF_ON)
    return loan


def issue(loan: Loan, on: datetime.date = PAID_OFF_ON) -> SettlementCertificate:
    return issue_settlement_certificate(
        loan_id=loan.pk, business_date=on, actor=loan.borrower.as_actor(), at=SIGNED_AT
    )


# --- Schedule and statement ---------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("schedule", ""),
        ("statement", ""),
        ("statement", "?period=own&start=2026-07-17&end=2026-08-22"),
    ],
)
def test_the_pdf_has_the_figures_of_the_page(name: str, query: str, language: str) -> None:
    loan = eventful_loan()
    page, pdf = page_of(loan, name, query, language), pdf_of(loan, name, query, language)
    assert Counter(AMOUNT.findall(page)) == Counter(AMOUNT.findall(pdf))
    assert len(AMOUNT.findall(pdf)) > 20
    for text in (page, pdf):
        assert RARE_NAME in text
        assert loan.agreement.number in text


def test_the_schedule_has_yearly_subtotals_that_add_up() -> None:
    loan = eventful_loan()
    text = pdf_of(loan, "schedule")
    rows = re.findall(r"(Year \d{4}|In all)\s+((?:¥[\d,.]+\s*)+)", text)
    sums = {
        label: [Money.parse(part.replace(",", "")) for part in re.findall(r"[\d,]+\.\d\d", row)]
        for label, row in rows
    }
    years = [sums[label] for label in sums if label.startswith("Year")]
    assert list(sums) == ["Year 2026", "Year 2027", "Year 2028", "Year 2029", "In all"]
    for column, whole in enumerate(sums["In all"]):
        assert sum(row[column].cents for row in years) == whole.cents
    assert str(sums["In all"][0]) == "36000.00"
    assert "12.68%" in text
    assert "¥7,045.74" in text


def test_the_statement_prints_where_each_figure_comes_from() -> None:
    text = " ".join(pdf_of(eventful_loan(), "statement").split())
    assert "Interest on the principal: ¥36,000.00 × 12.00%" in text
    assert "Late charge on the principal that is late: ¥852.52 × 18.00%" in text
    assert "The payment of ¥1,195.72 of 16 Aug 2026 was taken back." in text
    assert "Installment 1: principal ¥835.72, interest ¥360.00." in text


def test_what_a_reversal_brings_back_is_explained_on_page_and_pdf() -> None:
    loan = eventful_loan()
    page = " ".join(re.sub(r"<[^>]+>", " ", page_of(loan, "statement")).split())
    pdf = " ".join(pdf_of(loan, "statement").split())
    said = (
        "Taken back by the bank. The payment of ¥1,195.72 of 16 Aug 2026 was taken back. Counted "
        "since then as if it had never been paid."
    )
    for text in (page, pdf):
        assert said in text
        assert "Principal of installment 2, no longer paid" in text
        assert "Interest of installment 2, no longer paid" in text
        # Four days late, which had cost nothing while the payment counted.
        assert "¥844.08 × 18.00% × 4/360 = ¥1.68816" in text


def test_chinese_sentences_stand_apart_and_dates_do_not_break() -> None:
    loan = eventful_loan()
    lines = pdf_of(loan, "statement", language="zh-hans").splitlines()
    assert "2026年8月20日" in lines
    page = page_of(loan, "statement", language="zh-hans")
    assert "Taken back by the bank。2026年8月16日" in page


def test_the_statement_ties_with_the_journal() -> None:
    loan = eventful_loan()
    found = statement(
        terms_of(loan), events_of(loan), start=datetime.date(2026, 6, 1), end=LAST_DAY
    )
    books = dict.fromkeys(LedgerAccount, 0)
    for posting in Posting.objects.filter(loan=loan):
        books[LedgerAccount(posting.account)] += posting.debit.cents - posting.credit.cents
    assert found.closing.principal.cents == books[LedgerAccount.LOANS_RECEIVABLE]
    assert found.closing.interest.cents == books[LedgerAccount.INTEREST_RECEIVABLE]
    assert found.closing.fees.cents == books[LedgerAccount.FEES_RECEIVABLE]
    assert found.closing.penalty.cents == books[LedgerAccount.PENALTY_RECEIVABLE]
    assert found.closing.credit.cents == -books[LedgerAccount.BORROWER_CREDIT]
    assert found.charged.interest.cents == -books[LedgerAccount.INTEREST_INCOME]
    assert found.charged.penalty.cents == -books[LedgerAccount.PENALTY_INCOME]
    assert found.closing == position_of(loan_state(loan, as_of=LAST_DAY))


def test_the_summary_of_a_statement_adds_up() -> None:
    page = page_of(eventful_loan(), "statement")
    summary = page[: page.index("What happened")]
    parts = [
        Decimal(text.replace("¥", "").replace(",", "").replace("−", "-"))
        for text in AMOUNT.findall(summary)
    ]
    opening, *changes, closing = parts
    assert opening + sum(changes) == closing == Decimal("34667.24")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?period=own", "Choose the first day."),
        ("?period=own&start=2026-07-01", "Choose the last day."),
        ("?period=own&start=2026-01-01&end=2026-07-01", "The loan was paid out on 16 Jun 2026."),
        ("?period=own&start=2026-07-01&end=2027-01-01", "That day is still to come."),
        ("?period=own&start=2026-08-01&end=2026-07-01", "The last day is before the first one."),
        ("?period=own&start=banana&end=2026-07-01", "Enter a valid date."),
        ("?period=ever", "Select a valid choice."),
    ],
)
def test_a_period_that_cannot_be_is_refused_with_words(query: str, said: str) -> None:
    loan = eventful_loan(count=6)
    client = as_person(loan.borrower)
    page = client.get(reverse("loans:statement", args=[loan.public_id]) + query)
    assert page.status_code == 422
    assert said in page.content.decode()
    file = client.get(reverse("loans:statement_pdf", args=[loan.public_id]) + query)
    assert file.status_code == 302


@pytest.mark.parametrize(
    ("period", "days"),
    [
        ("this-month", "1 Sep 2026 through 25 Sep 2026"),
        ("last-month", "1 Aug 2026 through 31 Aug 2026"),
        ("this-year", "1 Jan 2026 through 25 Sep 2026"),
        ("all", "16 Jun 2026 through 25 Sep 2026"),
    ],
)
def test_the_named_periods(period: str, days: str) -> None:
    assert days in page_of(eventful_loan(count=6), "statement", f"?period={period}")


def test_a_loan_that_is_not_paid_out_has_a_schedule_and_no_statement() -> None:
    loan, _payout = signed_loan()
    client = as_person(loan.borrower)
    for name in ("schedule", "schedule_pdf", "statement", "certificate"):
        assert client.get(reverse(f"loans:{name}", args=[loan.public_id])).status_code == 200
    for name in ("statement_pdf", "certificate_pdf"):
        assert client.get(reverse(f"loans:{name}", args=[loan.public_id])).status_code == 302


def test_a_file_has_a_chinese_name_that_browsers_understand() -> None:
    loan = eventful_loan(count=6)
    path = reverse("loans:statement_pdf", args=[loan.public_id])
    disposition = as_person(loan.borrower, "zh-hans").get(path)["Content-Disposition"]
    name = "%E5%AF%B9%E8%B4%A6%E5%8D%95"  # 对账单
    assert disposition == (
        f"attachment; filename*=utf-8''{name}-{loan.agreement.number}-20260925.pdf"
    )


@pytest.mark.parametrize(
    "name",
    ["schedule", "schedule_pdf", "statement", "statement_pdf", "certificate", "certificate_pdf"],
)
def test_a_stranger_and_a_missing_loan_are_answered_alike(name: str) -> None:
    loan = paid_off_loan()
    issue(loan)
    stranger = as_person(make_borrower())
    assert stranger.get(reverse(f"loans:{name}", args=[loan.public_id])).status_code == 404
    missing = "00000000-0000-4000-8000-000000000000"
    assert stranger.get(reverse(f"loans:{name}", args=[missing])).status_code == 404
    visitor = Client().get(reverse(f"loans:{name}", args=[loan.public_id]))
    assert (visitor.status_code, "/account/" in visitor["Location"]) == (302, True)


# --- Agreement and cost sheet -------------------------------------------------------------


def test_agreement_and_cost_sheet_are_rendered_and_name_their_hash() -> None:
    open_shop()
    agreement = sign(make_ready_to_sign())
    before = bytes(agreement.content)
    client = as_person(agreement.application.borrower)
    for name, sha256 in (
        ("agreement_pdf", agreement.sha256),
        ("cost_sheet_pdf", agreement.confirmation.cost_sheet.sha256),
    ):
        path = reverse(f"loans:{name}", args=[agreement.public_id])
        response = client.get(path)
        text = pdf_text(response.content)
        assert sha256 in "".join(text.split())
        assert agreement.number in text
        assert "There are no other charges." in text
        assert as_person(make_borrower()).get(path).status_code == 404
    agreement.refresh_from_db()
    assert bytes(agreement.content) == before


def test_the_rendering_of_the_agreement_has_every_word_of_the_signed_bytes() -> None:
    open_shop()
    agreement = sign(make_ready_to_sign())
    response = as_person(agreement.application.borrower).get(
        reverse("loans:agreement_pdf", args=[agreement.public_id])
    )
    rendered = "".join(pdf_text(response.content).split())
    signed = re.sub(
        r"<style.*?</style>|<caption.*?</caption>",
        " ",
        bytes(agreement.content).decode(),
        flags=re.DOTALL,
    )
    signed = signed[signed.index("<article") :]
    for paragraph in re.findall(
        r"<(?:p|h3|td|th)\b[^>]*>(.*?)</(?:p|h3|td|th)>", signed, re.DOTALL
    ):
        words = "".join(re.sub(r"<[^>]+>", " ", paragraph).split())
        words = words.replace("&#x27;", "'").replace("&quot;", '"').replace("&amp;", "&")
        # A paragraph may go on overleaf, past foot and head of the page.
        assert words[:40] in rendered


# --- Settlement certificate ---------------------------------------------------------------


def test_a_loan_with_debt_has_no_certificate_and_says_what_is_missing() -> None:
    loan = eventful_loan(count=6)
    client = as_person(loan.borrower)
    path = reverse("loans:certificate", args=[loan.public_id])
    page = client.get(path).content.decode()
    owed = loan_state(loan, as_of=LAST_DAY).payoff_amount
    assert f"¥{owed.amount:,.2f}" in page
    assert f"/pay/?amount={owed}" in page
    client.post(path)
    with pytest.raises(UnableToIssueCertificateError):
        issue(loan, LAST_DAY)
    assert not SettlementCertificate.objects.exists()


def test_a_certificate_states_that_nothing_is_owed_and_is_issued_once() -> None:
    loan = paid_off_loan()
    client = as_person(loan.borrower)
    path = reverse("loans:certificate", args=[loan.public_id])
    assert "Issue my certificate" in client.get(path).content.decode()
    assert not SettlementCertificate.objects.exists()
    client.post(path)
    client.post(path)
    certificate = SettlementCertificate.objects.get()
    assert issue(loan, LAST_DAY).pk == certificate.pk
    text = " ".join(pdf_of(loan, "certificate").split())
    for said in (
        RARE_NAME,
        loan.borrower.profile.masked_id_number,
        loan.agreement.number,
        "¥12,000.00",
        "2 Jul 2026",
        "No debt remains from this contract.",
        certificate.number,
        grouped_code(certificate.code),
        certificate.sha256,
    ):
        assert said in text
    assert loan.borrower.profile.id_number not in text


def test_a_reversal_makes_the_certificate_void_and_another_closing_a_new_one() -> None:
    loan = funded_loan(loan_terms=terms(count=3))
    payment = pay_off(loan, on=PAID_OFF_ON)
    first = issue(loan)
    assert holds(first)
    take_back(loan, payment, on=PAID_OFF_ON)
    assert not holds(first)
    found = check_certificate(number=first.number, code=first.code)
    assert found is not None
    assert not found.holds
    with pytest.raises(UnableToIssueCertificateError):
        issue(loan)
    pay_off(loan, on=PAID_OFF_ON)
    second = issue(loan)
    assert second.number != first.number
    assert (holds(first), holds(second)) == (False, True)


def test_credit_that_is_paid_back_leaves_the_certificate_as_it_is() -> None:
    loan = funded_loan(loan_terms=terms(count=3))
    owed = loan_state(loan, as_of=PAID_OFF_ON).payoff_amount
    repay(loan, owed + Money(500), on=PAID_OFF_ON)
    assert loan.status == "OVERPAID"
    certificate = issue(loan)
    LoanStatusChange.objects.create(
        loan=loan,
        from_status="OVERPAID",
        to_status="PAID_OFF",
        business_date=PAID_OFF_ON,
        reason="REFUND",
        actor_label="night",
        recorded_at=SIGNED_AT,
    )
    assert holds(certificate)


def test_the_database_refuses_a_certificate_of_an_open_loan_and_changes_of_any() -> None:
    loan = paid_off_loan()
    certificate = issue(loan)
    opened = loan.status_changes.exclude(to_status="PAID_OFF").first()
    insert = (
        "INSERT INTO loans_settlementcertificate (loan_id, closing_id, number, code, facts,"
        " sha256, business_date, actor_label, issued_at)"
        " VALUES (%s, %s, 'JQ2', 'x', '{}', 'x', '2026-07-02', 'x', now())"
    )
    with connection.cursor() as cursor:
        for sql, values in (
            (
                "UPDATE loans_settlementcertificate SET number = 'JQ1' WHERE id = %s",
                [certificate.pk],
            ),
            ("DELETE FROM loans_settlementcertificate WHERE id = %s", [certificate.pk]),
            (insert, [loan.pk, opened.pk]),
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute(sql, values)
    certificate.refresh_from_db()
    assert SettlementCertificate.objects.get().number == certificate.number


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_get_the_same_certificate() -> None:
    loan = paid_off_loan()
    numbers: list[str] = []

    def ask() -> None:
        try:
            numbers.append(issue(loan).number)
        finally:
            connection.close()

    threads = [Thread(target=ask) for _index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 4
    assert len(set(numbers)) == 1


def test_the_queries_of_a_certificate(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    loan = paid_off_loan()
    issue(loan)
    client = as_person(loan.borrower)
    for name in ("certificate", "certificate_pdf"):
        path = reverse(f"loans:{name}", args=[loan.public_id])
        with django_assert_num_queries(6):
            assert client.get(path).status_code == 200


# --- The public check ---------------------------------------------------------------------


def check(number: str, code: str, client: Client | None = None) -> str:
    client = client or Client(headers={"accept-language": "en"})
    cache.clear()
    response = client.post(reverse("loans:verify_certificate"), {"number": number, "code": code})
    assert response.status_code == 200
    return response.content.decode()


def test_anybody_with_number_and_code_learns_whether_it_holds_and_no_more() -> None:
    loan = paid_off_loan()
    certificate = issue(loan)
    page = check(f" {certificate.number.lower()} ", grouped_code(certificate.code).lower())
    assert "This certificate is valid" in page
    assert "喆**" in page
    assert RARE_NAME not in page
    assert loan.borrower.profile.id_number not in page
    assert loan.agreement.number not in page


def test_a_wrong_code_and_an_unknown_number_are_answered_alike() -> None:
    certificate = issue(paid_off_loan())
    wrong_code = check(certificate.number, "AAAA-BBBB-CCCC")
    no_number = check("JQ20260702-00000000", grouped_code(certificate.code))
    odd = check("结清\u200b证明", "码" * 30)
    for page in (wrong_code, no_number, odd):
        assert "No such certificate" in page
        assert "喆" not in page


def test_guessing_is_slowed_down() -> None:
    cache.clear()
    client = Client()
    path = reverse("loans:verify_certificate")
    answers = [
        client.post(path, {"number": "JQ1", "code": "A"}).status_code for _index in range(12)
    ]
    assert answers == [200] * 10 + [429] * 2
    assert client.get(path).status_code == 200
    cache.clear()


def test_the_admin_shows_certificates_without_their_code() -> None:
    loan = paid_off_loan()
    certificate = issue(loan)
    client = as_person(
        make_staff("loans.view_loan", "loans.open_any_loan", "loans.view_settlementcertificate")
    )
    page = client.get(f"/admin/loans/loan/{loan.pk}/change/").content.decode()
    assert reverse("loans:staff_document", args=[loan.public_id, "certificate"]) in page
    rows = client.get("/admin/loans/settlementcertificate/").content.decode()
    row = client.get(f"/admin/loans/settlementcertificate/{certificate.pk}/change/")
    assert certificate.number in rows
    assert certificate.sha256 in row.content.decode()
    assert certificate.code not in rows + row.content.decode()


# --- Staff --------------------------------------------------------------------------------


def test_staff_with_permission_read_documents_and_the_borrower_sees_that() -> None:
    loan = paid_off_loan()
    issue(loan)
    client = as_person(make_staff("loans.view_loan", "loans.open_any_loan"))
    for kind in ("schedule", "statement", "certificate", "agreement"):
        path = reverse("loans:staff_document", args=[loan.public_id, kind])
        response = client.get(path)
        assert response.status_code == 200, kind
        assert response["Content-Disposition"].startswith("inline")
    looks = PersonalDataAccess.objects.filter(subject=loan.borrower)
    assert looks.count() == 4
    assert looks[0].purpose == "Reading a document of a loan"
    unknown = reverse("loans:staff_document", args=[loan.public_id, "payslip"])
    assert client.get(unknown).status_code == 404
    assert looks.count() == 4


def test_staff_without_permission_and_borrowers_do_not() -> None:
    loan = paid_off_loan()
    path = reverse("loans:staff_document", args=[loan.public_id, "schedule"])
    assert as_person(make_person(is_staff=True)).get(path).status_code == 403
    assert as_person(loan.borrower).get(path).status_code == 403
    assert not PersonalDataAccess.objects.exists()
