"""Money over the bank: order it, note what the bank says, settle it once.

A transfer is committed before the bank hears of it; its `public_id` is the reference under which
the bank does it at most once. What is not known stays unsettled and is asked for again.
"""

from __future__ import annotations

import datetime
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction

from loans.engine.events import Disbursed, Event, Recovered, Refunded, Repaid
from loans.engine.lifecycle import TRANSFER_LIFECYCLE, TransferEvent, TransferState
from loans.engine.terms import PrepaymentEffect
from loans.models import BankNotice, BankTransfer, Loan
from loans.models.loan import OPEN_STATUSES
from loans.models.transfer import NoticeVerdict, TransferPurpose
from loans.selectors.business_day import business_date as current_business_date
from loans.selectors.servicing import events_of
from loans.services.received_money import was_charged_off
from loans.services.servicing import record_event
from zhixin.shared.actor import BANK, Actor
from zhixin.shared.jobs import enqueue_after_commit
from zhixin.shared.money import Money

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What the bank says became of an order."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOrder:
    """What the bank is asked to do."""

    reference: str
    direction: str
    purpose: str
    amount: Money
    account_name: str
    card_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankWord:
    """What the bank said of one order, in a call-back or as the answer to a query."""

    outcome: Outcome
    amount: Money | None  # A refusal need not state one.
    bank_reference: str
    failure_code: str
    body: dict[str, Any]


def order_transfer(
    *,
    loan: Loan,
    direction: str,
    purpose: str,
    amount: Money,
    account_name: str,
    card_number: str,
    business_date: datetime.date,
    at: datetime.datetime,
    command_id: int | None = None,
    prepayment: PrepaymentEffect | None = None,
) -> BankTransfer:
    """Write the intent in the caller's transaction and have it sent after the commit.

    `prepayment` is the borrower's choice for what a repayment exceeds all that is due by.
    """
    transfer = BankTransfer.objects.create(
        loan=loan,
        command_id=command_id,
        direction=direction,
        purpose=purpose,
        amount=amount,
        prepayment=prepayment or "",
        account_name=account_name,
        card_number=card_number,
        card_last_four=card_number[-4:],
        effective_date=business_date,
        created_at=at,
    )
    enqueue_after_commit("loans.send_transfer", transfer_id=transfer.pk)
    return transfer


@transaction.atomic
def begin_sending(*, transfer_id: int) -> TransferOrder | None:
    """Count one more try and return what to send; None when the outcome is known already."""
    transfer = BankTransfer.objects.for_update().get(pk=transfer_id)
    if transfer.state not in (TransferState.PENDING, TransferState.SENT):
        return None
    transfer.attempts += 1
    transfer.save(update_fields=["attempts"])
    return TransferOrder(
        reference=str(transfer.public_id),
        direction=transfer.direction,
        purpose=transfer.purpose,
        amount=transfer.amount,
        account_name=transfer.account_name,
        card_number=transfer.card_number,
    )


@transaction.atomic
def note_accepted(*, transfer_id: int, bank_reference: str, at: datetime.datetime) -> None:
    """Note that the bank has taken the order; a call-back may have come first."""
    transfer = BankTransfer.objects.for_update().get(pk=transfer_id)
    if transfer.state != TransferState.PENDING:
        return
    transfer.state = TRANSFER_LIFECYCLE.after(TransferState.PENDING, TransferEvent.SEND)
    transfer.sent_at = at
    transfer.bank_reference = bank_reference
    transfer.save(update_fields=["state", "sent_at", "bank_reference"])


def settle_transfer(*, reference: str, word: BankWord, at: datetime.datetime) -> NoticeVerdict:
    """Apply the bank's word on an order once, whatever the order and number of its arrivals.

    A success becomes the loan's event in the same transaction. The same word again is a
    duplicate; another word, or another amount, is a conflict: kept, logged, applied never.
    """
    with transaction.atomic():
        transfer = _lock_transfer(reference)
        verdict = _judge(transfer, word)
        BankNotice.objects.create(
            transfer=transfer, body=word.body, verdict=verdict, received_at=at
        )
        if verdict == NoticeVerdict.APPLIED and transfer is not None:
            _apply(transfer, word, at)
    if verdict in (NoticeVerdict.CONFLICT, NoticeVerdict.UNMATCHED):
        logger.error("Notice of the bank for %s: %s.", reference, verdict)
    return verdict


