"""What a verified answer of the bank means; UNKNOWN unless it is definite."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loans.adapters.bank_words import (
    TRADE_CLOSED,
    BankAnswer,
    BankState,
    UnableToReuseReferenceError,
)
from zhixin.shared.money import Money
from zhixin.shared.signing import parse_timestamp

_SUCCESS_CODES = frozenset({"10000", "10003"})
_BUSINESS_FAILED = "40004"
_NOT_FOUND_CODES = frozenset({"ORDER_NOT_EXIST", "ACQ.TRADE_NOT_EXIST"})
_CONFLICT_CODES = frozenset(
    {
        "PAYMENT_INFO_INCONSISTENCY",
        "ACQ.CONTEXT_INCONSISTENT",
        "ACQ.DISCORDANT_REPEAT_REQUEST",
    }
)
# The published refusals that are final: no money has moved and none will. Any other is UNKNOWN.
_FINAL_REFUSALS = frozenset(
    {
        "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        "ACQ.PAYMENT_FAIL",
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
        "ACQ.TRADE_HAS_CLOSE",
        "ACQ.TRADE_HAS_FINISHED",
        "ACQ.TRADE_NOT_ALLOW_REFUND",
        "BALANCE_IS_NOT_ENOUGH",
        "CARD_BIN_ERROR",
        "INVALID_CARDNO",
        "INVALID_PARAMETER",
        "PAYEE_ACCOUNT_NOT_EXSIT",
        "PAYEE_ACCOUNT_STATUS_ERROR",
        "PAYEE_CARD_INFO_ERROR",
        "PAYEE_NOT_EXIST",
        "PAYER_BALANCE_NOT_ENOUGH",
    }
)
TRANSFER_STATES = {
    "DEALING": BankState.ACCEPTED,
    "WAIT_PAY": BankState.ACCEPTED,
    "SUCCESS": BankState.SUCCEEDED,
    "FAIL": BankState.FAILED,
    "CLOSED": BankState.FAILED,
    "REFUND": BankState.RETURNED,  # The other bank sent the money back (退票).
}
_TRADE_STATES = {
    "WAIT_BUYER_PAY": BankState.ACCEPTED,
    "TRADE_SUCCESS": BankState.SUCCEEDED,
    "TRADE_FINISHED": BankState.SUCCEEDED,
    "TRADE_CLOSED": BankState.FAILED,
}


def names_order(client_reference: str) -> Callable[[Mapping[str, object]], bool]:
    """Return what tells whether an answer names our order."""

    def is_this(answer: Mapping[str, object]) -> bool:
        return client_reference in {answer.get("out_biz_no"), answer.get("out_trade_no")}

    return is_this


def judge(
    answer: Mapping[str, object],
    *,
    is_this: Callable[[Mapping[str, object]], bool],
    read: Callable[[Mapping[str, object]], BankAnswer],
) -> BankAnswer:
    """Return the meaning of a verified answer; UNKNOWN unless it is definite."""
    code, sub_code = str(answer.get("code", "")), str(answer.get("sub_code", ""))
    reason = str(answer.get("sub_msg") or answer.get("msg") or "")
    if code in _SUCCESS_CODES:
        if not is_this(answer):
            return unknown("OTHER_ORDER", "The bank's answer is about another order.")
        try:
            return read(answer)
        except (KeyError, ValueError, TypeError) as error:
            return unknown("UNREADABLE_ANSWER", f"The bank's answer cannot be read: {error!r}.")
    if code == _BUSINESS_FAILED and sub_code in _CONFLICT_CODES:
        raise UnableToReuseReferenceError(f"{sub_code} {reason}")
    if code == _BUSINESS_FAILED and sub_code in _NOT_FOUND_CODES:
        return BankAnswer(state=BankState.NOT_FOUND, reason=reason, reason_code=sub_code)
    if code == _BUSINESS_FAILED and sub_code in _FINAL_REFUSALS:
        return BankAnswer(state=BankState.FAILED, reason=reason, reason_code=sub_code)
    return unknown(sub_code or code, reason)


def read_transfer(answer: Mapping[str, object]) -> BankAnswer:
    """Return what an answer about a transfer says."""
    state = TRANSFER_STATES[str(answer["status"])]
    paid_at = answer.get("pay_date") or answer.get("trans_date")
    return _final_answer(
        answer, state=state, reference=answer["order_id"], amount="trans_amount", paid_at=paid_at
    )


def read_trade_order(answer: Mapping[str, object]) -> BankAnswer:
    """Return what the answer to a debit says."""
    state = BankState.ACCEPTED if answer["code"] == "10003" else BankState.SUCCEEDED
    paid_at = answer.get("gmt_payment")
    return _final_answer(
        answer, state=state, reference=answer["trade_no"], amount="total_amount", paid_at=paid_at
    )


def read_trade(answer: Mapping[str, object]) -> BankAnswer:
    """Return what an answer about a trade says."""
    paid_at = answer.get("send_pay_date")
    state = trade_state(str(answer["trade_status"]), was_paid=bool(paid_at))
    return _final_answer(
        answer, state=state, reference=answer["trade_no"], amount="total_amount", paid_at=paid_at
    )


def trade_state(status: str, *, was_paid: bool) -> BankState:
    """Return what a trade's status says; one that was paid and refunded whole is closed too."""
    state = _TRADE_STATES[status]
    return BankState.SUCCEEDED if was_paid and state is BankState.FAILED else state


def read_closing(answer: Mapping[str, object]) -> BankAnswer:
    """Return what the answer to a closing says: the trade ended unpaid."""
    return BankAnswer(
        state=BankState.FAILED,
        bank_reference=str(answer.get("trade_no") or ""),
        reason_code=TRADE_CLOSED,
    )


def read_refund(answer: Mapping[str, object]) -> BankAnswer:
    """Return what the answer to a refund says: it is on its way."""
    return BankAnswer(state=BankState.ACCEPTED, bank_reference=str(answer["trade_no"]))


def read_refund_query(answer: Mapping[str, object]) -> BankAnswer:
    """Return what an answer about a refund says."""
    if "out_request_no" not in answer or "refund_status" not in answer:
        return BankAnswer(state=BankState.NOT_FOUND, reason="The bank has no such refund.")
    if answer["refund_status"] != "REFUND_SUCCESS":
        return BankAnswer(state=BankState.ACCEPTED, bank_reference=str(answer["trade_no"]))
    paid_at = answer.get("gmt_refund_pay")
    return _final_answer(
        answer,
        state=BankState.SUCCEEDED,
        reference=answer["trade_no"],
        amount="refund_amount",
        paid_at=paid_at,
    )


def _final_answer(
    answer: Mapping[str, object],
    *,
    state: BankState,
    reference: object,
    amount: str,
    paid_at: object,
) -> BankAnswer:
    succeeded = state is BankState.SUCCEEDED
    return BankAnswer(
        state=state,
        bank_reference=str(reference),
        amount=Money.parse(str(answer[amount])) if amount in answer else None,
        reason=str(answer.get("fail_reason") or ""),
        reason_code=str(answer.get("error_code") or ""),
        value_date=parse_timestamp(str(paid_at)).date() if succeeded and paid_at else None,
    )


def unknown(reason_code: str, reason: str) -> BankAnswer:
    """Return that nothing definite is known, and why."""
    return BankAnswer(state=BankState.UNKNOWN, reason_code=reason_code, reason=reason)
