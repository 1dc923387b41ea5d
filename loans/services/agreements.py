"""Show the cost sheet, take its confirmation, take the signature, order the payout.

What is signed is what was shown: the agreement is made again from the stored sheet, and a hash that
differs from the one on the borrower's page is refused (conduct PR-08 to PR-11).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.engine.bank_card import BankAccount
from accounts.models import User
from accounts.selectors.profiles import bank_account
from loans.engine.lifecycle import ApplicationEvent, ApplicationState
from loans.models import (
    Agreement,
    CostSheet,
    CostSheetConfirmation,
    Loan,
    LoanApplication,
)
from loans.models.transfer import TransferDirection, TransferPurpose
from loans.selectors.agreements import (
    AgreementText,
    agreement_of,
    agreement_text,
    confirmation_of,
    contract_quote,
    cost_sheet_document,
    latest_cost_sheet,
    sheet_hash,
)
from loans.selectors.payouts import payee_of
from loans.selectors.products import Quote
from loans.services.applications import (
    UnableToChangeApplicationError,
    advance_application,
    check_offer_stands,
)
from loans.services.transfers import order_transfer
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError


class UnableToSignError(DomainError):
    """The loan cannot be signed; the message says why and what to do."""


class CostSheetOutdatedError(UnableToSignError):
    """The figures have changed since the sheet was shown: it has to be shown again."""


class ReadingTimeNotOverError(UnableToSignError):
    """The sheet was shown too short a time ago; `remaining_seconds` says how long it still is."""

    def __init__(self, message: str, *, remaining_seconds: int) -> None:
        """Keep the rest of the time beside the message."""
        super().__init__(message)
        self.remaining_seconds = remaining_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyToSign:
    """A confirmed sheet and the agreement that follows from it."""

    confirmation: CostSheetConfirmation
    text: AgreementText


def show_cost_sheet(
    *,
    application_id: int,
    borrower: User,
    language: str,
    business_date: datetime.date,
    at: datetime.datetime,
) -> CostSheet:
    """Return the sheet of today's figures and note when it was first shown.

    A sheet shown before stays the same row, with its first instant, while nothing has changed.
    Raises UnableToSignError when there is nothing to sign.
    """
    with transaction.atomic():
        application = _lock(application_id, borrower)
        quote = _quote_to_sign(application, business_date)
        document = cost_sheet_document(application, quote)
        sha256 = sheet_hash(document)
        latest = latest_cost_sheet(application)
        if latest is not None and (latest.sha256, latest.language) == (sha256, language):
            return latest
        return CostSheet.objects.create(
            application=application,
            terms=quote.terms.to_json(),
            document=document,
            sha256=sha256,
            language=language,
            shown_at=at,
        )


def confirm_cost_sheet(
    *,
    application_id: int,
    borrower: User,
    sheet_sha256: str,
    required_seconds: int,
    business_date: datetime.date,
    at: datetime.datetime,
) -> CostSheetConfirmation:
    """Take the confirmation of the sheet with this hash; confirming again changes nothing.

    Raises CostSheetOutdatedError when another sheet is due, ReadingTimeNotOverError when fewer
    than `required_seconds` have passed since the server showed it (PR-10).
    """
    with transaction.atomic():
        application = _lock(application_id, borrower)
        sheet = _current_sheet(application, business_date)
        if sheet.sha256 != sheet_sha256:
            raise CostSheetOutdatedError(_outdated())
        confirmed = confirmation_of(sheet)
        if confirmed is not None:
            return confirmed
        seconds = reading_seconds(sheet, at=at)
        if seconds < required_seconds:
            remaining = required_seconds - seconds
            raise ReadingTimeNotOverError(
                _("Please take a little longer to read: %(seconds)s more seconds.")
                % {"seconds": remaining},
                remaining_seconds=remaining,
            )
        return CostSheetConfirmation.objects.create(
            cost_sheet=sheet,
            reading_seconds=seconds,
            required_seconds=required_seconds,
            confirmed_at=at,
        )


def reading_seconds(sheet: CostSheet, *, at: datetime.datetime) -> int:
    """Return the whole seconds between the showing of the sheet and `at`."""
    return max((at - sheet.shown_at) // datetime.timedelta(seconds=1), 0)


def prepare_agreement(
    *, application_id: int, borrower: User, business_date: datetime.date
) -> ReadyToSign:
    """Return the agreement to show before signing.

    Raises CostSheetOutdatedError when the present figures have not been confirmed.
    """
    with transaction.atomic():
        application = _lock(application_id, borrower)
        return _ready_to_sign(application, business_date)


def sign_agreement(
    *,
    application_id: int,
    borrower: User,
    content_sha256: str,
    business_date: datetime.date,
    at: datetime.datetime,
    actor: Actor,
) -> Agreement:
    """Store the exact bytes that were shown, make the loan, and order the payout of all of it.

    Signing again returns the first agreement. Raises CostSheetOutdatedError when the figures or
    the text are not the ones that `content_sha256` stands for, UnableToSignError when there is no
    offer that stands or no account to pay to; then nothing is stored.
    """
    with transaction.atomic():
        application = _lock(application_id, borrower)
        signed = agreement_of(application)
        if signed is not None:
            return signed
        ready = _ready_to_sign(application, business_date)
        if ready.text.sha256 != content_sha256:
            raise CostSheetOutdatedError(_outdated())
        agreement = _store(application, ready, borrower, at)
        _fund(application, agreement, business_date, at)
        advance_application(
            application=application, event=ApplicationEvent.SIGN, actor=actor, at=at
        )
        return agreement


def _outdated() -> str:
    return _("The figures have changed since you saw them. Please look at them again.")


def _lock(application_id: int, borrower: User) -> LoanApplication:
    return (
        LoanApplication.objects.for_update()
        .select_related("product_version__product", "merchant", "borrower")
        .get(pk=application_id, borrower=borrower)
    )


def _quote_to_sign(application: LoanApplication, business_date: datetime.date) -> Quote:
    """Return the quote of the offer, or refuse to go on."""
    if application.state == ApplicationState.SIGNED:
        raise UnableToSignError(_("This loan is signed already."))
    try:
        check_offer_stands(application, business_date)
    except UnableToChangeApplicationError as error:
        raise UnableToSignError(str(error)) from error
    if application.smaller_offer_waits:
        raise UnableToSignError(_("First say whether you take the smaller amount."))
    if bank_account(application.borrower) is None:
        raise UnableToSignError(_("Add your bank account first: you repay from it."))
    quote = contract_quote(application, business_date=business_date)
    # PR-05: the cap holds for the cash flows that are actually signed.
    if quote.cost.effective_annualized_cost > application.product_version.all_in_cap:
        raise UnableToSignError(_("This loan would cost more a year than the law allows."))
    return quote


def _current_sheet(application: LoanApplication, business_date: datetime.date) -> CostSheet:
    """Return the sheet that was shown last, if its figures are still today's."""
    quote = _quote_to_sign(application, business_date)
    sheet = latest_cost_sheet(application)
    today = sheet_hash(cost_sheet_document(application, quote))
    if sheet is None or sheet.sha256 != today or sheet_hash(sheet.document) != today:
        raise CostSheetOutdatedError(_outdated())
    return sheet


