"""Give up amounts that are billed: the lender's decision, for good."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Unpack

from django.utils.translation import gettext as _

from loans.engine.events import Event, Reversed, Waived
from loans.engine.state import Buckets
from loans.models import CorrectionDecision, LoanEvent
from loans.models.transfer import CommandKind
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.servicing import EventMaker
from zhixin.shared.money import Money, total

# From this much principal on a second person confirms; waivers of so many days count together.
PRINCIPAL_FOR_TWO = Money.parse("1000")
DAYS_TOGETHER = datetime.timedelta(days=30)
BUCKET_NAMES = ("principal", "interest", "fees", "penalty")


class UnableToWaiveError(UnableToCorrectError):
    """The waiver cannot be given; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Waiver(Correction):
    """Amounts by bucket, at most what is billed and owed of each."""

    command_kind = CommandKind.WAIVER
    error = UnableToWaiveError

    amounts: Buckets

    def body(self) -> dict[str, str]:
        """Return the amounts."""
        return {name: str(getattr(self.amounts, name)) for name in BUCKET_NAMES}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the waiver; refuse more than is billed and owed."""
        if self.amounts.total <= Money.zero():
            raise UnableToWaiveError(_("Enter at least one amount to waive."), field="penalty")
        for name in BUCKET_NAMES:
            self._check_bucket(name, case)

        def make_event(event_id: str, sequence: int) -> Event:
            return Waived(
                event_id=event_id,
                sequence=sequence,
                effective_date=case.business_date,
                principal=self.amounts.principal,
                interest=self.amounts.interest,
                fees=self.amounts.fees,
                penalty=self.amounts.penalty,
            )

        return make_event

    def needs_second(self, case: LoanCase) -> bool:
        """Return whether so much principal is given up that two have to agree.

        Counted with what one person alone has given up on this loan in the days before.
        """
        if not self.amounts.principal:
            return False
        return self.amounts.principal + _given_up_alone(case) >= PRINCIPAL_FOR_TWO

    def _check_bucket(self, name: str, case: LoanCase) -> None:
        amount: Money = getattr(self.amounts, name)
        owed: Money = getattr(case.state.due_now, name)
        if amount < Money.zero():
            raise UnableToWaiveError(_("Enter an amount above zero."), field=name)
        if amount > owed:
            raise UnableToWaiveError(
                _("Only ¥%(amount)s of it is billed and owed.") % {"amount": f"{owed.amount:,.2f}"},
                field=name,
            )


def _given_up_alone(case: LoanCase) -> Money:
    """Return the principal waived lately on the loan, without a second person, and not reversed.

    Whoever gave it: two who take turns are no second person to each other.
    """
    since = case.business_date - DAYS_TOGETHER
    reversed_ids = {event.of for event in case.events if isinstance(event, Reversed)}
    waived = {
        event.event_id: event.principal
        for event in case.events
        if isinstance(event, Waived)
        and event.event_id not in reversed_ids
        and event.effective_date > since
        and event.principal < PRINCIPAL_FOR_TWO
    }
    by_two = CorrectionDecision.objects.filter(event__event_id__in=waived)
    for event_id in by_two.values_list("event__event_id", flat=True):
        del waived[str(event_id)]
    return total(waived.values())


def waive(*, loan_id: int, amounts: Buckets, **how: Unpack[Manner]) -> LoanEvent:
    """Give up `amounts` of what is billed and owed, the oldest first.

    Raises UnableToWaiveError when there is nothing to waive or when it is more than is owed.
    """
    return correct(loan_id=loan_id, correction=Waiver(amounts=amounts), **how)
