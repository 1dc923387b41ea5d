"""Write a loan off: everything is due, nothing accrues any more, the debt remains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from django.utils.translation import gettext as _

from loans.engine.events import ChargedOff, Event
from loans.engine.lifecycle import LoanStatus
from loans.models import LoanEvent
from loans.models.loan import OPEN_STATUSES
from loans.models.transfer import CommandKind
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.servicing import EventMaker
from zhixin.shared.money import Money

# From this much outstanding on a second person confirms.
OUTSTANDING_FOR_TWO = Money.parse("20000")


class UnableToChargeOffError(UnableToCorrectError):
    """The loan cannot be written off; the message says why."""


class AlreadyChargedOffError(UnableToChargeOffError):
    """The loan is written off already."""


@dataclass(frozen=True, kw_only=True)
class ChargeOff(Correction):
    """The whole loan, on the business date."""

    command_kind = CommandKind.CHARGE_OFF
    error = UnableToChargeOffError

    def body(self) -> dict[str, str]:
        """Return nothing: the loan says it all."""
        return {}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the charge-off; refuse a loan on which nothing is owed, and a second one."""
        if case.state.status == LoanStatus.CHARGED_OFF:
            raise AlreadyChargedOffError(_("This loan is written off already."))
        if case.state.status not in OPEN_STATUSES:
            raise UnableToChargeOffError(_("Nothing is owed on this loan."))

        def make_event(event_id: str, sequence: int) -> Event:
            return ChargedOff(
                event_id=event_id, sequence=sequence, effective_date=case.business_date
            )

        return make_event

    def needs_second(self, case: LoanCase) -> bool:
        """Return whether so much is written off that two have to agree."""
        return case.state.outstanding.total >= OUTSTANDING_FOR_TWO


def charge_off(*, loan_id: int, **how: Unpack[Manner]) -> LoanEvent:
    """Write off all that is outstanding, as a loss on the business date.

    Raises UnableToChargeOffError when nothing is owed, AlreadyChargedOffError the second time.
    """
    return correct(loan_id=loan_id, correction=ChargeOff(), **how)
