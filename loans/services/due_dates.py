"""Let an installment be paid later, without interest and without lateness from now on.

One that was late is late no more. What its late days have cost stays owed; a waiver takes it back.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Unpack

from django.utils.translation import gettext as _

from loans.engine.events import DueDateMoved, Event
from loans.engine.state import InstallmentState, LoanState
from loans.models import LoanEvent
from loans.models.transfer import CommandKind
from loans.selectors.servicing import terms_of
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
)
from loans.services.servicing import EventMaker
from zhixin.shared.templatetags.zhixin import money, plain_date

# A longer delay is a changed plan, which the borrower agrees to.
MOST_DAYS = 366


class UnableToMoveDueDateError(UnableToCorrectError):
    """The due date cannot be moved; the message says why."""


@dataclass(frozen=True, kw_only=True)
class DueDateMove(Correction):
    """Installment `number` can be paid through `payable_through`, or the next business day."""

    command_kind = CommandKind.DUE_DATE_MOVE
    error = UnableToMoveDueDateError

    number: int
    payable_through: datetime.date

    def body(self) -> dict[str, str]:
        """Return which one and until when."""
        return {"number": str(self.number), "payable_through": self.payable_through.isoformat()}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the move; refuse an earlier day and an installment that is closed.

        A rest day of the agreement's calendar stands for the next business day.
        """
        through = terms_of(case.loan).last_day_in_time(self.payable_through)
        row = open_installment(case.state, self.number)
        if row is None:
            raise UnableToMoveDueDateError(
                _("This installment is paid or no longer needed."), field="number"
            )
        if through <= row.payable_through:
            raise UnableToMoveDueDateError(
                _("Choose a day after %(day)s, until which it can be paid already.")
                % {"day": plain_date(row.payable_through)},
                field="payable_through",
            )
        if (self.payable_through - row.due_date).days > MOST_DAYS:
            raise UnableToMoveDueDateError(
                _("That is more than a year after the due date. Change the plan instead."),
                field="payable_through",
            )

        def make_event(event_id: str, sequence: int) -> Event:
            return DueDateMoved(
                event_id=event_id,
                sequence=sequence,
                effective_date=case.business_date,
                number=self.number,
                payable_through=through,
            )

        return make_event

    def remark(self, before: LoanState, after: LoanState) -> str:
        """Say that the late charge of the days before the move stays."""
        row, then = open_installment(before, self.number), open_installment(after, self.number)
        if row is None or then is None or not row.days_late or not then.outstanding.penalty:
            return ""
        return _(
            "The installment was %(days)d days late and no longer is. Its late charge so far, "
            "%(amount)s, stays owed: if it should not be, waive it as well."
        ) % {"days": row.days_late, "amount": money(then.outstanding.penalty)}


def open_installment(state: LoanState, number: int) -> InstallmentState | None:
    """Return the installment `number` when something of it is still to be paid."""
    return next(
        (row for row in state.installments if row.number == number and row.outstanding.total),
        None,
    )


def move_due_date(
    *, loan_id: int, number: int, payable_through: datetime.date, **how: Unpack[Manner]
) -> LoanEvent:
    """Let installment `number` be paid through a later day, at most a year after its due date.

    Raises UnableToMoveDueDateError for an earlier day and for an installment that is closed.
    """
    move = DueDateMove(number=number, payable_through=payable_through)
    return correct(loan_id=loan_id, correction=move, **how)
