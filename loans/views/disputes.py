"""Withdraw a dispute: what that does, then do it."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import signed_in
from loans.access import access_loan
from loans.forms.disputes import WithdrawDisputeForm
from loans.models import Loan
from loans.selectors.business_day import business_date
from loans.services.disputes import (
    DisputeAlreadyResolvedError,
    NoSuchInstallmentError,
    preview_withdrawal,
    withdraw_dispute,
)
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import borrower_required


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
def withdraw(request: HttpRequest, public_id: UUID, number: int) -> HttpResponse:
    """Say what withdrawing the dispute about an installment does; do it when that is confirmed."""
    user = signed_in(request)
    own = access_loan(user, public_id)
    form = WithdrawDisputeForm(request.POST if request.method == "POST" else None)
    try:
        if not form.is_valid():
            return _show(request, own, number)
        withdraw_dispute(
            loan_id=own.pk,
            number=number,
            actor=user.as_actor(),
            key=str(form.cleaned_data["key"]),
            business_date=business_date(),
            at=clock.now(),
        )
    except NoSuchInstallmentError as error:
        raise Http404 from error
    except DisputeAlreadyResolvedError as error:
        messages.info(request, str(error))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The dispute is withdrawn. The installment counts again."))
    return redirect("loans:loan", public_id=public_id)


def _show(request: HttpRequest, own: Loan, number: int) -> HttpResponse:
    found = preview_withdrawal(loan_id=own.pk, number=number, business_date=business_date())
    context = {"loan": own, "preview": found, "key": uuid4()}
    return render(request, "loans/withdraw_dispute.html", context)
