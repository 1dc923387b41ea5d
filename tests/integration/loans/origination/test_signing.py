"""From the offer to the signed agreement, on real PostgreSQL."""

from __future__ import annotations

import datetime
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.models import BorrowerProfile, User
from loans.engine.annualized_cost import cost_of
from loans.engine.lifecycle import ApplicationState, LoanStatus
from loans.engine.terms import LoanTerms
from loans.models import (
    Agreement,
    BankTransfer,
    CostSheet,
    CostSheetConfirmation,
    Loan,
    LoanApplication,
    Merchant,
    ProductVersion,
)
from loans.selectors.agreements import sheet_figures, sheet_hash, signed_article
from loans.services.agreements import (
    CostSheetOutdatedError,
    ReadingTimeNotOverError,
    UnableToSignError,
    confirm_cost_sheet,
    prepare_agreement,
    show_cost_sheet,
    sign_agreement,
)
from loans.services.applications import choose_amount, withdraw_application
from tests.factories.accounts import CARD_NUMBER, NOON, TODAY, make_borrower
from tests.factories.loans import (
    LATER,
    READING_SECONDS,
    ToSign,
    asked,
    make_approved,
    make_ready_to_sign,
    open_shop,
    sign,
    submit,
)
from zhixin.shared.money import Money

yuan = Money.parse
TOMORROW = TODAY + datetime.timedelta(days=1)


def show(
    application: LoanApplication,
    *,
    language: str = "en",
    on: datetime.date = TODAY,
    at: datetime.datetime = NOON,
) -> CostSheet:
    return show_cost_sheet(
        application_id=application.pk,
        borrower=application.borrower,
        language=language,
        business_date=on,
        at=at,
    )


def confirm_sheet(
    sheet: CostSheet,
    *,
    seconds: int = READING_SECONDS,
    on: datetime.date = TODAY,
    sha256: str | None = None,
) -> CostSheetConfirmation:
    application = sheet.application
    return confirm_cost_sheet(
        application_id=application.pk,
        borrower=application.borrower,
        sheet_sha256=sha256 or sheet.sha256,
        required_seconds=READING_SECONDS,
        business_date=on,
        at=sheet.shown_at + datetime.timedelta(seconds=seconds),
    )


def take(application: LoanApplication, amount: str) -> None:
    choose_amount(
        application_id=application.pk,
        borrower=application.borrower,
        amount=yuan(amount),
        business_date=TODAY,
    )


def nothing_signed(application: LoanApplication) -> bool:
    application.refresh_from_db()
    return application.state == ApplicationState.APPROVED and not (
        Agreement.objects.exists() or Loan.objects.exists() or BankTransfer.objects.exists()
    )


# --- The cost sheet -----------------------------------------------------------------------


def test_the_sheet_states_every_charge_to_the_cent(shop: None) -> None:
    sheet = show(make_approved())
    figures = sheet_figures(sheet.document)
    terms = LoanTerms.from_json(sheet.terms)
    cost = cost_of(terms)
    assert figures.principal == yuan("10000")
    assert figures.annual_rate == Decimal("0.155")
    # 10,000 at 15.5 % over 12 months by 30/360: A = P r / (1 - (1 + r)^-12), r = 0.155 / 12.
    assert figures.first_installment == yuan("904.94")
    assert figures.total_repayment == cost.total_repayment == yuan("10859.34")
    assert figures.total_cost == yuan("859.34")
    assert [(charge.code, charge.amount) for charge in figures.charges] == [
        ("INTEREST", yuan("859.34"))
    ]
    assert f"{figures.effective_annualized_cost:.4f}" == "0.1665"
    assert f"{figures.nominal_annualized_cost:.4f}" == "0.1550"
    assert sum(row.principal.cents for row in figures.rows) == 1_000_000
    assert figures.rows[-1].balance == Money.zero()
    assert figures.rows[0].due_date == datetime.date(2026, 7, 16)
    assert figures.last_due_date == datetime.date(2027, 6, 16)
    assert figures.payee == "李小华"
    assert figures.payee_card == CARD_NUMBER[-4:]


