"""The bank over HTTP: signed orders and questions out, signed answers and notices in.

A subset of Alipay's published open API (docs/bank.md says which, and what our sandbox adds). The
client never guesses: whatever is not a signed, definite answer is UNKNOWN, and the caller asks
again by `query`. Orders are idempotent at the bank by the client's reference, so sending the same
order once more is safe; NOT_FOUND means that it may be sent again with the same reference.
"""

from __future__ import annotations

import json
import re
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from urllib.parse import parse_qsl

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from zhixin.shared import clock
from zhixin.shared.money import InvalidAmountError, Money
from zhixin.shared.signing import (
    NOTICE_LEAVES_OUT,
    SigningError,
    answer_node,
    load_private_key,
    load_public_key,
    parse_timestamp,
    read_signed_answer,
    sign_parameters,
    timestamp_text,
    verify_parameters,
)

TRANSFER = "alipay.fund.trans.uni.transfer"
TRANSFER_QUERY = "alipay.fund.trans.common.query"
TRADE_PAY = "alipay.trade.pay"
TRADE_QUERY = "alipay.trade.query"
TRANSFER_CHANGED = "alipay.fund.trans.order.changed"
TRADE_CHANGED = "trade_status_sync"

NOTICE_ACKNOWLEDGED = "success"
NOTICE_REFUSED = "failure"

