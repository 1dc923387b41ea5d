"""Send a payout again, after the bank said that the one before did not arrive.

Each payout is an order of its own with a number of its own at the bank, so a second one is money
twice unless the first is known to have failed: the caller has asked the bank just now.
"""

from __future__ import annotations

import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from loans.engine.lifecycle import LoanStatus
from loans.models import BankTransfer, Loan
from loans.models.transfer import (
    NOT_ARRIVED_STATES,
    CommandKind,
    TransferDirection,
    TransferPurpose,
)
from loans.selectors.payouts import newest_payout, payee_of
from loans.selectors.servicing import first_due_date
from loans.services.commands import claim_command
from loans.services.transfers import Outcome, order_transfer
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError

# How many payouts of a loan a borrower may have sent on one day: each may cost us a fee.
MOST_A_DAY = 3
# The money has to arrive before the first installment is due.
DAYS_TO_ARRIVE = datetime.timedelta(days=2)


class UnableToSendPayoutError(DomainError):
    """The payout cannot be sent again; the message says why."""


class PayoutAlreadySentError(UnableToSendPayoutError):
    """A newer payout is on its way, or has arrived."""


@transaction.atomic
def send_payout_again(
    *,
    payout_id: int,
    bank_says: Outcome,
    key: str,
    actor: Actor,
    business_date: datetime.date,
    at: datetime.datetime,
) -> BankTransfer:
    """Order the payout of a loan once more, to the account that is on file now; once per `key`.

    `payout_id` is the newest payout, `bank_says` the bank's signed answer about it of this moment.
    Two people who press at once order one: the second finds a newer payout. Raises
    PayoutAlreadySentError then, UnableToSendPayoutError when the bank does not say that it failed
    or came back, when there is no account, when credit is on its way back, when the first
    installment is due too soon, and after `MOST_A_DAY` tries of the borrower.
    """
    if actor.user_id is None:
        raise ValueError("A payout is sent again by a person.")
    loan_id = BankTransfer.objects.values_list("loan_id", flat=True).get(pk=payout_id)
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    newest = newest_payout(loan)
    command, new = claim_command(
        owner_id=actor.user_id,
        key=key,
        kind=CommandKind.PAYOUT,
        body={"loan": str(loan.public_id), "after": str(payout_id)},
        at=at,
    )
    if not new:
        return BankTransfer.objects.get(command=command)
    if newest is None or newest.pk != payout_id or loan.status != LoanStatus.PENDING:
        raise PayoutAlreadySentError(_("This payout has been sent again already."))
    _check_did_not_arrive(newest, bank_says)
    _check_loan(loan, actor, business_date)
    payee = payee_of(loan.agreement.application)
    if payee is None:
        raise UnableToSendPayoutError(_("There is no bank account to pay to."))
    return order_transfer(
        loan=loan,
        direction=TransferDirection.PAYOUT,
        purpose=TransferPurpose.DISBURSEMENT,
        amount=loan.principal,
        account_name=payee.holder_name,
        card_number=payee.card_number,
        business_date=business_date,
        at=at,
        command_id=command.pk,
    )


def _check_did_not_arrive(payout: BankTransfer, bank_says: Outcome) -> None:
    if payout.state not in NOT_ARRIVED_STATES:
        raise PayoutAlreadySentError(_("The payout is on its way. Wait for the bank's answer."))
    if bank_says not in (Outcome.FAILED, Outcome.RETURNED):
        raise UnableToSendPayoutError(_("The bank does not say that the payout failed."))


def _check_loan(loan: Loan, actor: Actor, business_date: datetime.date) -> None:
    if business_date + DAYS_TO_ARRIVE >= first_due_date(loan):
        raise UnableToSendPayoutError(
            _("The first installment would be due too soon. A new application is needed.")
        )
    going_back = loan.transfers.unsettled().filter(purpose=TransferPurpose.REFUND)
    if going_back.exists():
        raise UnableToSendPayoutError(
            _("What was repaid is on its way back. Wait until it has arrived.")
        )
    tried = loan.transfers.filter(
        purpose=TransferPurpose.DISBURSEMENT, effective_date=business_date
    ).count()
    if actor.user_id == loan.borrower_id and tried >= MOST_A_DAY:
        raise UnableToSendPayoutError(
            _("It has been tried often enough for today. Try again tomorrow, or write to us.")
        )
