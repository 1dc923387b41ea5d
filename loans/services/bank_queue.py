"""Money without a loan: taken on by a person, booked on a loan after all, or sent back."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils.translation import gettext as _

from loans.engine.bank_file import RowReason
from loans.models import BankFileRow, BankFileStep
from loans.models.bank_file import SETTLING_STEPS, RowStepKind
from loans.models.received_money import MoneyChannel
from loans.selectors.bank_files import holder_among
from loans.services.bank_files import command_key, refuse_own_loan
from loans.services.corrections import REASON_LENGTH_MAX, Preview, preview
from loans.services.ledger import SuspenseReason, post_suspense
from loans.services.received_money import (
    REFERENCE_LENGTH_MAX,
    MoneyReceived,
    record_repayment,
)
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import actor_of

_REFERENCE_TAIL = 8


class UnableToSettleMoneyError(DomainError):
    """The money cannot be taken on, booked or returned; the message says why."""


class MoneyAlreadySettledError(UnableToSettleMoneyError):
    """The money is out of the queue already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who does something about money in the queue, why, and when."""

    actor: Actor
    reason: str
    business_date: datetime.date
    at: datetime.datetime


@transaction.atomic
def claim_money(*, row_id: int, actor: Actor, at: datetime.datetime) -> BankFileStep:
    """Take money of the queue on. Raises UnableToSettleMoneyError when somebody else has it."""
    row = _lock_waiting(row_id)
    holder = _holder(row)
    if holder is not None and holder.actor_user_id != actor.user_id:
        raise UnableToSettleMoneyError(_("%(who)s has taken this on.") % {"who": actor_of(holder)})
    return holder or _write(row, RowStepKind.CLAIMED, actor, at)


@transaction.atomic
def release_money(*, row_id: int, actor: Actor, at: datetime.datetime) -> BankFileStep:
    """Give it back, so that somebody else can take it on."""
    row = _lock_waiting(row_id)
    _check_holder(row, actor)
    return _write(row, RowStepKind.RELEASED, actor, at)


def money_in_queue(row: BankFileRow, *, effective_date: datetime.date) -> MoneyReceived:
    """Return the order by which the money is booked on a loan.

    Its reference is the bank's serial number; with an end of our own where there is none, or where
    the number is booked with another amount.
    """
    if row.amount is None:
        raise ValueError("Money in the queue has an amount.")
    conflicts = row.steps.filter(why=RowReason.REFERENCE_CONFLICT).exists()
    own = "" if row.serial and not row.problem and not conflicts else f"#{row.identity}"
    serial = row.serial[: REFERENCE_LENGTH_MAX - 1 - _REFERENCE_TAIL] if own else row.serial
    return MoneyReceived(
        amount=row.amount,
        effective_date=effective_date,
        channel=MoneyChannel.BANK_TRANSFER,
        reference=f"{serial}{own[: 1 + _REFERENCE_TAIL]}",
    )


def preview_match(
    *, row: BankFileRow, loan_id: int, effective_date: datetime.date, business_date: datetime.date
) -> Preview:
    """Return what booking the money on the loan would change; write nothing."""
    money = money_in_queue(row, effective_date=effective_date)
    return preview(loan_id=loan_id, correction=money, business_date=business_date)


@transaction.atomic
def match_money(
    *,
    row_id: int,
    loan_id: int,
    effective_date: datetime.date,
    seen: str | None,
    deed: Deed,
) -> BankFileStep:
    """Book the money on a loan and take it out of suspense, in one transaction.

    Raises MoneyAlreadySettledError the second time, UnableToSettleMoneyError when the actor has
    not taken it on, and what `record_repayment` raises.
    """
    row = _lock_waiting(row_id)
    _check_holder(row, deed.actor)
    refuse_own_loan(loan_id, deed.actor)
    deed = _with_reason(deed)
    money = money_in_queue(row, effective_date=effective_date)
    event = record_repayment(
        loan_id=loan_id,
        amount=money.amount,
        effective_date=money.effective_date,
        channel=money.channel,
        reference=money.reference,
        actor=deed.actor,
        reason=deed.reason,
        key=command_key(row),
        business_date=deed.business_date,
        at=deed.at,
        seen=seen,
    )
    entry = _out_of_suspense(money.amount, SuspenseReason.BOOKED, deed)
    return _write(
        row,
        RowStepKind.MATCHED,
        deed.actor,
        deed.at,
        reason=deed.reason,
        event_id=event.pk,
        entry_id=entry,
    )


@transaction.atomic
def return_money(*, row_id: int, reference: str, deed: Deed) -> BankFileStep:
    """Note that the money went back to its payer under the bank's `reference`."""
    row = _lock_waiting(row_id)
    _check_holder(row, deed.actor)
    deed = _with_reason(deed)
    reference = reference.strip()
    if not reference or len(reference) > REFERENCE_LENGTH_MAX:
        raise UnableToSettleMoneyError(_("Enter the bank's reference of the return."))
    if row.amount is None:
        raise ValueError("Money in the queue has an amount.")
    entry = _out_of_suspense(row.amount, SuspenseReason.RETURNED, deed)
    return _write(
        row,
        RowStepKind.RETURNED,
        deed.actor,
        deed.at,
        reason=deed.reason,
        reference=reference,
        entry_id=entry,
    )


def _with_reason(deed: Deed) -> Deed:
    reason = deed.reason.strip()
    if not reason or len(reason) > REASON_LENGTH_MAX:
        raise UnableToSettleMoneyError(
            _("Say why, in at most %(most)d characters.") % {"most": REASON_LENGTH_MAX}
        )
    return replace(deed, reason=reason)


def _out_of_suspense(amount: Money, why: SuspenseReason, deed: Deed) -> int:
    entry = post_suspense(
        amount=amount,
        reason=why,
        business_date=deed.business_date,
        actor=deed.actor,
        at=deed.at,
    )
    return entry.pk


def _lock_waiting(row_id: int) -> BankFileRow:
    row = BankFileRow.objects.for_update().select_related("file").get(pk=row_id)
    kinds = set(row.steps.values_list("kind", flat=True))
    if kinds & set(SETTLING_STEPS):
        raise MoneyAlreadySettledError(_("This has been settled already."))
    if RowStepKind.QUEUED not in kinds:
        raise UnableToSettleMoneyError(_("This line is not in the queue."))
    return row


def _holder(row: BankFileRow) -> BankFileStep | None:
    return holder_among(list(row.steps.all()))


def _check_holder(row: BankFileRow, actor: Actor) -> None:
    holder = _holder(row)
    if holder is None or holder.actor_user_id != actor.user_id:
        raise UnableToSettleMoneyError(_("Take it on first."))


def _write(
    row: BankFileRow,
    kind: RowStepKind,
    actor: Actor,
    at: datetime.datetime,
    *,
    reason: str = "",
    reference: str = "",
    event_id: int | None = None,
    entry_id: int | None = None,
) -> BankFileStep:
    return BankFileStep.objects.create(
        row=row,
        kind=kind,
        reason=reason,
        reference=reference,
        event_id=event_id,
        entry_id=entry_id,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        recorded_at=at,
    )
