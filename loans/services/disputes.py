"""Fence off an installment that the borrower contests, and answer or withdraw the dispute."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.utils import translation
from django.utils.translation import gettext as _

from loans.engine.events import Disputed, DisputeResolved, Event
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import InstallmentState, LoanState
from loans.models import Loan, LoanEvent
from loans.models.transfer import CommandKind
from loans.services.corrections import (
    Correction,
    LoanCase,
    Manner,
    UnableToCorrectError,
    correct,
    preview,
)
from loans.services.due_dates import open_installment
from loans.services.reversals import reversed_ids
from loans.services.servicing import EventMaker
from zhixin.shared.actor import Actor


class UnableToDisputeError(UnableToCorrectError):
    """The dispute cannot be opened or answered; the message says why."""


class AlreadyDisputedError(UnableToDisputeError):
    """The installment is fenced off already."""


class DisputeAlreadyResolvedError(UnableToDisputeError):
    """The dispute is answered already."""


class NoSuchInstallmentError(UnableToDisputeError):
    """The loan has no installment of this number."""


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
        if of not in case.state.disputes:
            if any(of in ended for ended in case.state.disputes_ended.values()):
                raise DisputeAlreadyResolvedError(_("This dispute ended with the new plan."))
            raise UnableToDisputeError(_("This loan has no such dispute."))

        def make_event(event_id: str, sequence: int) -> Event:
            return DisputeResolved(
                event_id=event_id, sequence=sequence, effective_date=case.business_date, of=of
            )

        return make_event


@dataclass(frozen=True, kw_only=True)
class DisputeWithdrawal(Correction):
    """The borrower contests installment `number` no more."""

    command_kind = CommandKind.DISPUTE_RESOLUTION
    error = UnableToDisputeError

    number: int

    def body(self) -> dict[str, str]:
        """Return which installment."""
        return {"withdrawn": str(self.number)}

    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return the answer to its dispute; refuse an installment that is not in dispute."""
        row = open_installment(case.state, self.number)
        of = next((of for of, number in case.state.disputes.items() if number == self.number), None)
        if row is None or of is None:
            if any(
                isinstance(event, Disputed) and event.number == self.number for event in case.events
            ):
                raise DisputeAlreadyResolvedError(_("This installment is not in dispute any more."))
            if self.number not in {row.number for row in case.state.installments}:
                raise NoSuchInstallmentError(_("This loan has no such installment."))
            raise UnableToDisputeError(_("This installment is not in dispute."))

        def make_event(event_id: str, sequence: int) -> Event:
            return DisputeResolved(
                event_id=event_id, sequence=sequence, effective_date=case.business_date, of=of
            )

        return make_event


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalPreview:
    """What withdrawing the dispute about an installment leads to: the state before and after.

    `row` is the installment afterwards, None when money held pays all of it at once. It is in time
    through `row.payable_through`, and late from `late_from` on.
    """

    number: int
    before: LoanState
    after: LoanState
    row: InstallmentState | None

    @property
    def late_from(self) -> datetime.date | None:
        """Return the first day on which the installment is late."""
        return None if self.row is None else self.row.payable_through + datetime.timedelta(days=1)

    @property
    def is_written_off(self) -> bool:
        """Return whether the loan is written off, so that nobody counts the days."""
        return self.after.status is LoanStatus.CHARGED_OFF

    @property
    def days_late(self) -> int:
        """Return the days late from which it counts on; 0 for one that was in time."""
        return 0 if self.row is None else self.row.days_late_now


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


def preview_withdrawal(
    *, loan_id: int, number: int, business_date: datetime.date
) -> WithdrawalPreview:
    """Return what withdrawing the dispute about installment `number` leads to; record nothing.

    Raises DisputeAlreadyResolvedError when it is not in dispute, NoSuchInstallmentError when there
    is none of the number.
    """
    found = preview(
        loan_id=loan_id,
        correction=DisputeWithdrawal(number=number),
        business_date=business_date,
    )
    return WithdrawalPreview(
        number=number,
        before=found.before,
        after=found.after,
        row=open_installment(found.after, number),
    )


def withdraw_dispute(
    *,
    loan_id: int,
    number: int,
    actor: Actor,
    key: str,
    business_date: datetime.date,
    at: datetime.datetime,
) -> LoanEvent:
    """Answer the borrower's own dispute about installment `number`, which the borrower withdraws.

    From then on the installment is asked for again. Once per `key`; raises
    DisputeAlreadyResolvedError when the installment is not in dispute.
    """
    loan = Loan.objects.select_related("borrower").get(pk=loan_id)
    with translation.override(loan.borrower.language):
        reason = _("The borrower withdrew the dispute.")
    return correct(
        loan_id=loan_id,
        correction=DisputeWithdrawal(number=number),
        actor=actor,
        reason=reason,
        key=key,
        business_date=business_date,
        at=at,
    )
