"""The queue of what the bank and our books do not agree on: noted once, settled by a person."""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from loans.models import BankBill, BankDifference, BankTransfer, DifferenceStep
from loans.models.reconciliation import SETTLING_STEPS, DifferenceKind, DifferenceStepKind
from loans.models.transfer import NoticeVerdict
from zhixin.shared.actor import BANK, Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money
from zhixin.shared.signing import BANK_TIME_ZONE
from zhixin.shared.templatetags.zhixin import actor_of

# Which words of the bank need a person, and as what they stand in the queue.
_KIND_OF_VERDICT = {
    NoticeVerdict.LATE: DifferenceKind.LATE_SUCCESS,
    NoticeVerdict.RETURNED: DifferenceKind.RETURNED,
    NoticeVerdict.CONFLICT: DifferenceKind.CONTRADICTION,
    NoticeVerdict.UNMATCHED: DifferenceKind.MISSING_WITH_US,
}

# The lock of a transaction that writes what the bank said of one order. The number is arbitrary.
_WORD_LOCK = 20_261_124


class UnableToSettleDifferenceError(DomainError):
    """The difference cannot be taken on or settled; the message says why."""


class DifferenceAlreadySettledError(UnableToSettleDifferenceError):
    """Somebody has settled the difference before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFacts:
    """What a word of the bank states about one order."""

    reference: str
    bank_reference: str
    amount: Money | None
    value_date: datetime.date | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference before it is written; two with the same `identity` are the same."""

    kind: DifferenceKind
    on_date: datetime.date
    reference: str = ""
    bank_reference: str = ""
    bank_amount: Money | None = None
    our_amount: Money | None = None
    transfer: BankTransfer | None = None
    bank_side: dict[str, Any]
    our_side: dict[str, Any]

    @property
    def identity(self) -> str:
        """Return the digest of what makes this difference itself, whenever it is found."""
        text = json.dumps(
            [
                self.kind,
                self.reference,
                self.bank_reference,
                str(self.bank_amount),
                str(self.our_amount),
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()


def note_finding(
    finding: Finding, *, at: datetime.datetime, bill: BankBill | None = None
) -> BankDifference:
    """Write the difference, or return the row of the one that is known already."""
    row, _new = BankDifference.objects.get_or_create(
        fingerprint=finding.identity,
        defaults={
            "kind": finding.kind,
            "bill": bill,
            "transfer": finding.transfer,
            "on_date": finding.on_date,
            "reference": finding.reference[:64],
            "bank_reference": finding.bank_reference[:64],
            "bank_amount": finding.bank_amount,
            "our_amount": finding.our_amount,
            "bank_side": finding.bank_side,
            "our_side": finding.our_side,
            "recorded_at": at,
        },
    )
    return row


def note_word(
    *,
    transfer: BankTransfer | None,
    verdict: str,
    facts: WordFacts,
    at: datetime.datetime,
) -> BankDifference | None:
    """Put a word of the bank into the queue when it needs a person; runs in the caller's lock."""
    kind = _KIND_OF_VERDICT.get(NoticeVerdict(verdict))
    if kind is None:
        return None
    finding = Finding(
        kind=kind,
        on_date=facts.value_date or at.astimezone(BANK_TIME_ZONE).date(),
        reference=facts.reference,
        bank_reference=facts.bank_reference,
        bank_amount=facts.amount,
        our_amount=transfer.amount if transfer else None,
        transfer=transfer,
        bank_side=facts.body,
        our_side=our_side_of(transfer) if transfer else {},
    )
    known = _known_like(finding)
    if known is None:
        return note_finding(finding, at=at)
    if facts.body.get("source") == "notice":
        _write(known, DifferenceStepKind.REPEATED, BANK, at, body=facts.body)
    return known


def _known_like(finding: Finding) -> BankDifference | None:
    """Return the difference that the bank's word repeats: order, amount and verdict are the same.

    The bank's own reference may be another one each time; two at once wait for each other.
    """
    if not finding.reference:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_WORD_LOCK, finding.reference]
        )
    return (
        BankDifference.objects.filter(
            kind=finding.kind,
            reference=finding.reference[:64],
            bank_amount=_cents(finding.bank_amount),
            our_amount=_cents(finding.our_amount),
        )
        .order_by("pk")
        .first()
    )


def _cents(amount: Money | None) -> int | None:
    return None if amount is None else amount.cents


