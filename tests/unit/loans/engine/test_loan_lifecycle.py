from __future__ import annotations

import pytest

from loans.engine.ledger import LedgerAccount, NormalSide
from loans.engine.lifecycle import (
    APPLICATION_LIFECYCLE,
    TRANSFER_LIFECYCLE,
    ApplicationEvent,
    ApplicationState,
    TransferEvent,
    TransferState,
)
from zhixin.shared.lifecycle import IllegalTransitionError

APPLICATION_GRID = {
    ApplicationState.DRAFT: {"SUBMIT", "WITHDRAW", "EXPIRE"},
    ApplicationState.SUBMITTED: {"REFER", "APPROVE", "DECLINE", "WITHDRAW", "EXPIRE"},
    ApplicationState.REFERRED: {"APPROVE", "DECLINE", "WITHDRAW", "EXPIRE"},
    ApplicationState.APPROVED: {"SIGN", "WITHDRAW", "EXPIRE"},
    ApplicationState.DECLINED: {"ASK_REVIEW"},
}


@pytest.mark.parametrize("state", ApplicationState)
def test_an_application_moves_only_along_its_table(state: ApplicationState) -> None:
    assert APPLICATION_LIFECYCLE.events_from(state) == APPLICATION_GRID.get(state, set())
    for event in ApplicationEvent:
        if event not in APPLICATION_GRID.get(state, set()):
            with pytest.raises(IllegalTransitionError):
                APPLICATION_LIFECYCLE.after(state, event)


def test_a_settled_transfer_moves_only_when_the_bank_takes_its_word_back() -> None:
    after = {
        TransferState.SUCCEEDED: {TransferEvent.RETURN},
        TransferState.FAILED: {TransferEvent.SUCCEED_LATE},
        TransferState.REVERSED: set(),
    }
    for state, events in after.items():
        assert TRANSFER_LIFECYCLE.events_from(state) == events
    sent = TRANSFER_LIFECYCLE.after(TransferState.PENDING, TransferEvent.SEND)
    assert TRANSFER_LIFECYCLE.after(sent, TransferEvent.SUCCEED) is TransferState.SUCCEEDED
    early = TRANSFER_LIFECYCLE.after(TransferState.PENDING, TransferEvent.SUCCEED)
    assert early is TransferState.SUCCEEDED


def test_every_account_has_a_side_and_a_label() -> None:
    credit = {a.value for a in LedgerAccount if a.normal_side is NormalSide.CREDIT}
    assert credit == {
        "BORROWER_CREDIT",
        "INTEREST_INCOME",
        "PENALTY_INCOME",
        "FEE_INCOME",
        "RECOVERY_INCOME",
    }
    assert len({account.label for account in LedgerAccount}) == len(LedgerAccount)
