"""Correct a loan by an event: the steps that every kind of correction shares.

Lock the loan, claim the key, see that the loan is as its author saw it, check, fold with the event
as if it were recorded, record it. What a kind asks and refuses stands in a module of its own:
reversals, received_money, waivers, due_dates, charge_offs, disputes; refunds order a transfer.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NotRequired, TypedDict, Unpack

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from loans.engine.events import Event, InvalidEventError
from loans.engine.ledger import LedgerAccount
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.models import Loan, LoanEvent, MoneyCommand
from loans.models.transfer import CommandKind
from loans.selectors.servicing import events_of, terms_of
from loans.services.commands import claim_command
from loans.services.ledger import booked_balances
from loans.services.servicing import EventMaker, record_event
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money

REASON_LENGTH_MAX = 300
AMOUNT_MOST = Money.parse("100000000")
_WHAT_IF_ID = "what-if"


class UnableToCorrectError(DomainError):
    """The correction cannot be made; the message says why, `field` beside which input."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class LoanChangedError(UnableToCorrectError):
    """The loan is no longer as the author of the correction saw it."""


class SecondPersonNeededError(UnableToCorrectError):
    """The correction is too large for one person; it has to be proposed."""


class Manner(TypedDict):
    """How a correction is ordered: by whom, why, under which key, when.

    `seen` is what `seen_of` gave when the author looked; None (or none) corrects whatever is there.
    `second` is the other person who has confirmed it.
    """

    actor: Actor
    reason: str
    key: str
    business_date: datetime.date
    at: datetime.datetime
    seen: NotRequired[str | None]
    second: NotRequired[Actor | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanCase:
    """The loan that is corrected, as it stands: events and fold at the date of the projection."""

    loan: Loan
    business_date: datetime.date
    events: tuple[Event, ...]
    state: LoanState

    def fold_with(self, event: Event) -> LoanState:
        """Return the state as if `event` were recorded too; it may raise InvalidEventError."""
        return replay(terms_of(self.loan), (*self.events, event), self.state.as_of)


class Correction(ABC):
    """What is to be corrected: the values of a form, without who and why."""

    command_kind: ClassVar[CommandKind]
    error: ClassVar[type[UnableToCorrectError]]

    @abstractmethod
    def body(self) -> dict[str, str]:
        """Return the values that bind the idempotency key."""

    @abstractmethod
    def event_maker(self, case: LoanCase) -> EventMaker:
        """Return what makes the event; raise `error` when the loan does not allow it."""

    def needs_second(self, case: LoanCase) -> bool:
        """Return whether a second person has to confirm it."""
        del case
        return False

    def remark(self, before: LoanState, after: LoanState) -> str:
        """Return what the figures do not say by themselves; empty when they say all."""
        del before, after
        return ""

    def keep(self, row: LoanEvent) -> None:
        """Write what belongs beside the recorded event."""
        del row


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a correction would change: the fold before and after, and what would be booked."""

    before: LoanState
    after: LoanState
    journal: tuple[tuple[LedgerAccount, Money], ...]
    seen: str
    remark: str


@transaction.atomic
def correct(*, loan_id: int, correction: Correction, **how: Unpack[Manner]) -> LoanEvent:
    """Record the event of `correction` once per key; the same again returns the first event.

    Raises the correction's own error, LoanChangedError when the loan is not as it was `seen`,
    SecondPersonNeededError when it is too large for one person, and KeyReusedError when the key was
    used for something else.
    """
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    command, new = claim_correction(loan=loan, correction=correction, **how)
    if not new:
        return LoanEvent.objects.get(command=command)
    case = case_of(loan, business_date=how["business_date"])
    make_event = correction.event_maker(case)
    fold_after(case, correction, make_event)
    _check_second(case, correction, author=how["actor"], second=how.get("second"))
    row = record_event(
        loan=loan,
        make_event=make_event,
        business_date=how["business_date"],
        actor=how["actor"],
        at=how["at"],
        reason=how["reason"].strip(),
        command=command,
    )
    correction.keep(row)
    return row


def claim_correction(
    *, loan: Loan, correction: Correction, **how: Unpack[Manner]
) -> tuple[MoneyCommand, bool]:
    """Return the command of the key and whether it is new; check author, reason and what was seen.

    The loan is locked.
    """
    owner_id = how["actor"].user_id
    if owner_id is None:
        raise ValueError("A correction is ordered by a person.")
    reason = how["reason"].strip()
    if not reason or len(reason) > REASON_LENGTH_MAX:
        raise correction.error(
            _("Say why, in at most %(most)d characters.") % {"most": REASON_LENGTH_MAX},
            field="reason",
        )
    command, new = claim_command(
        owner_id=owner_id,
        key=how["key"],
        kind=correction.command_kind,
        body={"loan": str(loan.public_id), "reason": reason, **correction.body()},
        at=how["at"],
    )
    seen = how.get("seen")
    if new and seen is not None and seen != seen_of(loan):
        raise LoanChangedError(
            _("This loan has changed since you looked at it. Look at the new figures first.")
        )
    return command, new


def _check_second(
    case: LoanCase, correction: Correction, *, author: Actor, second: Actor | None
) -> None:
    if not correction.needs_second(case):
        return
    if second is None or second.user_id is None or second.user_id == author.user_id:
        raise SecondPersonNeededError(_("This needs a second person who confirms it."))


def seen_of(loan: Loan) -> str:
    """Return what changes with each event and each night of the loan."""
    newest = loan.events.aggregate(newest=Max("sequence"))["newest"] or 0
    return f"{newest}@{loan.projected_as_of}"


def case_of(loan: Loan, *, business_date: datetime.date) -> LoanCase:
    """Return the loan as a correction meets it; one that is not paid out cannot be corrected."""
    events = events_of(loan)
    # One whose payout came back may hold money, and a debit may bounce there too.
    if not events:
        raise UnableToCorrectError(_("This loan is not paid out yet."))
    as_of = max(business_date, loan.projected_as_of or business_date)
    return LoanCase(
        loan=loan,
        business_date=business_date,
        events=events,
        state=replay(terms_of(loan), events, as_of),
    )


def fold_after(case: LoanCase, correction: Correction, make_event: EventMaker) -> LoanState:
    """Return the fold with the correction; raise its error when later events do not allow it."""
    try:
        return case.fold_with(make_event(_WHAT_IF_ID, len(case.events) + 1))
    except InvalidEventError as error:
        raise correction.error(
            _("What happened later on this loan does not allow it: %(problem)s.")
            % {"problem": error.problem}
        ) from error


def preview(*, loan_id: int, correction: Correction, business_date: datetime.date) -> Preview:
    """Return what the correction would change, and record nothing.

    Raises the correction's own error as `correct` would.
    """
    loan = Loan.objects.select_related("agreement").get(pk=loan_id)
    seen = seen_of(loan)
    case = case_of(loan, business_date=business_date)
    after = fold_after(case, correction, correction.event_maker(case))
    booked = booked_balances(loan)
    changes = (
        (account, after.balances[account] - booked.get(account, Money.zero()))
        for account in LedgerAccount
    )
    return Preview(
        before=case.state,
        after=after,
        journal=tuple((account, change) for account, change in changes if change),
        seen=seen,
        remark=correction.remark(case.state, after),
    )
