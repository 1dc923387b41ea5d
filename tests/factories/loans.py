"""Applications, offers and signatures for tests, made by the services themselves."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass

from django.contrib.auth.models import Permission

from accounts.models import User
from loans.models import Agreement, CostSheetConfirmation, LoanApplication, Merchant
from loans.models.application import DecisionReason
from loans.services.agreements import (
    confirm_cost_sheet,
    prepare_agreement,
    show_cost_sheet,
    sign_agreement,
)
from loans.services.applications import ApplicationRequest, submit_application
from loans.services.products import load_catalog
from loans.services.underwriting import Ruling, decide_referral
from risk.services.policies import load_policies
from tests.factories.accounts import NOON, TODAY, make_borrower, make_person
from tests.factories.funded import set_business_date
from zhixin.shared.actor import SYSTEM
from zhixin.shared.money import Money

READING_SECONDS = 20
LATER = NOON + datetime.timedelta(seconds=READING_SECONDS)


def open_shop(*, on: datetime.date = TODAY) -> None:
    """Load policies and products, and make `on` the business date."""
    load_policies(actor=SYSTEM, at=NOON)
    load_catalog()
    set_business_date(on)


def asked(
    *,
    product: str = "personal",
    amount: str = "10000",
    months: int = 12,
    method: str = "EQUAL_INSTALLMENT",
    purpose: str = "DAILY_NEEDS",
    words: str = "",
    merchant: Merchant | None = None,
) -> ApplicationRequest:
    """Return a request, by default one that the default borrower can afford."""
    return ApplicationRequest(
        product_code=product,
        merchant_id=None if merchant is None else merchant.public_id,
        amount=Money.parse(amount),
        installment_count=months,
        method=method,
        purpose_code=purpose,
        purpose_text=words,
    )


def submit(
    borrower: User,
    request: ApplicationRequest | None = None,
    *,
    key: str | None = None,
    on: datetime.date = TODAY,
    at: datetime.datetime = NOON,
) -> LoanApplication:
    """Send an application; a new form each time unless `key` is given."""
    return submit_application(
        borrower=borrower,
        asked=request or asked(),
        request_key=key or str(uuid.uuid4()),
        business_date=on,
        at=at,
        actor=borrower.as_actor(),
    )


def make_approved(borrower: User | None = None, **request: object) -> LoanApplication:
    """Return an application that the policy has approved in full."""
    application = submit(borrower or make_borrower(), asked(**request))  # type: ignore[arg-type]  # Handed on.
    if application.state != "APPROVED":
        raise AssertionError(f"The policy says {application.state}, not APPROVED.")
    return application


def make_referred(borrower: User | None = None, *, at: datetime.datetime = NOON) -> LoanApplication:
    """Return an application that waits for a person: its purpose is "something else"."""
    application = submit(borrower or make_borrower(), asked(purpose="OTHER"), at=at)
    if application.state != "REFERRED":
        raise AssertionError(f"The policy says {application.state}, not REFERRED.")
    return application


def make_underwriter() -> User:
    """Return a member of staff who may decide on referrals."""
    user = make_person(is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(
            codename__in=["decide_referral", "view_loanapplication", "view_borrowerprofile"]
        )
    )
    return User.objects.get(pk=user.pk)


def approve(
    application: LoanApplication,
    underwriter: User,
    *,
    amount: Money | None = None,
    at: datetime.datetime = NOON,
) -> LoanApplication:
    """Have the underwriter approve the application, in full unless `amount` is given."""
    return decide_referral(
        application_id=application.pk,
        underwriter=underwriter,
        ruling=Ruling(
            amount=amount or application.amount,
            reason=DecisionReason.FITS_BUDGET,
            note="Payslips seen.",
        ),
        business_date=TODAY,
        at=at,
    )


@dataclass(frozen=True, slots=True)
class ToSign:
    """An application with its confirmed sheet and the hash of the agreement to sign."""

    application: LoanApplication
    confirmation: CostSheetConfirmation
    sha256: str


def confirm(application: LoanApplication, *, on: datetime.date = TODAY) -> CostSheetConfirmation:
    """Show the cost sheet and confirm it when the reading time is over."""
    sheet = show_cost_sheet(
        application_id=application.pk,
        borrower=application.borrower,
        language="en",
        business_date=on,
        at=NOON,
    )
    return confirm_cost_sheet(
        application_id=application.pk,
        borrower=application.borrower,
        sheet_sha256=sheet.sha256,
        required_seconds=READING_SECONDS,
        business_date=on,
        at=LATER,
    )


def make_ready_to_sign(application: LoanApplication | None = None) -> ToSign:
    """Return an approved application whose cost sheet is confirmed."""
    application = application or make_approved()
    confirmation = confirm(application)
    ready = prepare_agreement(
        application_id=application.pk, borrower=application.borrower, business_date=TODAY
    )
    return ToSign(application=application, confirmation=confirmation, sha256=ready.text.sha256)


def sign(ready: ToSign, *, sha256: str | None = None, on: datetime.date = TODAY) -> Agreement:
    """Sign the agreement whose hash was on the page."""
    borrower = ready.application.borrower
    return sign_agreement(
        application_id=ready.application.pk,
        borrower=borrower,
        content_sha256=sha256 or ready.sha256,
        business_date=on,
        at=LATER,
        actor=borrower.as_actor(),
    )
