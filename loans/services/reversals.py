"""Reverse an event that turned out not to be true: a bounced debit, a wrong booking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.utils.translation import gettext as _

from loans.engine.events import Disbursed, Event, Reversed
from loans.models import LoanEvent
from loans.models.transfer import CommandKind
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.servicing import EventMaker


class UnableToReverseError(UnableToCorrectError):
    """The event cannot be reversed; the message says why."""


class AlreadyReversedError(UnableToReverseError):
    """The event is reversed already."""


@dataclass(frozen=True, kw_only=True)
class Reversal(Correction):
    """The event `event_id` was never made, from the business date on."""

    command_kind = CommandKind.REVERSAL
    error = UnableToReverseError

    event_id: UUID

    def body(self) -> dict[str, str]:
        """Return what is reversed."""
        return {"of": str(self.event_id)}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the reversal; refuse a payout, a reversal and what is reversed."""
        of = str(self.event_id)
        target = next((event for event in case.events if event.event_id == of), None)
        if target is None:
            raise UnableToReverseError(_("This loan has no such event."))
        if isinstance(target, Disbursed):
            raise UnableToReverseError(_("A payout cannot be reversed: the money is out."))
        if isinstance(target, Reversed):
            raise UnableToReverseError(
                _("A reversal cannot be reversed. Record what happened once more.")
            )
        if target.effective_date > case.business_date:
            raise UnableToReverseError(
                _("This event counts from a later day. Reverse it when that day has come.")
            )
        if of in reversed_ids(case.events):
            raise AlreadyReversedError(_("This event is reversed already."))

        def make_event(event_id: str, sequence: int) -> Event:
            return Reversed(
                event_id=event_id, sequence=sequence, effective_date=case.business_date, of=of
            )

        return make_event


def reversed_ids(events: tuple[Event, ...]) -> frozenset[str]:
    """Return the ids of the events that a reversal has undone."""
    return frozenset(event.of for event in events if isinstance(event, Reversed))


def reverse_event(*, loan_id: int, event_id: UUID, **how: Unpack[Manner]) -> LoanEvent:
    """Record that the event `event_id` was never made; once.

    The fold decides what follows, also for money that was refunded since: it is owed again.
    Raises UnableToReverseError for a payout or a reversal, or when later events build on it;
    AlreadyReversedError for an event that is reversed.
    """
    return correct(loan_id=loan_id, correction=Reversal(event_id=event_id), **how)
