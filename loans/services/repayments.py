"""A borrower pays: an amount now, or everything."""

from __future__ import annotations

import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from loans.models import BankTransfer, Loan
from loans.models.loan import OPEN_STATUSES
from loans.models.transfer import TransferDirection, TransferPurpose
from loans.selectors.repayments import in_flight_repayments
from loans.selectors.servicing import loan_state
from loans.services.commands import claim_command
from loans.services.transfers import order_transfer
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money


class UnableToRepayError(DomainError):
    """The repayment cannot be taken; the message says why."""


@transaction.atomic
def request_repayment(
    *,
    loan_id: int,
    owner_id: int,
    amount: Money,
    key: str,
    account_name: str,
    card_number: str,
    business_date: datetime.date,
    at: datetime.datetime,
) -> BankTransfer:
    """Have `amount` collected from the borrower's account; once per `key`.

    The same key and amount again return the first transfer. The repayment takes effect on
    `business_date`, whenever the bank confirms it. Raises UnableToRepayError when nothing is owed,
    when the amount is not positive, or when it is more than is owed and not already on its way;
    KeyReusedError when the key was used with another amount.
    """
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    command, new = claim_command(
        owner_id=owner_id,
        key=key,
        kind="REPAYMENT",
        body={"loan": str(loan.public_id), "amount": str(amount)},
        at=at,
    )
    if not new:
        return BankTransfer.objects.get(command=command)
    _check_amount(loan, amount, business_date)
    return order_transfer(
        loan=loan,
        direction=TransferDirection.DEBIT,
        purpose=TransferPurpose.REPAYMENT,
        amount=amount,
        account_name=account_name,
        card_number=card_number,
        business_date=business_date,
        at=at,
        command_id=command.pk,
    )


def _check_amount(loan: Loan, amount: Money, business_date: datetime.date) -> None:
    if loan.status not in OPEN_STATUSES:
        raise UnableToRepayError(_("Nothing is owed on this loan."))
    if amount <= Money.zero():
        raise UnableToRepayError(_("Enter an amount above zero."))
    payoff = loan_state(loan, as_of=business_date).payoff_amount
    on_its_way = in_flight_repayments(loan)
    if amount > payoff - on_its_way:
        if on_its_way:
            raise UnableToRepayError(
                _("A payment of ¥%(amount)s is already on its way. Wait for its answer.")
                % {"amount": f"{on_its_way.amount:,.2f}"}
            )
        raise UnableToRepayError(
            _("That is more than you owe. Paying everything today takes ¥%(amount)s.")
            % {"amount": f"{payoff.amount:,.2f}"}
        )