def _ready_to_sign(application: LoanApplication, business_date: datetime.date) -> ReadyToSign:
    sheet = _current_sheet(application, business_date)
    confirmation = confirmation_of(sheet)
    if confirmation is None:
        raise CostSheetOutdatedError(_("Please read and confirm the cost sheet first."))
    return ReadyToSign(confirmation=confirmation, text=agreement_text(application, sheet))


def _store(
    application: LoanApplication, ready: ReadyToSign, borrower: User, at: datetime.datetime
) -> Agreement:
    sheet = ready.confirmation.cost_sheet
    return Agreement.objects.create(
        number=ready.text.number,
        application=application,
        confirmation=ready.confirmation,
        terms=sheet.terms,
        content=ready.text.content,
        sha256=ready.text.sha256,
        language=sheet.language,
        signed_by=borrower,
        signed_at=at,
    )


def _fund(
    application: LoanApplication,
    agreement: Agreement,
    business_date: datetime.date,
    at: datetime.datetime,
) -> None:
    """Make the loan and order the payout of exactly the contract principal (PR-08)."""
    quote = contract_quote(application, business_date=business_date)
    loan = Loan.objects.create(
        borrower=application.borrower,
        agreement=agreement,
        principal=quote.terms.principal,
        annual_rate=quote.terms.annual_rate,
        created_at=at,
    )
    account = _payout_account(application)
    order_transfer(
        loan=loan,
        direction=TransferDirection.PAYOUT,
        purpose=TransferPurpose.DISBURSEMENT,
        amount=loan.principal,
        account_name=account.holder_name,
        card_number=account.card_number,
        business_date=business_date,
        at=at,
    )


def _payout_account(application: LoanApplication) -> BankAccount:
    """Return the merchant's account, or else the borrower's."""
    account = payee_of(application)
    if account is None:
        raise UnableToSignError(_("Add your bank account first: you repay from it."))
    return account
