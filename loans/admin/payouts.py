"""Payouts that did not arrive: the queue of staff, and the button that sends one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.access import signed_in
from loans.access import may_open_loan
from loans.adapters import payouts
from loans.adapters.bank import BankClient
from loans.models import BankTransfer
from loans.selectors.business_day import business_date
from loans.selectors.payouts import failed_payouts
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import staff_required

READ_PERMISSION = "loans.view_banktransfer"
SEND_PERMISSION = "loans.record_money"


class NotArrivedFilter(admin.SimpleListFilter):
    """Of the transfers, the payouts after which a loan still waits for its money."""

    title = gettext_lazy("payout")
    parameter_name = "payout"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - Django's signature.
        """Return the one choice beside all."""
        del request, model_admin
        return [("not_arrived", _("Did not arrive, to be sent again"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return what the choice leaves."""
        del request
        if self.value() != "not_arrived":
            return queryset
        waiting = BankTransfer.objects.payouts_that_did_not_arrive()
        return queryset.filter(pk__in=waiting.order_by().values("pk"))


def urls(wrap: Callable[..., Any]) -> list[URLPattern]:
    """Return the queue's addresses, to stand before those of the list of transfers."""
    return [
        path("payouts/", wrap(queue), name="loans_failed_payouts"),
        path("payouts/<uuid:public_id>/", wrap(send_again), name="loans_send_payout_again"),
    ]


@staff_required(READ_PERMISSION)
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """List the payouts that did not arrive, oldest first, why, and where each would go now."""
    user = signed_in(request)
    context = {
        **admin.site.each_context(request),
        "title": _("Payouts that did not arrive"),
        "rows": [row for row in failed_payouts() if may_open_loan(user, row.transfer.loan)],
        "may_send": user.has_perm(SEND_PERMISSION),
        "person": user,
    }
    return render(request, "admin/loans/failed_payouts.html", context)


@staff_required(SEND_PERMISSION)
@require_POST
def send_again(request: HttpRequest, public_id: Any) -> HttpResponse:  # noqa: ANN401 - As the path has it.
    """Ask the bank about the payout, and send another one when it says that it failed."""
    user = signed_in(request)
    payout = BankTransfer.objects.select_related("loan").filter(public_id=public_id).first()
    if payout is None or not may_open_loan(user, payout.loan):
        raise Http404
    if payout.loan.borrower_id == user.pk:
        raise PermissionDenied
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
        messages.success(request, _("The payout is with the bank again, as a new order."))
    return redirect("admin:loans_failed_payouts")