_REFERENCE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MAX_ANSWER_BYTES = 256 * 1024
_SUCCESS_CODES = frozenset({"10000", "10003"})
_BUSINESS_FAILED = "40004"
_NOT_FOUND_CODES = frozenset({"ORDER_NOT_EXIST", "ACQ.TRADE_NOT_EXIST"})
_CONFLICT_CODES = frozenset({"PAYMENT_INFO_INCONSISTENCY", "ACQ.CONTEXT_INCONSISTENT"})
# The published refusals that are final: no money has moved and none will. Any other is UNKNOWN.
_FINAL_REFUSALS = frozenset(
    {
        "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        "ACQ.PAYMENT_FAIL",
        "ACQ.TRADE_HAS_CLOSE",
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


class BankDirection(StrEnum):
    """Which way the money goes, seen from the lender."""

    PAYOUT = "PAYOUT"
    DEBIT = "DEBIT"


class BankState(StrEnum):
    """What the bank says of an order."""

    ACCEPTED = "ACCEPTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    NOT_FOUND = "NOT_FOUND"


_TRANSFER_STATES = {
    "DEALING": BankState.ACCEPTED,
    "WAIT_PAY": BankState.ACCEPTED,
    "SUCCESS": BankState.SUCCEEDED,
    "FAIL": BankState.FAILED,
    "CLOSED": BankState.FAILED,
    "REFUND": BankState.FAILED,  # The other bank sent the money back.
}
_TRADE_STATES = {
    "WAIT_BUYER_PAY": BankState.ACCEPTED,
    "TRADE_SUCCESS": BankState.SUCCEEDED,
    "TRADE_FINISHED": BankState.SUCCEEDED,
    "TRADE_CLOSED": BankState.FAILED,
}


class InvalidNoticeError(Exception):
    """A notice that is not the bank's, was altered, or cannot be read; answer `failure`."""


class UnableToReuseReferenceError(Exception):
    """The bank knows this reference with another content: a fault of ours, never to be retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutOrder:
    """Pay `amount` to the holder of a bank card."""

    client_reference: str
    amount: Money
    card_number: str = field(repr=False)
    account_name: str = field(repr=False)
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitOrder:
    """Collect `amount` from a bank card under the holder's agreement.

    The sandbox knows the agreement of a card by the card number; a real bank gives it a number of
    its own (`agreement_no`), which then stands in `card_number`.
    """

    client_reference: str
    amount: Money
    card_number: str = field(repr=False)
    account_name: str = field(repr=False)
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """What the bank answered; only SUCCEEDED and FAILED are final.

    `amount` is what the bank states, None where it states none: compare it with the order before
    believing it. `value_date` is the bank's calendar date (UTC+8) of a success.
    """

    state: BankState
    bank_reference: str = ""
    amount: Money | None = None
    reason: str = ""
    value_date: date | None = None
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankNoticeData:
    """A verified notice. The same `notice_id` may arrive any number of times, and late."""

    notice_id: str
    client_reference: str
    bank_reference: str
    direction: BankDirection
    outcome: BankState
    amount: Money
    occurred_at: datetime
    raw: dict[str, str]
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankClient:
    """Speaks with the bank; holds no connection, safe for threads.

    Timeouts are in seconds. The environment's proxies are not used: the address is what is called.
    """

    gateway_url: str
    app_id: str
    lender_private_key: rsa.RSAPrivateKey
    bank_public_key: rsa.RSAPublicKey
    timeout: httpx.Timeout = field(default_factory=lambda: httpx.Timeout(10, connect=3))
    now: Callable[[], datetime] = clock.now

    @classmethod
    def from_settings(cls) -> BankClient:
        """Return the client that the settings describe. Raises InvalidKeyError without keys."""
        return cls(
            gateway_url=settings.BANK_GATEWAY_URL,
            app_id=settings.BANK_APP_ID,
            lender_private_key=load_private_key(settings.LENDER_PRIVATE_KEY_PEM),
            bank_public_key=load_public_key(settings.BANK_PUBLIC_KEY_PEM),
        )

    def send_payout(self, order: PayoutOrder) -> BankAnswer:
        """Order a payout and return what the bank says of it.

        Raises ValueError for an order that cannot be sent and UnableToReuseReferenceError when the
        bank knows the reference with another content.
        """
        _check_order(order)
        content = {
            "out_biz_no": order.client_reference,
            "trans_amount": str(order.amount),
            "product_code": "TRANS_BANKCARD_NO_PWD",
            "biz_scene": "DIRECT_TRANSFER",
            "order_title": order.title,
            "payee_info": {
                "identity_type": "BANKCARD_ACCOUNT",
                "identity": order.card_number,
                "name": order.account_name,
                "bankcard_ext_info": {"account_type": "2"},
            },
        }
        return self._ask(TRANSFER, content, order.client_reference, _read_transfer)

    def send_debit(self, order: DebitOrder) -> BankAnswer:
        """Order a debit and return what the bank says of it. Raises as `send_payout` does."""
        _check_order(order)
        content = {
            "out_trade_no": order.client_reference,
            "total_amount": str(order.amount),
            "subject": order.title,
            "product_code": "GENERAL_WITHHOLDING",
            "agreement_params": {"agreement_no": order.card_number},
        }
        return self._ask(TRADE_PAY, content, order.client_reference, _read_trade_order)

    def query(self, client_reference: str, direction: str) -> BankAnswer:
        """Return what has become of the order with our reference, PAYOUT or DEBIT."""
        _check_reference(client_reference)
        if BankDirection(direction) is BankDirection.PAYOUT:
            content: dict[str, object] = {
                "out_biz_no": client_reference,
                "product_code": "TRANS_BANKCARD_NO_PWD",
                "biz_scene": "DIRECT_TRANSFER",
            }
            return self._ask(TRANSFER_QUERY, content, client_reference, _read_transfer)
        content = {"out_trade_no": client_reference}
        return self._ask(TRADE_QUERY, content, client_reference, _read_trade)

    def parse_notice(self, form: Mapping[str, str] | bytes) -> BankNoticeData:
        """Return the notice in a form (or a form-encoded body) after verifying its signature.

        Raises InvalidNoticeError. There is no limit of age: a notice may be late by days, and
        repeated, so the caller must apply it once only. Its amount is what the bank says; the
        caller compares it with the order.
        """
        parameters = _form(form)
        try:
            verify_parameters(
                parameters, public_key=self.bank_public_key, leaving_out=NOTICE_LEAVES_OUT
            )
        except SigningError as error:
            raise InvalidNoticeError(str(error)) from error
        if parameters.get("app_id") != self.app_id:
            raise InvalidNoticeError("The notice is meant for somebody else.")
        try:
            if parameters.get("msg_method") == TRANSFER_CHANGED:
                return _transfer_notice(parameters)
            if parameters.get("notify_type") == TRADE_CHANGED:
                return _trade_notice(parameters)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise InvalidNoticeError(f"The notice cannot be read: {error!r}.") from error
        raise InvalidNoticeError("The notice is of no kind that is known here.")

    def _ask(
        self,
        method: str,
        content: Mapping[str, object],
        client_reference: str,
        read: Callable[[Mapping[str, object]], BankAnswer],
    ) -> BankAnswer:
        parameters = sign_parameters(
            {
                "app_id": self.app_id,
                "method": method,
                "format": "JSON",
                "charset": "utf-8",
                "version": "1.0",
                "timestamp": timestamp_text(self.now()),
                "nonce": secrets.token_hex(16),
                "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
            },
            private_key=self.lender_private_key,
        )
        try:
            body = self._post(parameters)
            answer = read_signed_answer(
                body,
                nodes=(answer_node(method), "error_response"),
                public_key=self.bank_public_key,
            )
        except _NoAnswerError as error:
            return _unknown("NO_ANSWER", str(error))
        except SigningError as error:
            return _unknown("UNTRUSTED_ANSWER", str(error))
        return _judge(answer, client_reference=client_reference, read=read)

    def _post(self, parameters: Mapping[str, str]) -> str:
        """Return the text of a 200 answer. Raises _NoAnswerError for anything else."""
        headers = {"Accept": "application/json"}
        try:
            with httpx.Client(
                timeout=self.timeout,
                verify=_tls_context(),
                trust_env=False,
                follow_redirects=False,
            ) as client:
                response = client.post(self.gateway_url, data=dict(parameters), headers=headers)
                if response.status_code != httpx.codes.OK:
                    raise _NoAnswerError(f"The bank answered HTTP {response.status_code}.")
                if len(response.content) > _MAX_ANSWER_BYTES:
                    raise _NoAnswerError("The bank's answer is too long.")
                return response.content.decode()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
            raise _NoAnswerError(f"The bank did not answer: {type(error).__name__}.") from error


@cache
def _tls_context() -> ssl.SSLContext:
    """Return the verifying TLS context; reading the certificates is slow, so it is done once."""
    return httpx.create_ssl_context()


class _NoAnswerError(Exception):
    """Nothing came back that could be an answer."""


def _judge(
    answer: Mapping[str, object],
    *,
    client_reference: str,
    read: Callable[[Mapping[str, object]], BankAnswer],
) -> BankAnswer:
    """Return the meaning of a verified answer; UNKNOWN unless it is definite."""
    code, sub_code = str(answer.get("code", "")), str(answer.get("sub_code", ""))
    reason = str(answer.get("sub_msg") or answer.get("msg") or "")
    if code in _SUCCESS_CODES:
        if client_reference not in {answer.get("out_biz_no"), answer.get("out_trade_no")}:
            return _unknown("OTHER_ORDER", "The bank's answer is about another order.")
        try:
            return read(answer)
        except (KeyError, ValueError, TypeError) as error:
            return _unknown("UNREADABLE_ANSWER", f"The bank's answer cannot be read: {error!r}.")
    if code == _BUSINESS_FAILED and sub_code in _CONFLICT_CODES:
        raise UnableToReuseReferenceError(f"{client_reference}: {sub_code} {reason}")
    if code == _BUSINESS_FAILED and sub_code in _NOT_FOUND_CODES:
        return BankAnswer(state=BankState.NOT_FOUND, reason=reason, reason_code=sub_code)
    if code == _BUSINESS_FAILED and sub_code in _FINAL_REFUSALS:
        return BankAnswer(state=BankState.FAILED, reason=reason, reason_code=sub_code)
    return _unknown(sub_code or code, reason)


def _read_transfer(answer: Mapping[str, object]) -> BankAnswer:
    state = _TRANSFER_STATES[str(answer["status"])]
    paid_at = answer.get("pay_date") or answer.get("trans_date")
    return _final_answer(
        answer, state=state, reference=answer["order_id"], amount="trans_amount", paid_at=paid_at
    )


def _read_trade_order(answer: Mapping[str, object]) -> BankAnswer:
    state = BankState.ACCEPTED if answer["code"] == "10003" else BankState.SUCCEEDED
    paid_at = answer.get("gmt_payment")
    return _final_answer(
        answer, state=state, reference=answer["trade_no"], amount="total_amount", paid_at=paid_at
    )


def _read_trade(answer: Mapping[str, object]) -> BankAnswer:
    state = _TRADE_STATES[str(answer["trade_status"])]
    paid_at = answer.get("send_pay_date")
    return _final_answer(
        answer, state=state, reference=answer["trade_no"], amount="total_amount", paid_at=paid_at
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


def _transfer_notice(parameters: dict[str, str]) -> BankNoticeData:
    content = json.loads(parameters["biz_content"], parse_float=Decimal)
    sent_at = datetime.fromtimestamp(int(parameters["utc_timestamp"]) // 1000, tz=UTC)
    paid_at = content.get("pay_date")
    return BankNoticeData(
        notice_id=_known(parameters["notify_id"]),
        client_reference=_known(content["out_biz_no"]),
        bank_reference=_known(content["order_id"]),
        direction=BankDirection.PAYOUT,
        outcome=_TRANSFER_STATES[content["status"]],
        amount=_notice_amount(content["trans_amount"]),
        occurred_at=parse_timestamp(paid_at) if paid_at else sent_at,
        raw=parameters,
        reason=str(content.get("fail_reason") or ""),
        reason_code=str(content.get("error_code") or ""),
    )


def _trade_notice(parameters: dict[str, str]) -> BankNoticeData:
    occurred_at = (
        parameters.get("gmt_payment") or parameters.get("gmt_close") or parameters["notify_time"]
    )
    return BankNoticeData(
        notice_id=_known(parameters["notify_id"]),
        client_reference=_known(parameters["out_trade_no"]),
        bank_reference=_known(parameters["trade_no"]),
        direction=BankDirection.DEBIT,
        outcome=_TRADE_STATES[parameters["trade_status"]],
        amount=_notice_amount(parameters["total_amount"]),
        occurred_at=parse_timestamp(occurred_at),
        raw=parameters,
        reason=parameters.get("fail_reason", ""),
        reason_code=parameters.get("error_code", ""),
    )


def _form(form: Mapping[str, str] | bytes) -> dict[str, str]:
    if not isinstance(form, bytes):
        return dict(form.items())
    try:
        pairs = parse_qsl(form.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise InvalidNoticeError("The notice is not a form.") from error
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise InvalidNoticeError("A field of the notice occurs twice.")
    return parameters


def _notice_amount(value: object) -> Money:
    amount = Money.parse(str(value))
    if amount.cents <= 0:
        raise InvalidAmountError(f"{value!r} is not an amount that was moved.")
    return amount


def _known(value: object) -> str:
    """Return a reference of the notice; a missing or strange one makes it unreadable."""
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError(f"{value!r} is not a reference.")
    return value


def _check_order(order: PayoutOrder | DebitOrder) -> None:
    _check_reference(order.client_reference)
    if order.amount.cents <= 0:
        raise ValueError("Only a positive amount can be moved.")


def _check_reference(client_reference: str) -> None:
    if not _REFERENCE.fullmatch(client_reference):
        raise ValueError("A reference is 1 to 64 letters, digits, _ or -.")


def _unknown(reason_code: str, reason: str) -> BankAnswer:
    return BankAnswer(state=BankState.UNKNOWN, reason_code=reason_code, reason=reason)
