"""States of applications, loans and bank transfers, and what may follow what."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from zhixin.shared.lifecycle import Lifecycle


class ApplicationState(StrEnum):
    """Where an application stands."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    REFERRED = "REFERRED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    SIGNED = "SIGNED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class ApplicationEvent(StrEnum):
    """What moves an application on."""

    SUBMIT = "SUBMIT"
    REFER = "REFER"
    APPROVE = "APPROVE"
    DECLINE = "DECLINE"
    SIGN = "SIGN"
    WITHDRAW = "WITHDRAW"
    EXPIRE = "EXPIRE"
    # The person refuses a decision made by a machine alone (conduct DP-05).
    ASK_REVIEW = "ASK_REVIEW"


_STATE = ApplicationState
_EVENT = ApplicationEvent

APPLICATION_LIFECYCLE: Final = Lifecycle(
    {
        (_STATE.DRAFT, _EVENT.SUBMIT): _STATE.SUBMITTED,
        (_STATE.SUBMITTED, _EVENT.REFER): _STATE.REFERRED,
        (_STATE.SUBMITTED, _EVENT.APPROVE): _STATE.APPROVED,
        (_STATE.SUBMITTED, _EVENT.DECLINE): _STATE.DECLINED,
        (_STATE.REFERRED, _EVENT.APPROVE): _STATE.APPROVED,
        (_STATE.REFERRED, _EVENT.DECLINE): _STATE.DECLINED,
        (_STATE.DECLINED, _EVENT.ASK_REVIEW): _STATE.REFERRED,
        (_STATE.APPROVED, _EVENT.SIGN): _STATE.SIGNED,
        (_STATE.DRAFT, _EVENT.WITHDRAW): _STATE.WITHDRAWN,
        (_STATE.SUBMITTED, _EVENT.WITHDRAW): _STATE.WITHDRAWN,
        (_STATE.REFERRED, _EVENT.WITHDRAW): _STATE.WITHDRAWN,
        (_STATE.APPROVED, _EVENT.WITHDRAW): _STATE.WITHDRAWN,
        (_STATE.DRAFT, _EVENT.EXPIRE): _STATE.EXPIRED,
        (_STATE.SUBMITTED, _EVENT.EXPIRE): _STATE.EXPIRED,
        (_STATE.REFERRED, _EVENT.EXPIRE): _STATE.EXPIRED,
        (_STATE.APPROVED, _EVENT.EXPIRE): _STATE.EXPIRED,
    }
)


class LoanStatus(StrEnum):
    """Where a loan stands; the fold derives it, nobody sets it."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    OVERDUE = "OVERDUE"
    PAID_OFF = "PAID_OFF"
    OVERPAID = "OVERPAID"
    CHARGED_OFF = "CHARGED_OFF"


class TransferState(StrEnum):
    """Where a bank transfer stands; an unknown outcome stays SENT."""

    PENDING = "PENDING"
    SENT = "SENT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    # Done, then the other side sent the money back.
    REVERSED = "REVERSED"


class TransferEvent(StrEnum):
    """What moves a transfer on."""

    SEND = "SEND"
    SUCCEED = "SUCCEED"
    FAIL = "FAIL"
    # The payer was quicker than our closing of the trade.
    SUCCEED_LATE = "SUCCEED_LATE"
    RETURN = "RETURN"


TRANSFER_LIFECYCLE: Final = Lifecycle(
    {
        (TransferState.PENDING, TransferEvent.SEND): TransferState.SENT,
        # The call-back may overtake the answer to the order, so PENDING settles too.
        (TransferState.PENDING, TransferEvent.SUCCEED): TransferState.SUCCEEDED,
        (TransferState.PENDING, TransferEvent.FAIL): TransferState.FAILED,
        (TransferState.SENT, TransferEvent.SUCCEED): TransferState.SUCCEEDED,
        (TransferState.SENT, TransferEvent.FAIL): TransferState.FAILED,
        (TransferState.FAILED, TransferEvent.SUCCEED_LATE): TransferState.SUCCEEDED,
        (TransferState.SUCCEEDED, TransferEvent.RETURN): TransferState.REVERSED,
    }
)
