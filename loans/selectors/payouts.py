"""Payouts that did not arrive: why, what happens next, and to which account one is sent again."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.engine.bank_card import BankAccount
from accounts.selectors.profiles import bank_account
from loans.engine.events import Disbursed
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.models import BankTransfer, Loan, LoanApplication
from loans.models.transfer import NOT_ARRIVED_STATES, TransferPurpose

# Nothing is wrong with the account of who is paid: ours was, or our order.
OUR_SIDE = frozenset({"BALANCE_IS_NOT_ENOUGH", "INVALID_PARAMETER", "PAYER_BALANCE_NOT_ENOUGH"})
_WRONG_NUMBER = gettext_lazy("The bank does not know this card number.")
_WRONG_NAME = gettext_lazy("The bank does not know this card number with this name.")
_CLOSED = gettext_lazy("The bank says that this account cannot receive money.")
_OURS = gettext_lazy("It failed on our side. Nothing is wrong with the card.")
_REASONS: dict[str, Promise] = {
    "CARD_BIN_ERROR": _WRONG_NUMBER,
    "INVALID_CARDNO": _WRONG_NUMBER,
    "PAYEE_ACCOUNT_NOT_EXSIT": _WRONG_NUMBER,
    "PAYEE_NOT_EXIST": _WRONG_NUMBER,
    "PAYEE_CARD_INFO_ERROR": _WRONG_NAME,
    "PAYEE_ACCOUNT_STATUS_ERROR": _CLOSED,
    **dict.fromkeys(OUR_SIDE, _OURS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutNews:
    """What became of the newest payout of a loan that is not paid out.

    `card_last_four` is where it would go now; `card_changed` says that it is another one than the
    one tried.
    """

    transfer: BankTransfer
    is_open: bool
    came_back: bool
    is_ours: bool
    reason: str
    to_merchant: str
    card_last_four: str
    card_changed: bool


def newest_payout(loan: Loan) -> BankTransfer | None:
    """Return the last payout that was ordered for the loan."""
    payouts = loan.transfers.filter(purpose=TransferPurpose.DISBURSEMENT)
    return payouts.order_by("-pk").first()


def money_moved_on(loan: Loan) -> datetime.date | None:
    """Return the day on which the account begins: of the payout, also of one that came back."""
    if loan.disbursed_on is not None:
        return loan.disbursed_on
    payouts = loan.events.filter(kind=Disbursed.kind).order_by("sequence")
    return payouts.values_list("effective_date", flat=True).first()


def payout_news(loan: Loan) -> PayoutNews | None:
    """Return what the borrower is told of the payout; None once the loan is paid out."""
    if loan.status != LoanStatus.PENDING:
        return None
    payout = newest_payout(loan)
    if payout is None:
        return None
    merchant = loan.agreement.application.merchant
    payee = payee_of(loan.agreement.application)
    return PayoutNews(
        transfer=payout,
        is_open=payout.state not in NOT_ARRIVED_STATES,
        came_back=payout.state == TransferState.REVERSED,
        is_ours=payout.failure_code in OUR_SIDE,
        reason=payout_reason(payout),
        to_merchant=merchant.name if merchant else "",
        card_last_four=payee.last_four if payee else "",
        card_changed=payee is not None and payee.card_number != payout.card_number,
    )


def payout_reason(payout: BankTransfer) -> str:
    """Return why a payout did not arrive, in words for people; nothing while it may."""
    if payout.state == TransferState.REVERSED:
        return _("The receiving bank sent the money back. The account may be closed or blocked.")
    if payout.state != TransferState.FAILED:
        return ""
    return str(_REASONS.get(payout.failure_code, _("The bank gave no reason that we know.")))


def payee_of(application: LoanApplication) -> BankAccount | None:
    """Return who is paid out to: the merchant, or else the borrower's account as it is now."""
    merchant = application.merchant
    if merchant is None:
        return bank_account(application.borrower)
    return BankAccount(
        holder_name=merchant.account_name, card_number=merchant.card_number, bank_code="OTHER"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPayout:
    """A payout in the queue of staff: why it failed, and to which account it would go now."""

    transfer: BankTransfer
    reason: str
    card_last_four: str
    card_changed: bool
    tries: int


def failed_payouts() -> list[FailedPayout]:
    """Return the payouts that did not arrive and after which the loan still waits."""
    waiting = list(
        BankTransfer.objects.payouts_that_did_not_arrive().select_related(
            "loan__agreement__application__merchant",
            "loan__agreement__application__borrower__profile",
        )
    )
    tries = Counter(
        BankTransfer.objects.filter(
            purpose=TransferPurpose.DISBURSEMENT,
            loan__in=[transfer.loan_id for transfer in waiting],
        ).values_list("loan_id", flat=True)
    )
    return [_failed(transfer, tries[transfer.loan_id]) for transfer in waiting]


def _failed(payout: BankTransfer, tries: int) -> FailedPayout:
    payee = payee_of(payout.loan.agreement.application)
    return FailedPayout(
        transfer=payout,
        reason=payout_reason(payout),
        card_last_four=payee.last_four if payee else "",
        card_changed=payee is not None and payee.card_number != payout.card_number,
        tries=tries,
    )


def payouts_to_ask_about(*, since: datetime.datetime) -> QuerySet[BankTransfer]:
    """Return the payouts to cards that were done since `since` and may come back yet."""
    return (
        BankTransfer.objects.filter(
            purpose__in=(TransferPurpose.DISBURSEMENT, TransferPurpose.REFUND),
            refund_of=None,
            state=TransferState.SUCCEEDED,
            settled_at__gte=since,
        )
        .select_related("refund_of")
        .order_by("pk")
    )
