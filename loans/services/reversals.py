"""Reverse an event that turned out not to be true: a bounced debit, a wrong booking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Event,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.ledger import LedgerAccount
from loans.engine.lifecycle import TransferState
from loans.engine.state import LoanState
from loans.models import (
    BankFileStep,
    BankTransfer,
    CorrectionDecision,
    LoanEvent,
    ReceivedMoney,
)
from loans.models.transfer import CommandKind
from loans.services.charge_offs import OUTSTANDING_FOR_TWO
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.servicing import EventMaker
from loans.services.waivers import PRINCIPAL_FOR_TWO
from zhixin.shared.money import Money


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

    def needs_second(self, case: LoanCase) -> bool:
        """Return whether two have to agree, as on the event that is undone.

        So it is for what two have made, and for money from `settings.RAIL_REVERSAL_FOR_TWO` on
        of which the bank says that it arrived, or that came from outside (bank file, desk).
        """
        if CorrectionDecision.objects.filter(event__event_id=self.event_id).exists():
            return True
        of = str(self.event_id)
        target = next((event for event in case.events if event.event_id == of), None)
        match target:
            case ChargedOff():
                return case.state.balances[LedgerAccount.CHARGE_OFF_LOSS] >= OUTSTANDING_FOR_TWO
            case Waived(principal=principal):
                return principal >= PRINCIPAL_FOR_TWO
            case Repaid(amount=amount) | Recovered(amount=amount) | Refunded(amount=amount):
                is_large = amount >= Money.parse(settings.RAIL_REVERSAL_FOR_TWO)
                return is_large and (self._stands_at_bank() or self._came_from_outside())
            case _:
                return False

    def remark(self, before: LoanState, after: LoanState) -> str:
        """Return a warning when the bank says that the money moved, and not that it came back."""
        del before, after
        if not (self._stands_at_bank() or self._stands_in_bank_file()):
            return ""
        return _(
            "The bank says this money arrived. Reverse it only when the bank has taken it back; "
            "until then it is a difference with the bank."
        )

    def _stands_at_bank(self) -> bool:
        """Return whether the event's transfer is done by the bank's own word."""
        done = BankTransfer.objects.filter(state=TransferState.SUCCEEDED, bank_date__isnull=False)
        return done.filter(events__event_id=self.event_id).exists()

    def _stands_in_bank_file(self) -> bool:
        return BankFileStep.objects.filter(event__event_id=self.event_id).exists()

    def _came_from_outside(self) -> bool:
        """Return whether the money came outside the rail: by a bank file, or booked by hand."""
        return ReceivedMoney.objects.filter(event__event_id=self.event_id).exists()


def reversed_ids(events: tuple[Event, ...]) -> frozenset[str]:
    """Return the ids of the events that a reversal has undone."""
    return frozenset(event.of for event in events if isinstance(event, Reversed))


def reverse_event(*, loan_id: int, event_id: UUID, **how: Unpack[Manner]) -> LoanEvent:
    """Record that the event `event_id` was never made; once.

    The fold decides what follows, also for money that was refunded since: it is owed again.
    Raises UnableToReverseError for a payout or a reversal, or when later events build on it;
    AlreadyReversedError for an event that is reversed; SecondPersonNeededError where the event, or
    so much money at the bank, asks for two.
    """
    return correct(loan_id=loan_id, correction=Reversal(event_id=event_id), **how)