def our_side_of(transfer: BankTransfer) -> dict[str, str]:
    """Return what our books know of a transfer, for people to compare."""
    return {
        "reference": str(transfer.public_id),
        "purpose": transfer.purpose,
        "channel": transfer.channel,
        "amount": str(transfer.amount),
        "state": transfer.state,
        "bank_reference": transfer.bank_reference,
        "bank_date": str(transfer.bank_date or ""),
    }


@transaction.atomic
def claim_difference(*, difference_id: int, actor: Actor, at: datetime.datetime) -> DifferenceStep:
    """Take a difference on. Raises UnableToSettleDifferenceError when somebody else has it."""
    difference = _lock_open(difference_id)
    holder = holder_of(difference)
    if holder is not None and holder.actor_user_id != actor.user_id:
        raise UnableToSettleDifferenceError(
            _("%(who)s has taken this on.") % {"who": actor_of(holder)}
        )
    if holder is not None:
        return holder
    return _write(difference, DifferenceStepKind.CLAIMED, actor, at)


@transaction.atomic
def release_difference(
    *, difference_id: int, actor: Actor, at: datetime.datetime
) -> DifferenceStep:
    """Give a difference back, so that somebody else can take it on."""
    difference = _lock_open(difference_id)
    _check_holder(difference, actor)
    return _write(difference, DifferenceStepKind.RELEASED, actor, at)


@transaction.atomic
def explain_difference(
    *, difference_id: int, reason: str, actor: Actor, at: datetime.datetime
) -> DifferenceStep:
    """Settle a difference by saying why it is none, or what was done about it."""
    reason = reason.strip()
    if not reason:
        raise UnableToSettleDifferenceError(_("Say why."))
    difference = _lock_open(difference_id)
    _check_holder(difference, actor)
    return _write(difference, DifferenceStepKind.EXPLAINED, actor, at, reason=reason)


@transaction.atomic
def note_asked(
    *, difference_id: int, body: dict[str, Any], actor: Actor, at: datetime.datetime
) -> DifferenceStep:
    """Note what the bank said when it was asked again."""
    difference = _lock_open(difference_id)
    return _write(difference, DifferenceStepKind.ASKED, actor, at, body=body)


@transaction.atomic
def note_booked(
    *, difference_id: int, body: dict[str, Any], actor: Actor, at: datetime.datetime
) -> DifferenceStep:
    """Settle a difference whose money stands on the loan now, by the bank's own word."""
    difference = _lock_open(difference_id)
    _check_holder(difference, actor)
    return _write(difference, DifferenceStepKind.BOOKED, actor, at, body=body)


def note_came_back(*, transfer_id: int, body: dict[str, Any], at: datetime.datetime) -> None:
    """Settle what waited for the bank to take a transfer back as our books did.

    `body` is the line of the bank's bill; runs in the caller's transaction.
    """
    found = BankDifference.objects.filter(kind=DifferenceKind.TAKEN_BACK, transfer_id=transfer_id)
    for difference in list(found.order_by("pk").select_for_update(of=("self",))):
        if not difference.steps.filter(kind__in=SETTLING_STEPS).exists():
            _write(difference, DifferenceStepKind.CAME_BACK, BANK, at, body=body)


def holder_of(difference: BankDifference) -> DifferenceStep | None:
    """Return the step by which somebody has the difference now, None when nobody has."""
    moves = (DifferenceStepKind.CLAIMED, DifferenceStepKind.RELEASED)
    steps = difference.steps.select_related("actor_user__profile").filter(kind__in=moves)
    last = steps.order_by("pk").last()
    return last if last is not None and last.kind == DifferenceStepKind.CLAIMED else None


def _lock_open(difference_id: int) -> BankDifference:
    difference = BankDifference.objects.for_update().get(pk=difference_id)
    if difference.steps.filter(kind__in=SETTLING_STEPS).exists():
        raise DifferenceAlreadySettledError(_("This has been settled already."))
    return difference


def _check_holder(difference: BankDifference, actor: Actor) -> None:
    holder = holder_of(difference)
    if holder is None or holder.actor_user_id != actor.user_id:
        raise UnableToSettleDifferenceError(_("Take it on first."))


def _write(
    difference: BankDifference,
    kind: DifferenceStepKind,
    actor: Actor,
    at: datetime.datetime,
    *,
    reason: str = "",
    body: dict[str, Any] | None = None,
) -> DifferenceStep:
    return DifferenceStep.objects.create(
        difference=difference,
        kind=kind,
        reason=reason,
        body=body or {},
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )
