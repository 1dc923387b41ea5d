"""Pay at Alipay's own page: there, and back again."""

from __future__ import annotations

import datetime
import logging
import re
from typing import TypedDict
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import signed_in
from accounts.engine.bank_card import BankAccount
from loans.access import access_transfer
from loans.adapters import rail
from loans.adapters.bank import BankClient
from loans.adapters.bank_words import InvalidNoticeError
from loans.models import BankTransfer, Loan
from loans.models.transfer import CASHIER_CHANNELS, SETTLED_STATES, TransferChannel
from loans.selectors.cashier import closed_cashier, open_cashiers
from loans.services.repayments import UnableToRepayError
from zhixin.shared import clock
from zhixin.shared.jobs import enqueue_after_commit
from zhixin.shared.permissions import borrower_required
from zhixin.shared.templatetags.zhixin import money

logger = logging.getLogger(__name__)

# The button of the pay page that leads here: name="way" value="alipay".
WAY_FIELD = "way"
ALIPAY = "alipay"
# A closed order can be open in a tab for long; older ones are no news to the payer.
_LATELY = datetime.timedelta(days=1)
_PHONE = re.compile(r"Mobile|Android|iPhone|iPad|HarmonyOS|AlipayClient", re.IGNORECASE)


class Payer(TypedDict):
    """From where a repayment is collected, as `request_repayment` takes it."""

    account_name: str
    card_number: str
    channel: str


def payer_of(request: HttpRequest, account: BankAccount) -> Payer:
    """Return from where the form's sender wants to pay: their card, or Alipay's own page."""
    if request.POST.get(WAY_FIELD) != ALIPAY:
        return Payer(
            account_name=account.holder_name,
            card_number=account.card_number,
            channel=TransferChannel.CARD,
        )
    on_a_phone = _PHONE.search(request.headers.get("User-Agent", "")) is not None
    channel = TransferChannel.ALIPAY_WAP if on_a_phone else TransferChannel.ALIPAY_PAGE
    return Payer(account_name="", card_number="", channel=channel)


def make_way(loan: Loan, *, key: str) -> None:
    """End what waits at the cashier for this loan, so that another payment can be ordered.

    Raises UnableToRepayError when the bank leaves one unknown. `key` is that of the form.
    """
    if not open_cashiers(loan, except_key=key):
        return
    client = BankClient.from_settings()
    if not rail.release_cashiers(client, loan, at=clock.now(), except_key=key):
        raise UnableToRepayError(
            _("Alipay does not answer about your last payment. Try again in a minute.")
        )


def next_page(transfer: BankTransfer) -> HttpResponse:
    """Send the payer to the cashier, or to the page of a payment that needs no page of the bank."""
    waits = transfer.channel in CASHIER_CHANNELS and transfer.state not in SETTLED_STATES
    return redirect("loans:cashier" if waits else "loans:payment", public_id=transfer.public_id)


@require_safe
@borrower_required
def cashier(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Lead on to Alipay's page.

    A page of our own in between: a form may not be answered by another site (CSP `form-action`).
    """
    transfer = access_transfer(signed_in(request), public_id)
    is_open = transfer.channel in CASHIER_CHANNELS and transfer.state not in SETTLED_STATES
    if not is_open or transfer.withdrawn_at or (transfer.expires_at or clock.now()) <= clock.now():
        return redirect("loans:payment", public_id=transfer.public_id)
    title = _("Zhixin repayment, contract %(number)s") % {"number": transfer.loan.agreement.number}
    address = rail.cashier_address(BankClient.from_settings(), transfer, title=title)
    context = {"transfer": transfer, "address": address}
    return render(request, "loans/cashier.html", context)


@require_safe
@borrower_required
def cashier_return(request: HttpRequest) -> HttpResponse:
    """Take the payer back. The parameters say which payment; what became of it, the bank says."""
    query = request.META.get("QUERY_STRING", "").encode()
    try:
        reference = UUID(BankClient.from_settings().parse_return(query))
    except (InvalidNoticeError, ValueError) as refusal:
        # A payer whose order was closed meanwhile is sent back without a signature too.
        logger.warning("A return from the cashier was not believed: %s", refusal)
        _say_what_was_closed(request)
        return redirect("loans:my_loans")
    transfer = access_transfer(signed_in(request), reference)
    if transfer.state not in SETTLED_STATES:
        enqueue_after_commit("loans.ask_about_transfer", transfer_id=transfer.pk)
    return redirect("loans:payment", public_id=transfer.public_id)


def _say_what_was_closed(request: HttpRequest) -> None:
    """Tell the payer that nothing was taken for their payment that the bank closed lately."""
    closed = closed_cashier(signed_in(request), since=clock.now() - _LATELY)
    if closed is None:
        return
    in_time = closed.expires_at and closed.settled_at and closed.settled_at < closed.expires_at
    text = (
        _(
            "Nothing was taken at Alipay for the payment of %(amount)s: it had been closed because "
            "you began another payment."
        )
        if in_time
        else _(
            "Nothing was taken at Alipay for the payment of %(amount)s: it had been closed because "
            "its time to be paid had run out."
        )
    )
    messages.warning(request, text % {"amount": money(closed.amount)})
