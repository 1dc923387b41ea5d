"""A borrower pays: an amount now, or everything."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from loans.engine.prepayment import has_choice
from loans.engine.state import LoanState
from loans.engine.terms import PrepaymentEffect
from loans.models import BankTransfer, Loan
from loans.models.loan import OWED_STATUSES
from loans.models.transfer import (
    CASHIER_CHANNELS,
    CommandKind,
    TransferChannel,
    TransferDirection,
    TransferPurpose,
)
from loans.selectors.repayments import standing_of, was_received, what_is_due
from loans.selectors.servicing import loan_state
from loans.services.commands import claim_command
from loans.services.locks import lock_loan
from loans.services.transfers import order_transfer
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money, total

# How long a payment can be made at the bank's page.
CASHIER_LIFE = datetime.timedelta(minutes=30)


class UnableToRepayError(DomainError):
    """The repayment cannot be taken; the message says why."""


class QuoteExpiredError(UnableToRepayError):
    """The amount was quoted to end the loan on another day, and today it would not."""


class PrepaymentChoiceNeededError(UnableToRepayError):
    """The amount is more than is due; the borrower says first what the surplus is to do."""


class RepaymentNeedsConfirmationError(UnableToRepayError):
    """The repayment looks like one made before; it is taken when the person says it is meant."""


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
    confirmed: bool = False,
    prepayment: PrepaymentEffect | None = None,
    quoted_on: datetime.date | None = None,
    channel: str = TransferChannel.CARD,
    asks_choice: bool = False,
) -> BankTransfer:
    """Have `amount` collected from the borrower's account; once per `key`.

    The same key, amount and choice again return the first transfer. The repayment takes effect on
    `business_date`, whenever the bank confirms it. At a cashier's `channel` the payer pays at the
    bank's page, for `CASHIER_LIFE`. `prepayment` says what the part beyond
    everything due does; None leaves it to the terms. `quoted_on` is the day whose figures the
    borrower saw. Raises UnableToRepayError when nothing is owed, when the amount is not positive,
    when it is more than is owed and not already on its way, or when the same amount is on its way;
    QuoteExpiredError when it is the payoff of `quoted_on` and would leave something open today;
    PrepaymentChoiceNeededError when there is a choice, none was made and the caller `asks_choice`;
    RepaymentNeedsConfirmationError when it may be a payment made twice (see `_check_meant`) and is
    not `confirmed`; KeyReusedError when the key was used with another amount or choice.
    """
    loan = lock_loan(loan_id)
    command, new = claim_command(
        owner_id=owner_id,
        key=key,
        kind=CommandKind.REPAYMENT,
        body=_body(loan, amount, prepayment),
        at=at,
    )
    if not new:
        return BankTransfer.objects.get(command=command)
    state, in_flight = standing_of(loan, as_of=business_date)
    on_its_way = total(in_flight)
    _check_amount(loan, state, amount, on_its_way)
    _check_same_on_its_way(amount, in_flight)
    if quoted_on is not None and quoted_on < business_date:
        _check_quote(loan, state, amount, on_its_way, quoted_on)
    if asks_choice and prepayment is None and has_choice(state, amount, on_its_way=on_its_way):
        raise PrepaymentChoiceNeededError(_("Choose what the rest should do."))
    if not confirmed:
        _check_meant(loan, state, amount, on_its_way, business_date)
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
        prepayment=prepayment,
        channel=channel,
        expires_at=at + CASHIER_LIFE if channel in CASHIER_CHANNELS else None,
    )


def _body(loan: Loan, amount: Money, prepayment: PrepaymentEffect | None) -> dict[str, str]:
    """Return what the key is bound to; an order without a choice is bound as it always was."""
    body = {"loan": str(loan.public_id), "amount": str(amount)}
    return body if prepayment is None else {**body, "prepayment": prepayment.value}


def _check_quote(
    loan: Loan, state: LoanState, amount: Money, on_its_way: Money, quoted_on: datetime.date
) -> None:
    """Refuse the payoff of an earlier day when it would leave something open today."""
    rest: Money = state.payoff_amount - on_its_way
    quoted: Money = loan_state(loan, as_of=quoted_on).payoff_amount - on_its_way
    if amount == quoted and amount < rest:
        raise QuoteExpiredError(
            _("A new day has begun since you looked. Paying everything today takes ¥%(amount)s.")
            % {"amount": f"{rest.amount:,.2f}"}
        )


def _check_amount(loan: Loan, state: LoanState, amount: Money, on_its_way: Money) -> None:
    if loan.status not in OWED_STATUSES:
        raise UnableToRepayError(_("Nothing is owed on this loan."))
    if amount <= Money.zero():
        raise UnableToRepayError(_("Enter an amount above zero."))
    payoff = state.payoff_amount
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


def _check_same_on_its_way(amount: Money, in_flight: Sequence[Money]) -> None:
    """Refuse the amount of a payment whose outcome is not known: it is most likely that one."""
    if amount in in_flight:
        raise UnableToRepayError(
            _(
                "A payment of ¥%(amount)s is already on its way. Wait for its answer before you "
                "pay the same amount again."
            )
            % {"amount": f"{amount.amount:,.2f}"}
        )


def _check_meant(
    loan: Loan, state: LoanState, amount: Money, on_its_way: Money, on: datetime.date
) -> None:
    """Ask once more before a payment that is perhaps made twice.

    That is one beyond what is due, beside another that is on its way or beside one of the same
    amount that was received on the same day. Paying everything is always meant.
    """
    if amount == state.payoff_amount - on_its_way:
        return
    if on_its_way:
        if amount > what_is_due(state) - on_its_way:
            raise RepaymentNeedsConfirmationError(
                _(
                    "A payment of ¥%(amount)s is already on its way; with it you would pay more "
                    "than is due. Confirm it if you want that."
                )
                % {"amount": f"{on_its_way.amount:,.2f}"}
            )
    elif amount > state.due_before_choice and was_received(loan, amount, on=on):
        raise RepaymentNeedsConfirmationError(
            _(
                "You have paid ¥%(amount)s today already; the same amount again is more than is "
                "due. Confirm it if you want that."
            )
            % {"amount": f"{amount.amount:,.2f}"}
        )
