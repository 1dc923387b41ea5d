"""The borrower has a payout that did not arrive sent again, also to another card."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import signed_in
from accounts.selectors.profiles import ProfileStep
from loans.access import access_loan
from loans.adapters import payouts
from loans.adapters.bank import BankClient
from loans.models import BankTransfer, Loan
from loans.models.transfer import TransferPurpose
from loans.selectors.business_day import business_date
from loans.views.apply import RETURN_KEY
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import borrower_required


@require_POST
@borrower_required
def send_payout_again(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask the bank about the payout that the page showed, and send another one when it failed."""
    user = signed_in(request)
    own = access_loan(user, public_id)
    payout = _payout_of(own, request.POST.get("payout", ""))
    try:
        payouts.send_again(
            BankClient.from_settings(),
            payout,
            key=f"payout-after-{payout.public_id}",
            actor=user.as_actor(),
            business_date=business_date(),
            at=clock.now(),
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Your money is being sent again."))
    return redirect("loans:loan", public_id=public_id)


@require_safe
@borrower_required
def payout_card(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Lead to the profile's bank account, and back to the loan afterwards."""
    own = access_loan(signed_in(request), public_id)
    request.session[RETURN_KEY] = reverse("loans:loan", args=[own.public_id])
    return redirect("accounts:profile_step", step=ProfileStep.BANK_ACCOUNT.value)


def _payout_of(loan: Loan, public_id: str) -> BankTransfer:
    payouts_of_loan = loan.transfers.filter(purpose=TransferPurpose.DISBURSEMENT)
    try:
        payout = payouts_of_loan.filter(public_id=public_id).first()
    except ValidationError as error:
        raise Http404 from error
    if payout is None:
        raise Http404
    return payout
