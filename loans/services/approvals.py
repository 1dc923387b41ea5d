"""Four eyes: what is large, or undoes what was, is proposed by one and confirmed by another."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Unpack
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from loans.engine.state import Buckets
from loans.models import CorrectionDecision, Loan, LoanEvent, ProposedCorrection
from loans.models.transfer import CommandKind
from loans.services.charge_offs import ChargeOff
from loans.services.corrections import (
    Correction,
    Manner,
    UnableToCorrectError,
    case_of,
    claim_correction,
    correct,
    fold_after,
)
from loans.services.reversals import Reversal
from loans.services.waivers import BUCKET_NAMES, Waiver
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money


class UnableToDecideOnCorrectionError(UnableToCorrectError):
    """The proposal cannot be decided on; the message says why."""


class CorrectionAlreadyDecidedError(UnableToDecideOnCorrectionError):
    """Somebody has decided on the proposal."""


def correction_of(proposal: ProposedCorrection) -> Correction:
    """Return what is proposed."""
    return _READERS[CommandKind(proposal.kind)](proposal.body)


def _waiver(body: dict[str, str]) -> Correction:
    return Waiver(amounts=Buckets.of(**{name: Money.parse(body[name]) for name in BUCKET_NAMES}))


_READERS: dict[CommandKind, Callable[[dict[str, str]], Correction]] = {
    CommandKind.WAIVER: _waiver,
    CommandKind.CHARGE_OFF: lambda _body: ChargeOff(),
    CommandKind.REVERSAL: lambda body: Reversal(event_id=UUID(body["of"])),
}


@transaction.atomic
def propose_correction(
    *, loan_id: int, correction: Correction, **how: Unpack[Manner]
) -> ProposedCorrection:
    """Put a correction before a second person; once per key, and checked as if it were made.

    Raises what `correct` would raise.
    """
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    command, new = claim_correction(loan=loan, correction=correction, **how)
    if not new:
        return ProposedCorrection.objects.get(command=command)
    case = case_of(loan, business_date=how["business_date"])
    fold_after(case, correction, correction.event_maker(case))
    return ProposedCorrection.objects.create(
        loan=loan,
        command=command,
        kind=correction.command_kind,
        body=correction.body(),
        reason=how["reason"].strip(),
        proposed_by_id=command.owner_id,
        proposed_at=how["at"],
    )


@transaction.atomic
def approve_correction(
    *,
    proposal_id: int,
    approver: Actor,
    business_date: datetime.date,
    at: datetime.datetime,
    seen: str | None = None,
) -> LoanEvent:
    """Make the proposed correction, in its author's name and confirmed by `approver`.

    Raises CorrectionAlreadyDecidedError, UnableToDecideOnCorrectionError for one's own proposal,
    LoanChangedError when the loan is not as the approver saw it, and what `correct` raises.
    """
    proposal = _lock(proposal_id, approver)
    event = correct(
        loan_id=proposal.loan_id,
        correction=correction_of(proposal),
        actor=proposal.proposed_by.as_actor(),
        reason=proposal.reason,
        key=f"approved-{proposal.public_id}",
        business_date=business_date,
        at=at,
        seen=seen,
        second=approver,
    )
    _decide(proposal, approver, at, event=event)
    return event


@transaction.atomic
def refuse_correction(*, proposal_id: int, approver: Actor, at: datetime.datetime) -> None:
    """Decide that the proposed correction is not made; raises as `approve_correction` does."""
    _decide(_lock(proposal_id, approver), approver, at, event=None)


def _lock(proposal_id: int, approver: Actor) -> ProposedCorrection:
    """Return the proposal with its loan locked, when `approver` may decide on it."""
    proposal = ProposedCorrection.objects.select_related("proposed_by").get(pk=proposal_id)
    Loan.objects.for_update().get(pk=proposal.loan_id)
    if CorrectionDecision.objects.filter(proposal=proposal).exists():
        raise CorrectionAlreadyDecidedError(_("Somebody has decided on this already."))
    if approver.user_id == proposal.proposed_by_id:
        raise UnableToDecideOnCorrectionError(
            _("You have proposed this yourself. Another person has to confirm it.")
        )
    return proposal


def _decide(
    proposal: ProposedCorrection,
    approver: Actor,
    at: datetime.datetime,
    *,
    event: LoanEvent | None,
) -> None:
    if approver.user_id is None:
        raise ValueError("A person decides, and no part of the system.")
    CorrectionDecision.objects.create(
        proposal=proposal,
        event=event,
        is_approved=event is not None,
        proposed_by_id=proposal.proposed_by_id,
        decided_by_id=approver.user_id,
        decided_at=at,
    )