def test_the_sheet_states_what_being_late_costs(shop: None) -> None:
    default = sheet_figures(show(make_approved()).document).default
    # 15.5 % × 1.5 = 23.25 %, below the cap of 24 %; 1,000 × 0.2325 / 360 = 0.6458.
    assert default.annual_rate == Decimal("0.2325")
    assert default.annual_cap == Decimal("0.24")
    assert default.example_amount == yuan("1000")
    assert default.example_day == yuan("0.65")
    assert default.example_year == yuan("232.50")


def test_the_hash_is_of_the_canonical_document(shop: None) -> None:
    sheet = show(make_approved())
    canonical = json.dumps(
        sheet.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert sheet.sha256 == hashlib.sha256(canonical.encode()).hexdigest()
    assert sheet_hash(sheet.document) == sheet.sha256
    sheet.refresh_from_db()
    assert sheet_hash(sheet.document) == sheet.sha256


def test_showing_it_again_keeps_the_first_instant(shop: None) -> None:
    application = make_approved()
    first = show(application)
    assert show(application, at=LATER) == first
    assert CostSheet.objects.get().shown_at == NOON


def test_another_language_or_day_is_another_sheet(shop: None) -> None:
    application = make_approved()
    first = show(application)
    chinese = show(application, language="zh-hans")
    tomorrow = show(application, language="zh-hans", on=TOMORROW)
    assert len({first.pk, chinese.pk, tomorrow.pk}) == 3
    assert first.sha256 == chinese.sha256 != tomorrow.sha256


def test_no_sheet_before_the_smaller_offer_is_accepted(borrower: User) -> None:
    application = submit(borrower, asked(amount="20000"))
    with pytest.raises(UnableToSignError):
        show(application)
    assert not CostSheet.objects.exists()
    take(application, "11700")
    assert sheet_figures(show(application).document).principal == yuan("11700")


def test_no_sheet_without_an_account(shop: None) -> None:
    application = make_approved()
    BorrowerProfile.objects.filter(user=application.borrower).update(
        bank_card_number="", bank_card_last_four="", bank_code=""
    )
    with pytest.raises(UnableToSignError):
        show(application)
    assert not CostSheet.objects.exists()


def test_no_sheet_above_the_legal_cap(shop: None) -> None:
    application = make_approved()
    # 21.8 % by the simple method is 24.1 % by the compound one, which is what counts.
    LoanApplication.objects.filter(pk=application.pk).update(approved_rate=Decimal("0.218"))
    with pytest.raises(UnableToSignError):
        show(application)
    assert not CostSheet.objects.exists()


def test_the_database_refuses_a_product_above_the_legal_cap(shop: None) -> None:
    version = ProductVersion.objects.first()
    assert version is not None
    version.pk, version.number, version.all_in_cap = None, 99, Decimal("0.2401")
    with pytest.raises(IntegrityError, match="within_legal_cap"), transaction.atomic():
        version.save(force_insert=True)


# --- The confirmation ---------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 1, READING_SECONDS - 1])
def test_an_early_confirmation_is_refused(shop: None, seconds: int) -> None:
    sheet = show(make_approved())
    with pytest.raises(ReadingTimeNotOverError) as refusal:
        confirm_sheet(sheet, seconds=seconds)
    assert refusal.value.remaining_seconds == READING_SECONDS - seconds
    assert not CostSheetConfirmation.objects.exists()


def test_a_clock_that_went_back_gives_no_reading_time(shop: None) -> None:
    sheet = show(make_approved())
    with pytest.raises(ReadingTimeNotOverError) as refusal:
        confirm_sheet(sheet, seconds=-3600)
    assert refusal.value.remaining_seconds == READING_SECONDS


def test_the_database_refuses_an_early_confirmation(shop: None) -> None:
    sheet = show(make_approved())
    with pytest.raises(IntegrityError, match="cost_sheet_read_long_enough"), transaction.atomic():
        CostSheetConfirmation.objects.create(
            cost_sheet=sheet, reading_seconds=19, required_seconds=20, confirmed_at=NOON
        )


def test_the_confirmation_keeps_how_long_was_read(shop: None) -> None:
    confirmation = confirm_sheet(show(make_approved()), seconds=47)
    assert (confirmation.reading_seconds, confirmation.required_seconds) == (47, 20)


def test_confirming_again_is_the_first_confirmation(shop: None) -> None:
    sheet = show(make_approved())
    first = confirm_sheet(sheet)
    assert confirm_sheet(sheet, seconds=60) == first
    assert CostSheetConfirmation.objects.count() == 1


def test_another_amount_voids_sheet_and_confirmation(shop: None) -> None:
    application = make_approved()
    sheet = show(application)
    confirm_sheet(sheet)
    take(application, "8000")
    with pytest.raises(CostSheetOutdatedError):
        prepare_agreement(
            application_id=application.pk, borrower=application.borrower, business_date=TODAY
        )
    with pytest.raises(CostSheetOutdatedError):
        confirm_sheet(sheet)
    # Back to the old amount, but another sheet was shown in between: read it again.
    show(application)
    take(application, "10000")
    with pytest.raises(CostSheetOutdatedError):
        prepare_agreement(
            application_id=application.pk, borrower=application.borrower, business_date=TODAY
        )
    with pytest.raises(ReadingTimeNotOverError):
        confirm_sheet(show(application, at=LATER), seconds=1)


def test_another_day_voids_the_sheet(shop: None) -> None:
    sheet = show(make_approved())
    with pytest.raises(CostSheetOutdatedError):
        confirm_sheet(sheet, on=TOMORROW)
    assert not CostSheetConfirmation.objects.exists()


def test_a_foreign_hash_confirms_nothing(shop: None) -> None:
    with pytest.raises(CostSheetOutdatedError):
        confirm_sheet(show(make_approved()), sha256="0" * 64)
    assert not CostSheetConfirmation.objects.exists()


# --- The signature ------------------------------------------------------------------------


def test_signing_keeps_the_exact_bytes_and_orders_the_whole_principal(shop: None) -> None:
    ready = make_ready_to_sign()
    agreement = sign(ready)
    agreement.refresh_from_db()
    content = bytes(agreement.content)
    assert hashlib.sha256(content).hexdigest() == agreement.sha256 == ready.sha256
    assert "李小华" in content.decode()
    assert "¥10,859.34" in content.decode()
    assert ready.confirmation.cost_sheet.sha256 in content.decode()
    assert agreement.number.startswith("ZX20260616-")
    assert agreement.terms == ready.confirmation.cost_sheet.terms
    loan = Loan.objects.get()
    assert (loan.status, loan.principal) == (LoanStatus.PENDING, yuan("10000"))
    assert loan.annual_rate == Decimal("0.155")
    transfer = BankTransfer.objects.get()
    assert (transfer.purpose, transfer.direction) == ("DISBURSEMENT", "PAYOUT")
    assert transfer.amount == loan.principal == LoanTerms.from_json(agreement.terms).principal
    assert (transfer.account_name, transfer.card_number) == ("李小华", CARD_NUMBER)
    ready.application.refresh_from_db()
    assert ready.application.state == ApplicationState.SIGNED


def test_a_scenario_loan_is_paid_to_the_merchant(borrower: User) -> None:
    merchant = Merchant.objects.filter(scenario="MEDICAL").first()
    assert merchant is not None
    application = submit(
        borrower, asked(product="medical", amount="6000", purpose="MEDICAL", merchant=merchant)
    )
    agreement = sign(make_ready_to_sign(application))
    transfer = BankTransfer.objects.get()
    assert (transfer.account_name, transfer.card_number) == (
        merchant.account_name,
        merchant.card_number,
    )
    assert transfer.amount == yuan("6000")
    assert merchant.name_en in signed_article(agreement)


def test_the_language_of_the_sheet_is_the_language_of_the_agreement(shop: None) -> None:
    application = make_approved()
    sheet = show(application, language="zh-hans")
    confirm_sheet(sheet)
    ready = prepare_agreement(
        application_id=application.pk, borrower=application.borrower, business_date=TODAY
    )
    assert 'lang="zh-Hans"' in ready.text.article


def test_signing_twice_is_signing_once(shop: None) -> None:
    ready = make_ready_to_sign()
    assert sign(ready) == sign(ready)
    # Whatever the second form says: it is signed already.
    assert sign(ready, sha256="0" * 64) == Agreement.objects.get()
    assert (Loan.objects.count(), BankTransfer.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_threads_that_sign_together_sign_once() -> None:
    open_shop()
    ready = make_ready_to_sign()

    def press(_number: int) -> int:
        try:
            return sign(ready).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        signed = set(pool.map(press, range(4)))
    assert len(signed) == 1
    assert Agreement.objects.count() == 1
    assert Loan.objects.count() == 1
    assert BankTransfer.objects.get().amount == yuan("10000")


def test_another_hash_is_refused(shop: None) -> None:
    ready = make_ready_to_sign()
    with pytest.raises(CostSheetOutdatedError):
        sign(ready, sha256="0" * 64)
    assert nothing_signed(ready.application)


def test_a_name_that_changed_after_reading_is_refused(shop: None) -> None:
    ready = make_ready_to_sign()
    BorrowerProfile.objects.filter(user=ready.application.borrower).update(full_name="李大华")
    with pytest.raises(CostSheetOutdatedError):
        sign(ready)
    assert nothing_signed(ready.application)


def test_another_amount_or_day_after_reading_is_refused(shop: None) -> None:
    ready = make_ready_to_sign()
    with pytest.raises(CostSheetOutdatedError):
        sign(ready, on=TOMORROW)
    take(ready.application, "9000")
    with pytest.raises(CostSheetOutdatedError):
        sign(ready)
    assert nothing_signed(ready.application)


def test_nobody_signs_without_a_confirmed_sheet(shop: None) -> None:
    application = make_approved()
    show(application)
    with pytest.raises(CostSheetOutdatedError):
        sign_agreement(
            application_id=application.pk,
            borrower=application.borrower,
            content_sha256="0" * 64,
            business_date=TODAY,
            at=LATER,
            actor=application.borrower.as_actor(),
        )
    assert nothing_signed(application)


def test_a_withdrawn_or_lapsed_offer_cannot_be_signed(shop: None) -> None:
    ready = make_ready_to_sign()
    with pytest.raises(UnableToSignError):
        sign(ready, on=TODAY + datetime.timedelta(days=31))
    assert nothing_signed(ready.application)
    borrower = ready.application.borrower
    withdraw_application(
        application_id=ready.application.pk, borrower=borrower, at=NOON, actor=borrower.as_actor()
    )
    with pytest.raises(UnableToSignError):
        sign(ready)
    assert not Agreement.objects.exists()


def test_nobody_signs_for_somebody_else(shop: None) -> None:
    ready = make_ready_to_sign()
    stranger = make_borrower()
    with pytest.raises(LoanApplication.DoesNotExist):
        sign_agreement(
            application_id=ready.application.pk,
            borrower=stranger,
            content_sha256=ready.sha256,
            business_date=TODAY,
            at=LATER,
            actor=stranger.as_actor(),
        )
    assert nothing_signed(ready.application)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE loans_agreement SET content = 'x'",
        "DELETE FROM loans_agreement",
        "UPDATE loans_costsheet SET document = '{}'",
        "UPDATE loans_costsheetconfirmation SET reading_seconds = 9999",
    ],
)
def test_what_was_signed_cannot_be_changed_by_sql(shop: None, statement: str) -> None:
    agreement = sign(make_ready_to_sign())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    agreement.refresh_from_db()
    assert hashlib.sha256(bytes(agreement.content)).hexdigest() == agreement.sha256


def test_a_second_application_is_possible_after_signing(shop: None) -> None:
    ready: ToSign = make_ready_to_sign()
    sign(ready)
    second = submit(ready.application.borrower, asked(amount="1000"))
    assert second.assessment is not None
    # The loan that is still being paid out counts as owed.
    assert second.assessment.facts["open_principal"] == "10000.00"
