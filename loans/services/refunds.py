"""Pay the borrower's credit back to their account: by itself on a closed loan, or as ordered."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.engine.bank_card import BankAccount
from accounts.selectors.profiles import bank_account
from loans.engine.events import Event, Refunded
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import LoanStatus, TransferState
from loans.engine.state import LoanState
from loans.models import BankTransfer, Loan, LoanEvent
from loans.models.transfer import (
    CommandKind,
    TransferChannel,
    TransferDirection,
    TransferPurpose,
)
from loans.selectors.cashier import payment_to_refund
from loans.selectors.servicing import loan_state
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    SecondPersonNeededError,
    UnableToCorrectError,
    case_of,
    claim_correction,
)
from loans.services.servicing import EventMaker
from loans.services.transfers import order_transfer
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money, total

logger = logging.getLogger(__name__)

# Nothing is owed of them; one that waits for its payout holds money when a payout came back.
_CLOSED_STATUSES = (LoanStatus.OVERPAID, LoanStatus.PENDING)


class UnableToRefundError(UnableToCorrectError):
    """The credit cannot be refunded; the message says why."""


@dataclass(frozen=True, kw_only=True)
class CreditRefund(Correction):
    """An amount of the borrower's credit, back to their account."""

    command_kind = CommandKind.REFUND
    error = UnableToRefundError

    amount: Money

    def body(self) -> dict[str, str]:
        """Return the amount."""
        return {"amount": str(self.amount)}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the event that follows when the bank has paid; refuse more than the credit."""
        if self.amount <= Money.zero():
            raise UnableToRefundError(_("Enter an amount above zero."), field="amount")
        most = refundable_credit(case.loan, case.state)
        if self.amount > most:
            raise UnableToRefundError(
                _("Only ¥%(amount)s can be paid back; what is on its way is taken off.")
                % {"amount": f"{most.amount:,.2f}"},
                field="amount",
            )

        def make_event(event_id: str, sequence: int) -> Event:
            return Refunded(
                event_id=event_id,
                sequence=sequence,
                effective_date=case.business_date,
                amount=self.amount,
            )

        return make_event


def refundable_credit(loan: Loan, state: LoanState) -> Money:
    """Return the borrower's credit without what is on its way back already."""
    waiting = BankTransfer.objects.unsettled().filter(loan=loan, purpose=TransferPurpose.REFUND)
    on_its_way = total(waiting.values_list("amount", flat=True))
    return max(-state.balances[LedgerAccount.BORROWER_CREDIT] - on_its_way, Money.zero())


@transaction.atomic
def refund_credit(*, loan_id: int, amount: Money, **how: Unpack[Manner]) -> BankTransfer:
    """Order `amount` of the credit back to the borrower's account; once per key.

    The loan's event follows when the bank has done it. Raises UnableToRefundError when it is more
    than the credit that is not on its way, or when there is no account to pay to;
    SecondPersonNeededError where so much of the credit was booked by hand by the one who asks.
    """
    loan = Loan.objects.for_update().select_related("agreement", "borrower").get(pk=loan_id)
    refund = CreditRefund(amount=amount)
    command, new = claim_correction(loan=loan, correction=refund, **how)
    if not new:
        return BankTransfer.objects.get(command=command)
    case = case_of(loan, business_date=how["business_date"])
    refund.event_maker(case)
    if _is_large(_booked_by_hand(loan, case.state, by=how["actor"])):
        raise SecondPersonNeededError(
            _("You have booked this money yourself. Another person has to pay it back.")
        )
    account = bank_account(loan.borrower)
    if account is None:
        raise UnableToRefundError(_("The borrower has no account to pay to."))
    return _order(loan, amount, account, how["business_date"], how["at"], command_id=command.pk)