def _lock_transfer(reference: str) -> BankTransfer | None:
    """Return the transfer, with its loan locked before it; None when there is none."""
    try:
        public_id = UUID(reference)
    except ValueError:
        return None
    loan = (
        Loan.objects.for_update()
        .select_related("agreement")
        .filter(transfers__public_id=public_id)
        .first()
    )
    if loan is None:
        return None
    transfer = BankTransfer.objects.for_update().select_related("command").get(public_id=public_id)
    transfer.loan = loan
    return transfer


def _judge(transfer: BankTransfer | None, word: BankWord) -> NoticeVerdict:
    if transfer is None:
        return NoticeVerdict.UNMATCHED
    unstated = word.amount is None and word.outcome == Outcome.FAILED
    if word.amount != transfer.amount and not unstated:
        return NoticeVerdict.CONFLICT
    if transfer.state in (TransferState.PENDING, TransferState.SENT):
        return NoticeVerdict.APPLIED
    return (
        NoticeVerdict.DUPLICATE if transfer.state == word.outcome.value else NoticeVerdict.CONFLICT
    )


def _apply(transfer: BankTransfer, word: BankWord, at: datetime.datetime) -> None:
    succeeded = word.outcome == Outcome.SUCCEEDED
    transfer.state = TRANSFER_LIFECYCLE.after(
        TransferState(transfer.state), TransferEvent.SUCCEED if succeeded else TransferEvent.FAIL
    )
    transfer.bank_reference = word.bank_reference or transfer.bank_reference
    transfer.failure_code = "" if succeeded else word.failure_code
    transfer.settled_at = at
    transfer.save(update_fields=["state", "bank_reference", "failure_code", "settled_at"])
    if succeeded:
        _record_money(transfer, at)
    enqueue_after_commit("loans.tell_borrower_of_transfer", transfer_id=transfer.pk)


def _record_money(transfer: BankTransfer, at: datetime.datetime) -> None:
    business_date = current_business_date()
    # A payout counts from the day on which the borrower has the money; a repayment from the day
    # on which they paid, however late the bank's word comes.
    effective = (
        business_date
        if transfer.purpose == TransferPurpose.DISBURSEMENT
        else transfer.effective_date
    )
    kind = _event_kind(transfer, effective)
    choice = {"prepayment": _prepayment_of(transfer)} if kind is Repaid else {}

    def make_event(event_id: str, sequence: int) -> Event:
        return kind(
            event_id=event_id,
            sequence=sequence,
            effective_date=effective,
            amount=transfer.amount,
            **choice,
        )

    record_event(
        loan=transfer.loan,
        make_event=make_event,
        business_date=business_date,
        actor=_actor_of(transfer),
        at=at,
        transfer=transfer,
    )


def _event_kind(
    transfer: BankTransfer, effective: datetime.date
) -> type[Disbursed | Repaid | Recovered | Refunded]:
    if transfer.purpose == TransferPurpose.DISBURSEMENT:
        return Disbursed
    if transfer.purpose == TransferPurpose.REFUND:
        return Refunded
    # Only a loan that is not open any more can have been written off.
    loan = transfer.loan
    if loan.status not in OPEN_STATUSES and was_charged_off(events_of(loan), on=effective):
        return Recovered
    return Repaid


def _prepayment_of(transfer: BankTransfer) -> PrepaymentEffect | None:
    return PrepaymentEffect(transfer.prepayment) if transfer.prepayment else None


def _actor_of(transfer: BankTransfer) -> Actor:
    if transfer.command is None:
        return BANK
    if transfer.purpose == TransferPurpose.REFUND:
        return transfer.command.owner.as_actor()
    return Actor(user_id=transfer.command.owner_id, label="borrower")
