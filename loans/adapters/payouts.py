"""Payouts and the bank's word about them: before one is sent again, and whether one came back."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterable

from django.utils.translation import gettext as _

from loans.adapters import rail
from loans.adapters.bank import BankClient
from loans.adapters.bank_words import BankAnswer, BankState, UnableToReuseReferenceError
from loans.engine.lifecycle import TransferState
from loans.models import BankTransfer
from loans.models.transfer import TransferDirection
from loans.selectors.payouts import payouts_to_ask_about
from loans.services.payouts import UnableToSendPayoutError, send_payout_again
from loans.services.transfers import Outcome
from zhixin.shared.actor import Actor

logger = logging.getLogger(__name__)

# An order on its way is refused by the bank after 15 minutes (docs/bank.md); later, one that the
# bank does not know can never reach it.
FORGOTTEN_AFTER = datetime.timedelta(minutes=20)


def send_again(
    client: BankClient,
    payout: BankTransfer,
    *,
    key: str,
    actor: Actor,
    business_date: datetime.date,
    at: datetime.datetime,
) -> BankTransfer:
    """Ask the bank about `payout`, and send another one when it did not arrive; once per `key`.

    Raises UnableToSendPayoutError; of an answer that is not plain nothing is sent.
    """
    return send_payout_again(
        payout_id=payout.pk,
        bank_says=_ask(client, payout, at=at),
        key=key,
        actor=actor,
        business_date=business_date,
        at=at,
    )


def _ask(client: BankClient, payout: BankTransfer, *, at: datetime.datetime) -> Outcome:
    """Return what the bank says; a word that contradicts ours goes to the queue of differences."""
    try:
        answer = rail.ask(client, payout)
    except UnableToReuseReferenceError as error:
        raise UnableToSendPayoutError(str(error)) from error
    if _never_reached(payout, answer, at=at):
        return Outcome.FAILED
    if answer.state in (BankState.FAILED, BankState.RETURNED):
        return Outcome(answer.state.value)
    if answer.state == BankState.SUCCEEDED:
        rail.take_answer(payout.pk, str(payout.public_id), answer, at=at)
        raise UnableToSendPayoutError(
            _("The bank says that the payout was done. We look into it before anything is sent.")
        )
    raise UnableToSendPayoutError(
        _("The bank has not said for certain that the payout failed. Try again in a while.")
    )


def _never_reached(payout: BankTransfer, answer: BankAnswer, *, at: datetime.datetime) -> bool:
    """Return whether the bank, which had refused the order, neither has it nor can get it yet."""
    return (
        answer.state == BankState.NOT_FOUND
        and payout.state == TransferState.FAILED
        and payout.settled_at is not None
        and at - payout.settled_at > FORGOTTEN_AFTER
    )


def ask_about_payouts(
    client: BankClient, *, days: int, clock: Callable[[], datetime.datetime]
) -> int:
    """Ask about every payout of the last `days` days that was done; return how many came back."""
    since = clock() - datetime.timedelta(days=days)
    return learn_of_returns(client, payouts_to_ask_about(since=since), clock=clock)


def ask_about_references(
    client: BankClient, references: Iterable[str], *, clock: Callable[[], datetime.datetime]
) -> int:
    """Ask about the payouts that the bank's bill says came back; return how many it confirms."""
    known = BankTransfer.objects.filter(
        public_id__in=list(references),
        state=TransferState.SUCCEEDED,
        direction=TransferDirection.PAYOUT,
        refund_of=None,
    )
    return learn_of_returns(client, known.order_by("pk"), clock=clock)


def learn_of_returns(
    client: BankClient,
    payouts: Iterable[BankTransfer],
    *,
    clock: Callable[[], datetime.datetime],
) -> int:
    """Ask about each payout, and settle by what the bank says; return how many came back.

    What is not plain changes nothing, and is asked again the next time.
    """
    returned = 0
    for payout in payouts:
        try:
            answer = rail.ask(client, payout)
        except UnableToReuseReferenceError:
            # Our fault, never to be retried; the others must not wait for it.
            logger.exception("The bank knows transfer %s with another content.", payout.pk)
            continue
        if answer.state == BankState.RETURNED:
            rail.take_answer(payout.pk, str(payout.public_id), answer, at=clock())
            returned += 1
    return returned