@transaction.atomic
def refund_closed_loan(
    *, loan_id: int, business_date: datetime.date, at: datetime.datetime
) -> BankTransfer | None:
    """Order the credit of a closed loan back to its borrower; None when there is nothing to do.

    Called when a loan is overpaid and by each night, so it may run twice: what is on its way is
    taken off. After a refund that failed a person decides, because the account may be gone. A loan
    whose payout came back owes nothing either; its credit is never sent to the account that the
    payout came back from, and held while the loan is being paid out again. So much credit of money
    that one person booked by hand waits for another person.
    """
    loan = Loan.objects.for_update().select_related("agreement", "borrower").get(pk=loan_id)
    if loan.status not in _CLOSED_STATUSES or _is_being_paid_out(loan):
        return None
    state = loan_state(loan, as_of=business_date)
    amount = refundable_credit(loan, state)
    account = bank_account(loan.borrower)
    if not amount:
        return None
    if (
        account is None
        or _newest_refund_failed(loan)
        or _came_back_from(loan, account, amount)
        or _is_large(_booked_by_hand(loan, state))
    ):
        logger.warning("The credit of loan %s waits for a person.", loan.public_id)
        return None
    return _order(loan, amount, account, business_date, at)


def _is_large(amount: Money) -> bool:
    return amount >= Money.parse(settings.RAIL_REVERSAL_FOR_TWO)


def _booked_by_hand(loan: Loan, state: LoanState, *, by: Actor | None = None) -> Money:
    """Return the credit, held or paid back, of money that somebody typed in at the desk.

    Money of a bank file stands in the bank's own statement. `by` counts what this person booked.
    """
    held = {repayment.event_id: repayment.credit for repayment in state.repayments}
    if not any(held.values()):
        return Money.zero()
    rows = LoanEvent.objects.filter(loan=loan, received_money__isnull=False, bank_file_step=None)
    if by is not None:
        rows = rows.filter(actor_user_id=by.user_id)
    by_hand = {str(event_id) for event_id in rows.values_list("event_id", flat=True)}
    credit = [amount for event_id, amount in held.items() if event_id in by_hand]
    if not any(credit):
        return Money.zero()
    paid_back = (refund.amount for refund in state.refunds if refund.of in by_hand)
    return total((*credit, *paid_back))


def _is_being_paid_out(loan: Loan) -> bool:
    payouts = loan.transfers.unsettled().filter(purpose=TransferPurpose.DISBURSEMENT)
    return loan.status == LoanStatus.PENDING and payouts.exists()


def _came_back_from(loan: Loan, account: BankAccount, amount: Money) -> bool:
    """Return whether the loan's newest payout came back from this account.

    What was paid by Alipay goes back there, whatever the account.
    """
    if loan.status != LoanStatus.PENDING or payment_to_refund(loan, amount) is not None:
        return False
    payouts = loan.transfers.filter(purpose=TransferPurpose.DISBURSEMENT)
    newest = payouts.order_by("-pk").first()
    return newest is not None and newest.card_number == account.card_number


def _newest_refund_failed(loan: Loan) -> bool:
    refunds = loan.transfers.filter(purpose=TransferPurpose.REFUND).order_by("-pk")
    newest = refunds.first()
    return newest is not None and newest.state == TransferState.FAILED


def _order(
    loan: Loan,
    amount: Money,
    account: BankAccount,
    business_date: datetime.date,
    at: datetime.datetime,
    *,
    command_id: int | None = None,
) -> BankTransfer:
    # Money that came by Alipay goes back the same way where one payment covers it.
    payment = payment_to_refund(loan, amount)
    return order_transfer(
        loan=loan,
        direction=TransferDirection.PAYOUT,
        purpose=TransferPurpose.REFUND,
        amount=amount,
        account_name=account.holder_name if payment is None else "",
        card_number=account.card_number if payment is None else "",
        channel=TransferChannel.CARD if payment is None else TransferChannel.ALIPAY_REFUND,
        refund_of=payment,
        business_date=business_date,
        at=at,
        command_id=command_id,
    )


def refund_closed_loans(
    *,
    business_date: datetime.date,
    actor: Actor,
    clock: Callable[[], datetime.datetime],
    report: Callable[[int, int], None],
) -> int:
    """Order the credits that no task has ordered yet (a night step); return how many."""
    del actor
    held = Loan.objects.filter(status__in=_CLOSED_STATUSES, overpaid_amount__gt=0)
    keys = list(held.order_by("pk").values_list("pk", flat=True))
    orders = 0
    for done, key in enumerate(keys, start=1):
        order = refund_closed_loan(loan_id=key, business_date=business_date, at=clock())
        orders += order is not None
        report(done, len(keys))
    return orders
