"""Money over the bank: order it, note what the bank says, settle it once.

A transfer is committed before the bank hears of it; its `public_id` is the reference under which
the bank does it at most once. What is not known stays unsettled and is asked for again.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction

from loans.engine.events import (
    Disbursed,
    Event,
    InvalidEventError,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
)
from loans.engine.lifecycle import (
    TRANSFER_LIFECYCLE,
    LoanStatus,
    TransferEvent,
    TransferState,
)
from loans.engine.terms import PrepaymentEffect
from loans.models import BankNotice, BankTransfer, Loan
from loans.models.loan import OPEN_STATUSES
from loans.models.transfer import (
    CASHIER_CHANNELS,
    SETTLED_STATES,
    NoticeVerdict,
    TransferChannel,
    TransferPurpose,
)
from loans.selectors.business_day import business_date as current_business_date
from loans.selectors.servicing import books_of, first_due_date
from loans.services.bank_differences import WordFacts, note_word
from loans.services.locks import lock_transfer
from loans.services.received_money import was_charged_off
from loans.services.servicing import record_event
from zhixin.shared.actor import BANK, Actor
from zhixin.shared.jobs import enqueue_after_commit
from zhixin.shared.money import Money
from zhixin.shared.signing import BANK_TIME_ZONE

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What the bank says became of an order."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    # A payout that the other bank sent back, perhaps after it had been done.
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOrder:
    """What the bank is asked to do."""

    reference: str
    direction: str
    purpose: str
    amount: Money
    account_name: str
    card_number: str
    payment_reference: str = ""  # Of the payment that a refund goes back to.


@dataclass(frozen=True, slots=True, kw_only=True)
class BankWord:
    """What the bank said of one order, in a call-back or as the answer to a query."""

    outcome: Outcome
    amount: Money | None  # A refusal need not state one.
    bank_reference: str
    failure_code: str
    body: dict[str, Any]
    value_date: datetime.date | None = None  # The bank's own day of a success.


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
    channel: str = TransferChannel.CARD,
    expires_at: datetime.datetime | None = None,
    refund_of: BankTransfer | None = None,
) -> BankTransfer:
    """Write the intent in the caller's transaction and have it sent after the commit.

    `prepayment` is the borrower's choice for what a repayment exceeds all that is due by. At a
    cashier's `channel` nothing is sent: the payer brings the order to the bank before `expires_at`.
    """
    transfer = BankTransfer.objects.create(
        loan=loan,
        command_id=command_id,
        direction=direction,
        purpose=purpose,
        amount=amount,
        prepayment=prepayment or "",
        channel=channel,
        expires_at=expires_at,
        refund_of=refund_of,
        account_name=account_name,
        card_number=card_number,
        card_last_four=card_number[-4:],
        effective_date=business_date,
        created_at=at,
    )
    if channel not in CASHIER_CHANNELS:
        enqueue_after_commit("loans.send_transfer", transfer_id=transfer.pk)
    return transfer


@transaction.atomic
def begin_sending(*, transfer_id: int) -> TransferOrder | None:
    """Count one more try and return what to send; None when the outcome is known already.

    An order at the cashier is never sent from here: the payer brings it.
    """
    transfer = BankTransfer.objects.for_update().get(pk=transfer_id)
    if transfer.state in SETTLED_STATES or transfer.channel in CASHIER_CHANNELS:
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
        payment_reference=str(transfer.refund_of.public_id) if transfer.refund_of else "",
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


def settle_transfer(
    *, reference: str, word: BankWord, at: datetime.datetime, by_decision: bool = False
) -> NoticeVerdict:
    """Apply the bank's word on an order once, whatever the order and number of its arrivals.

    A success becomes the loan's event in the same transaction. The same word again is a
    duplicate; another word, or another amount, is a conflict: kept, logged, applied never. A
    payment at the cashier that comes after it was closed is money all the same and applied; a
    loan's payout that comes back after it was done is undone by a reversal of its event, and a
    refund that comes back left to a person. Whatever is not plain goes to the queue of differences.
    `by_decision`: a person has decided that the bank's success counts after its refusal, whatever
    the channel.
    """
    with transaction.atomic():
        transfer = _find_and_lock(reference)
        verdict = _judge(transfer, word, by_decision=by_decision)
        BankNotice.objects.create(
            transfer=transfer, body=word.body, verdict=verdict, received_at=at
        )
        if transfer is not None and verdict in (NoticeVerdict.APPLIED, NoticeVerdict.LATE):
            _apply(transfer, word, at)
        undone = (
            transfer is not None
            and verdict == NoticeVerdict.RETURNED
            and _note_return(transfer, at)
        )
        if not undone:
            note_word(
                transfer=transfer,
                verdict=verdict,
                facts=WordFacts(
                    reference=reference,
                    bank_reference=word.bank_reference,
                    amount=word.amount,
                    value_date=word.value_date,
                    body=word.body,
                ),
                at=at,
            )
    if verdict in (NoticeVerdict.CONFLICT, NoticeVerdict.UNMATCHED):
        logger.error("Notice of the bank for %s: %s.", reference, verdict)
    return verdict


def _find_and_lock(reference: str) -> BankTransfer | None:
    try:
        public_id = UUID(reference)
    except ValueError:
        return None
    return lock_transfer(public_id)


def _judge(transfer: BankTransfer | None, word: BankWord, *, by_decision: bool) -> NoticeVerdict:
    if transfer is None:
        return NoticeVerdict.UNMATCHED
    unstated = word.amount is None and word.outcome != Outcome.SUCCEEDED
    if word.amount != transfer.amount and not unstated:
        return NoticeVerdict.CONFLICT
    if transfer.purpose == TransferPurpose.DISBURSEMENT and _comes_too_late(transfer, word):
        return NoticeVerdict.CONFLICT
    if transfer.state in (TransferState.PENDING, TransferState.SENT):
        return NoticeVerdict.APPLIED
    return _judge_again(transfer, word, by_decision=by_decision)


def _comes_too_late(payout: BankTransfer, word: BankWord) -> bool:
    """Return whether the bank says so late that it was done that the signed terms do not fit."""
    if word.outcome != Outcome.SUCCEEDED or payout.state in _WAS_DONE:
        return False
    return current_business_date() >= first_due_date(payout.loan)


def _judge_again(transfer: BankTransfer, word: BankWord, *, by_decision: bool) -> NoticeVerdict:
    """Return what another word about a settled transfer comes to."""
    if (transfer.state, word.outcome) in _SAME_WORDS:
        return NoticeVerdict.DUPLICATE
    if transfer.state == TransferState.SUCCEEDED and word.outcome == Outcome.RETURNED:
        return NoticeVerdict.RETURNED
    failed_then_paid = (TransferState.FAILED, Outcome.SUCCEEDED)
    counts = by_decision or transfer.channel in CASHIER_CHANNELS
    if transfer.purpose == TransferPurpose.DISBURSEMENT and _is_sent_again(transfer):
        return NoticeVerdict.CONFLICT
    if (transfer.state, word.outcome) == failed_then_paid and counts:
        return NoticeVerdict.LATE
    return NoticeVerdict.CONFLICT


def _is_sent_again(payout: BankTransfer) -> bool:
    """Return whether another payout of the loan was ordered after this one."""
    later = payout.loan.transfers.filter(purpose=TransferPurpose.DISBURSEMENT, pk__gt=payout.pk)
    return later.exists()


_WAS_DONE = (TransferState.SUCCEEDED, TransferState.REVERSED)
# What says nothing new: a payout that came back had been done before, or was not done after all.
_SAME_WORDS = {
    (TransferState.SUCCEEDED, Outcome.SUCCEEDED),
    (TransferState.FAILED, Outcome.FAILED),
    (TransferState.FAILED, Outcome.RETURNED),
    (TransferState.REVERSED, Outcome.RETURNED),
    (TransferState.REVERSED, Outcome.SUCCEEDED),
}


def _note_return(transfer: BankTransfer, at: datetime.datetime) -> bool:
    """Note that the money came back; return whether that undid all that the transfer had done.

    A refund that came back is left to a person, and so is a payout of which the loan's later
    events do not allow it.
    """
    transfer.state = TRANSFER_LIFECYCLE.after(TransferState(transfer.state), TransferEvent.RETURN)
    transfer.save(update_fields=["state"])
    if transfer.purpose != TransferPurpose.DISBURSEMENT:
        return False
    try:
        with transaction.atomic():
            _reverse_payout(transfer, at)
    except InvalidEventError:
        logger.exception("The returned payout %s waits for a person.", transfer.public_id)
        return False
    enqueue_after_commit("loans.tell_borrower_of_transfer", transfer_id=transfer.pk)
    return True


def _reverse_payout(transfer: BankTransfer, at: datetime.datetime) -> None:
    """Record that the payout was never made: from the business date on nothing is owed of it."""
    payout = transfer.events.get(kind=Disbursed.kind)
    business_date = max(current_business_date(), payout.effective_date)

    def make_event(event_id: str, sequence: int) -> Event:
        return Reversed(
            event_id=event_id,
            sequence=sequence,
            effective_date=business_date,
            of=str(payout.event_id),
        )

    record_event(
        loan=transfer.loan,
        make_event=make_event,
        business_date=business_date,
        actor=BANK,
        at=at,
        transfer=transfer,
    )
    _give_back_what_is_held(transfer.loan)


def _give_back_what_is_held(loan: Loan) -> None:
    """Have money returned that the borrower has repaid on a loan that is not paid out."""
    if loan.status == LoanStatus.PENDING and loan.overpaid_amount:
        enqueue_after_commit("loans.refund_closed_loan", loan_id=loan.pk)


def _step_of(transfer: BankTransfer, *, succeeded: bool) -> TransferEvent:
    if not succeeded:
        return TransferEvent.FAIL
    late = transfer.state == TransferState.FAILED
    return TransferEvent.SUCCEED_LATE if late else TransferEvent.SUCCEED


def _bank_day(word: BankWord, at: datetime.datetime) -> datetime.date | None:
    """Return in which of the bank's days a success stands; None when it was not the bank's word."""
    if word.value_date is not None or word.body.get("source") not in _BANK_SOURCES:
        return word.value_date
    return at.astimezone(BANK_TIME_ZONE).date()


# How a word that came from the bank itself is marked in its body.
_BANK_SOURCES = frozenset({"notice", "answer"})


def _apply(transfer: BankTransfer, word: BankWord, at: datetime.datetime) -> None:
    succeeded = word.outcome == Outcome.SUCCEEDED
    transfer.state = TRANSFER_LIFECYCLE.after(
        TransferState(transfer.state), _step_of(transfer, succeeded=succeeded)
    )
    transfer.bank_reference = word.bank_reference or transfer.bank_reference
    transfer.failure_code = "" if succeeded else word.failure_code
    transfer.settled_at = at
    transfer.bank_date = _bank_day(word, at) if succeeded else None
    fields = ["state", "bank_reference", "failure_code", "settled_at", "bank_date"]
    transfer.save(update_fields=fields)
    if succeeded:
        _record_money(transfer, at)
    enqueue_after_commit("loans.tell_borrower_of_transfer", transfer_id=transfer.pk)


def _record_money(transfer: BankTransfer, at: datetime.datetime) -> None:
    books = books_of(transfer.loan)
    # A payout counts from the day on which the borrower has the money; a repayment from the day
    # on which they paid, however late the bank's word comes.
    effective = (
        books.business_date
        if transfer.purpose == TransferPurpose.DISBURSEMENT
        else transfer.effective_date
    )
    kind = _event_kind(transfer, books.events, effective)
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
        business_date=books.business_date,
        actor=_actor_of(transfer),
        at=at,
        transfer=transfer,
        books=books,
    )
    if transfer.purpose == TransferPurpose.REPAYMENT:
        _give_back_what_is_held(transfer.loan)


def _event_kind(
    transfer: BankTransfer, events: Sequence[Event], effective: datetime.date
) -> type[Disbursed | Repaid | Recovered | Refunded]:
    if transfer.purpose == TransferPurpose.DISBURSEMENT:
        return Disbursed
    if transfer.purpose == TransferPurpose.REFUND:
        return Refunded
    # Only a loan that is not open any more can have been written off.
    if transfer.loan.status not in OPEN_STATUSES and was_charged_off(events, on=effective):
        return Recovered
    return Repaid


def _prepayment_of(transfer: BankTransfer) -> PrepaymentEffect | None:
    return PrepaymentEffect(transfer.prepayment) if transfer.prepayment else None


def _actor_of(transfer: BankTransfer) -> Actor:
    if transfer.command_id is None:
        return BANK
    if transfer.purpose != TransferPurpose.REPAYMENT and transfer.command is not None:
        return transfer.command.owner.as_actor()
    # Only borrowers order repayments, each of their own loans.
    return Actor(user_id=transfer.loan.borrower_id, label="borrower")
