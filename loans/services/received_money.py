"""Book money that reached us outside the rail: a repayment, or a recovery after a charge-off."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from loans.engine.events import ChargedOff, Event, Recovered, Repaid, Reversed
from loans.engine.lifecycle import TransferState
from loans.models import BankTransfer, LoanEvent, ReceivedMoney
from loans.models.received_money import MoneyChannel
from loans.models.transfer import CommandKind
from loans.selectors.reversals import reversals_of
from loans.services.corrections import (
    AMOUNT_MOST,
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.servicing import EventMaker
from zhixin.shared.money import Money

REFERENCE_LENGTH_MAX = 64


class UnableToRecordMoneyError(UnableToCorrectError):
    """The money cannot be booked as stated; the message says why."""


class MoneyAlreadyRecordedError(UnableToRecordMoneyError):
    """The payment with this reference is booked already."""


@dataclass(frozen=True, kw_only=True)
class MoneyReceived(Correction):
    """An amount that came on `effective_date`, with the channel's reference of the payment."""

    command_kind = CommandKind.RECORDED_REPAYMENT
    error = UnableToRecordMoneyError

    amount: Money
    effective_date: datetime.date
    channel: MoneyChannel
    reference: str

    def body(self) -> dict[str, str]:
        """Return amount, date and where it came from."""
        return {
            "amount": str(self.amount),
            "date": self.effective_date.isoformat(),
            "channel": self.channel.value,
            "reference": self.reference.strip(),
        }

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return a repayment, or a recovery from the charge-off on; refuse a second booking."""
        _check_amount(self.amount)
        _check_date(self.effective_date, case)
        _check_reference(self.channel, self.reference.strip())
        kind = Recovered if was_charged_off(case.events, on=self.effective_date) else self._before()

        def make_event(event_id: str, sequence: int) -> Event:
            return kind(
                event_id=event_id,
                sequence=sequence,
                effective_date=self.effective_date,
                amount=self.amount,
            )

        return make_event

    def _before(self) -> type[Repaid]:
        """Return the event of money that came before any charge-off."""
        return Repaid

    def keep(self, row: LoanEvent) -> None:
        """Keep the reference; another booking of it at the same moment is refused here."""
        reference = self.reference.strip()
        # Counted by reversals and not by bookings: whoever books the same use loses.
        use = 1 + reversals_of(_bookings(self.channel, reference)).count()
        try:
            with transaction.atomic():
                ReceivedMoney.objects.create(
                    event=row, channel=self.channel, reference=reference, use=use
                )
        except IntegrityError as error:
            raise _already(reference) from error


@dataclass(frozen=True, kw_only=True)
class MoneyRecovered(MoneyReceived):
    """An amount that came after the loan was written off."""

    command_kind = CommandKind.RECOVERY

    def _before(self) -> type[Repaid]:
        raise UnableToRecordMoneyError(
            _("This loan was not written off on that day. Record a repayment."),
            field="effective_date",
        )


def was_charged_off(events: Iterable[Event], *, on: datetime.date) -> bool:
    """Return whether the loan was written off on or before the day `on`."""
    known = tuple(events)
    undone = {event.of for event in known if isinstance(event, Reversed)}
    return any(
        isinstance(event, ChargedOff)
        and event.event_id not in undone
        and event.effective_date <= on
        for event in known
    )


def _check_amount(amount: Money) -> None:
    if not Money.zero() < amount <= AMOUNT_MOST:
        raise UnableToRecordMoneyError(_("Enter the amount that was received."), field="amount")


def _check_date(date: datetime.date, case: LoanCase) -> None:
    if date > case.business_date:
        raise UnableToRecordMoneyError(
            _("That day has not begun. Money counts from the day it came in."),
            field="effective_date",
        )
    if case.loan.disbursed_on is None or date < case.loan.disbursed_on:
        raise UnableToRecordMoneyError(
            _("That is before the loan was paid out."), field="effective_date"
        )


def _check_reference(channel: MoneyChannel, reference: str) -> None:
    if not reference or len(reference) > REFERENCE_LENGTH_MAX:
        raise UnableToRecordMoneyError(
            _("Enter the reference of the payment, so that it is booked once."), field="reference"
        )
    event_ids = _bookings(channel, reference)
    if reversals_of(event_ids).count() < len(event_ids) or _came_by_rail(reference):
        raise _already(reference)


def _bookings(channel: MoneyChannel, reference: str) -> list[str]:
    booked = ReceivedMoney.objects.filter(channel=channel, reference=reference)
    return [str(event_id) for event_id in booked.values_list("event__event_id", flat=True)]


def _came_by_rail(reference: str) -> bool:
    ours = Q(bank_reference=reference)
    with contextlib.suppress(ValueError):
        ours |= Q(public_id=UUID(reference))
    return BankTransfer.objects.filter(ours, state=TransferState.SUCCEEDED).exists()


def _already(reference: str) -> MoneyAlreadyRecordedError:
    return MoneyAlreadyRecordedError(
        _("The payment %(reference)s is booked already.") % {"reference": reference},
        field="reference",
    )


def record_repayment(
    *,
    loan_id: int,
    amount: Money,
    effective_date: datetime.date,
    channel: MoneyChannel,
    reference: str,
    **how: Unpack[Manner],
) -> LoanEvent:
    """Book money that came outside the rail on `effective_date`, which may be in the past.

    It counts from that day, not before the payout and not after the business date. From a
    charge-off on it is a recovery. What is too much becomes the borrower's credit. Raises
    UnableToRecordMoneyError, and MoneyAlreadyRecordedError when the channel's `reference` is
    booked on any loan and not reversed, or came over the rail.
    """
    received = MoneyReceived(
        amount=amount, effective_date=effective_date, channel=channel, reference=reference
    )
    return correct(loan_id=loan_id, correction=received, **how)


def record_recovery(
    *,
    loan_id: int,
    amount: Money,
    effective_date: datetime.date,
    channel: MoneyChannel,
    reference: str,
    **how: Unpack[Manner],
) -> LoanEvent:
    """Book money that came after the charge-off; raises as `record_repayment`, and before one."""
    recovered = MoneyRecovered(
        amount=amount, effective_date=effective_date, channel=channel, reference=reference
    )
    return correct(loan_id=loan_id, correction=recovered, **how)
