"""Autopay: what will happen, what happened, on and off."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import signed_in
from accounts.selectors.profiles import bank_account
from loans.access import access_loan
from loans.engine.autopay import CONSENT_TEXT_VERSION
from loans.forms.autopay import TurnOnForm
from loans.models import Loan
from loans.selectors.autopay import autopay_page
from loans.selectors.business_day import business_date
from loans.services.autopay import (
    AutopayOffAlreadyDone,
    AutopayOnAlreadyDone,
    UnableToTurnOnAutopayError,
    turn_off,
    turn_on,
)
from zhixin.shared import clock
from zhixin.shared.permissions import borrower_required


@require_safe
@borrower_required
def show(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show how autopay of a loan stands and what is next."""
    return _show(request, access_loan(signed_in(request), public_id))


@require_POST
@borrower_required
def switch_on(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Turn autopay on for the account and by the text that the page showed."""
    user = signed_in(request)
    own = access_loan(user, public_id)
    form = TurnOnForm(request.POST)
    if not form.is_valid():
        return _show(request, own, error=_("Please look again, then decide."), status=422)
    try:
        turn_on(
            loan_id=own.pk,
            text_version=form.cleaned_data["text_version"],
            card_last_four=form.cleaned_data["card"],
            language=get_language() or "en",
            business_date=business_date(),
            actor=user.as_actor(),
            at=clock.now(),
        )
    except UnableToTurnOnAutopayError as error:
        return _show(request, own, error=str(error), status=422)
    except AutopayOnAlreadyDone as error:
        messages.info(request, str(error))
    else:
        messages.success(request, _("Autopay is on. You can turn it off here at any time."))
    return redirect("loans:autopay", public_id=public_id)


@require_POST
@borrower_required
def switch_off(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Turn autopay off at once."""
    user = signed_in(request)
    own = access_loan(user, public_id)
    try:
        turn_off(
            loan_id=own.pk, business_date=business_date(), actor=user.as_actor(), at=clock.now()
        )
    except AutopayOffAlreadyDone as error:
        messages.info(request, str(error))
    else:
        messages.success(request, _("Autopay is off. Nothing more is collected by itself."))
    return redirect("loans:autopay", public_id=public_id)


def _show(request: HttpRequest, own: Loan, *, error: str = "", status: int = 200) -> HttpResponse:
    context = {
        "page": autopay_page(own, as_of=business_date()),
        "account": bank_account(signed_in(request)),
        "text_version": CONSENT_TEXT_VERSION,
        "error": error,
    }
    return render(request, "loans/autopay.html", context, status=status)
