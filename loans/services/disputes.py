"""Fence off an installment that the borrower contests, and answer the dispute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.utils.translation import gettext as _

from loans.engine.events import Disputed, DisputeResolved, Event
from loans.models import LoanEvent
from loans.models.transfer import CommandKind
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.due_dates import open_installment
from loans.services.reversals import reversed_ids
from loans.services.servicing import EventMaker


class UnableToDisputeError(UnableToCorrectError):
    """The dispute cannot be opened or answered; the message says why."""


class AlreadyDisputedError(UnableToDisputeError):
    """The installment is fenced off already."""


class DisputeAlreadyResolvedError(UnableToDisputeError):
    """The dispute is answered already."""


@dataclass(frozen=True, kw_only=True)
class DisputeOpening(Correction):
    """Installment `number` is contested."""

    command_kind = CommandKind.DISPUTE
    error = UnableToDisputeError

    number: int

    def body(self) -> dict[str, str]:
        """Return which installment."""
        return {"number": str(self.number)}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the dispute; refuse an installment that is closed or fenced off."""
        row = open_installment(case.state, self.number)
        if row is None:
            raise UnableToDisputeError(
                _("This installment is paid or no longer needed."), field="number"
            )
        if row.disputed:
            raise AlreadyDisputedError(_("This installment is in dispute already."), field="number")

        def make_event(event_id: str, sequence: int) -> Event:
            return Disputed(
                event_id=event_id,
                sequence=sequence,
                effective_date=case.business_date,
                number=self.number,
            )

        return make_event


@dataclass(frozen=True, kw_only=True)
class DisputeAnswer(Correction):
    """The dispute `dispute_id` is answered; its days stay uncounted."""

    command_kind = CommandKind.DISPUTE_RESOLUTION
    error = UnableToDisputeError

    dispute_id: UUID

    def body(self) -> dict[str, str]:
        """Return which dispute."""
        return {"of": str(self.dispute_id)}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the answer; refuse when there is no such dispute in force."""
        of = str(self.dispute_id)
        undone = reversed_ids(case.events)
        if any(
            isinstance(event, DisputeResolved) and event.of == of and event.event_id not in undone
            for event in case.events
        ):
            raise DisputeAlreadyResolvedError(_("This dispute is answered already."))
        if of not in {event.event_id for event in open_disputes(case.events)}:
            raise UnableToDisputeError(_("This loan has no such dispute."))

        def make_event(event_id: str, sequence: int) -> Event:
            return DisputeResolved(
                event_id=event_id, sequence=sequence, effective_date=case.business_date, of=of
            )

        return make_event


def open_disputes(events: tuple[Event, ...]) -> tuple[Disputed, ...]:
    """Return the disputes that are neither answered nor reversed."""
    undone = reversed_ids(events)
    answered = {
        event.of
        for event in events
        if isinstance(event, DisputeResolved) and event.event_id not in undone
    }
    return tuple(
        event
        for event in events
        if isinstance(event, Disputed) and event.event_id not in undone | answered
    )


def open_dispute(*, loan_id: int, number: int, **how: Unpack[Manner]) -> LoanEvent:
    """Fence off installment `number`: no penalty and no days past due until it is answered.

    Raises UnableToDisputeError for one that is closed, AlreadyDisputedError for one in dispute.
    """
    return correct(loan_id=loan_id, correction=DisputeOpening(number=number), **how)


def resolve_dispute(*, loan_id: int, dispute_id: UUID, **how: Unpack[Manner]) -> LoanEvent:
    """Answer the dispute whose event is `dispute_id`; the fenced days stay uncounted.

    Raises UnableToDisputeError when there is none, DisputeAlreadyResolvedError the second time.
    """
    return correct(loan_id=loan_id, correction=DisputeAnswer(dispute_id=dispute_id), **how)
