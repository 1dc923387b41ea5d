"""The bank over HTTP: signed orders and questions out, signed answers and notices in.

A subset of Alipay's published open API (docs/bank.md says which, and what our sandbox adds), on the
vendor's library (`alipay_wire`). The client never guesses: whatever is not a signed, definite
answer is UNKNOWN, and the caller asks again by `query`. Orders are idempotent at the bank by the
client's reference, so sending the same order once more is safe; NOT_FOUND means that it may be sent
again with the same reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from urllib.parse import parse_qsl

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from loans.adapters.alipay_wire import (
    BILL_QUERY,
    PAGE_PAY,
    REFUND_QUERY,
    TRADE_CLOSE,
    TRADE_PAY,
    TRADE_QUERY,
    TRADE_REFUND,
    TRANSFER,
    TRANSFER_QUERY,
    WAP_PAY,
    NoAnswerError,
    Sender,
    authority,
    download,
    page_address,
    post,
    signed_parameters,
)
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
    timestamp_text,
    verify_parameters,
)

TRANSFER_CHANGED = "alipay.fund.trans.order.changed"
TRADE_CHANGED = "trade_status_sync"

# Our reason code of a trade that ended unpaid.
TRADE_CLOSED = "TRADE_CLOSED"

NOTICE_ACKNOWLEDGED = "success"
NOTICE_REFUSED = "failure"

_REFERENCE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MAX_ANSWER_BYTES = 256 * 1024
_MAX_BILL_BYTES = 64 * 1024 * 1024
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
_BILL_NOT_READY_CODES = frozenset({"isp.bill_not_exist"})
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


class BankDirection(StrEnum):
    """Which way the money goes, seen from the lender."""

    PAYOUT = "PAYOUT"
    DEBIT = "DEBIT"


class BankState(StrEnum):
    """What the bank says of an order."""

    ACCEPTED = "ACCEPTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"
    UNKNOWN = "UNKNOWN"
    NOT_FOUND = "NOT_FOUND"


_TRANSFER_STATES = {
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


class BillNotReadyError(Exception):
    """The bill of the day is not there yet; ask again later."""


class UnableToFetchBillError(Exception):
    """The bill did not come, or cannot be trusted; nothing is known of the day."""


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
class CashierOrder:
    """Have the payer pay `amount` at the bank's own page, until `expires_at`."""

    client_reference: str
    amount: Money
    title: str
    expires_at: datetime
    on_a_phone: bool
    return_url: str
    notify_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Send `amount` of the payment `payment_reference` back to its payer."""

    client_reference: str
    payment_reference: str
    amount: Money
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFiles:
    """The bills of a day as the bank sent them: zip files."""

    trade: bytes = field(repr=False)
    account: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """What the bank answered; only SUCCEEDED, FAILED and RETURNED are final.

    RETURNED is a payout that the other bank sent back, whether or not it had been done before.

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
    value_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankClient:
    """Speaks with the bank; holds no connection, safe for threads.

    Timeouts are in seconds. The environment's proxies are not used: the address is what is called.
    """

    gateway_url: str
    app_id: str
    lender_private_key: rsa.RSAPrivateKey
    bank_public_key: rsa.RSAPublicKey
    seller_id: str
    # Where bills may lie, beside the gateway itself.
    bill_addresses: frozenset[str] = frozenset()
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
            seller_id=settings.BANK_SELLER_ID,
            bill_addresses=frozenset(settings.BANK_BILL_ADDRESSES),
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
        return self._ask(TRANSFER, content, _named(order.client_reference), _read_transfer)

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
        return self._ask(TRADE_PAY, content, _named(order.client_reference), _read_trade_order)

    def cashier_address(self, order: CashierOrder) -> str:
        """Return the address that opens the bank's page for `order`; nothing is sent from here.

        The bank knows the order once the payer has opened it, and the same address again opens the
        same order. Raises ValueError for an order that cannot be made.
        """
        _check_order(order)
        content = {
            "out_trade_no": order.client_reference,
            "total_amount": str(order.amount),
            "subject": order.title,
            "product_code": "QUICK_WAP_WAY" if order.on_a_phone else "FAST_INSTANT_TRADE_PAY",
            "time_expire": timestamp_text(order.expires_at),
        }
        parameters = signed_parameters(
            WAP_PAY if order.on_a_phone else PAGE_PAY,
            content,
            sender=self._sender,
            at=self.now(),
            return_url=order.return_url,
            notify_url=order.notify_url,
        )
        return page_address(self.gateway_url, parameters)

    def close_trade(self, client_reference: str) -> BankAnswer:
        """Close an order at the cashier that is not paid; FAILED says that it is closed now.

        Any other answer says nothing about the order: ask by `query`.
        """
        _check_reference(client_reference)
        content = {"out_trade_no": client_reference}
        return self._ask(TRADE_CLOSE, content, _named(client_reference), _read_closing)

    def send_refund(self, order: RefundOrder) -> BankAnswer:
        """Order a refund; ACCEPTED says that it was taken, `query_refund` whether it is done.

        The published answer states the sum of all refunds of the payment, never this one. Raises
        as `send_payout` does.
        """
        _check_order(order)
        _check_reference(order.payment_reference)
        content = {
            "out_trade_no": order.payment_reference,
            "refund_amount": str(order.amount),
            "out_request_no": order.client_reference,
            "refund_reason": order.title,
        }
        return self._ask(TRADE_REFUND, content, _named(order.payment_reference), _read_refund)

    def query_refund(self, client_reference: str, *, payment_reference: str) -> BankAnswer:
        """Return what has become of a refund; NOT_FOUND when the bank has none of this number."""
        _check_reference(client_reference)
        _check_reference(payment_reference)
        content = {"out_trade_no": payment_reference, "out_request_no": client_reference}

        def is_this(answer: Mapping[str, object]) -> bool:
            named = (answer.get("out_trade_no"), answer.get("out_request_no"))
            # The published answer about no refund names nothing.
            return named in {(payment_reference, client_reference), (None, None)}

        return self._ask(REFUND_QUERY, content, is_this, _read_refund_query)

    def query(self, client_reference: str, direction: str) -> BankAnswer:
        """Return what has become of the order with our reference, PAYOUT or DEBIT."""
        _check_reference(client_reference)
        if BankDirection(direction) is BankDirection.PAYOUT:
            content: dict[str, object] = {
                "out_biz_no": client_reference,
                "product_code": "TRANS_BANKCARD_NO_PWD",
                "biz_scene": "DIRECT_TRANSFER",
            }
            return self._ask(TRANSFER_QUERY, content, _named(client_reference), _read_transfer)
        content = {"out_trade_no": client_reference}
        return self._ask(TRADE_QUERY, content, _named(client_reference), _read_trade)

    def parse_notice(self, form: Mapping[str, str] | bytes) -> BankNoticeData:
        """Return the notice in a form (or a form-encoded body) after verifying its signature.

        Raises InvalidNoticeError. There is no limit of age: a notice may be late by days, and
        repeated, so the caller must apply it once only. Its amount is what the bank says; the
        caller compares it with the order.
        """
        parameters = self._verified(form)
        try:
            if parameters.get("msg_method") == TRANSFER_CHANGED:
                return _transfer_notice(parameters)
            if parameters.get("notify_type") == TRADE_CHANGED:
                self._check_seller(parameters)
                return _trade_notice(parameters)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise InvalidNoticeError(f"The notice cannot be read: {error!r}.") from error
        raise InvalidNoticeError("The notice is of no kind that is known here.")

    def parse_return(self, form: Mapping[str, str] | bytes) -> str:
        """Return our reference of the order whose payer the bank has sent back.

        The parameters come through the payer's browser: they say where to go, never that money
        has come. Raises InvalidNoticeError.
        """
        parameters = self._verified(form)
        self._check_seller(parameters)
        try:
            return _known(parameters.get("out_trade_no"))
        except ValueError as error:
            raise InvalidNoticeError("The parameters name no order.") from error

    def fetch_bills(self, day: date) -> BillFiles:
        """Return both bills of the bank's calendar day (UTC+8).

        Raises BillNotReadyError, UnableToFetchBillError.
        """
        return BillFiles(
            trade=self._fetch_bill("trade", day), account=self._fetch_bill("signcustomer", day)
        )

    def _fetch_bill(self, bill_type: str, day: date) -> bytes:
        content = {"bill_type": bill_type, "bill_date": day.isoformat()}
        try:
            answer = self._verified_answer(BILL_QUERY, content)
            if str(answer.get("sub_code")) in _BILL_NOT_READY_CODES:
                raise BillNotReadyError(f"{bill_type} {day}")
            if answer.get("code") != "10000":
                raise UnableToFetchBillError(f"The bank answered {answer.get('sub_code')!r}.")
            return download(
                str(answer.get("bill_download_url", "")),
                hosts=self.bill_addresses | {authority(self.gateway_url)},
                timeout=self.timeout,
                most_bytes=_MAX_BILL_BYTES,
            )
        except (NoAnswerError, SigningError) as error:
            raise UnableToFetchBillError(str(error)) from error

    @property
    def _sender(self) -> Sender:
        return Sender(app_id=self.app_id, private_key=self.lender_private_key)

    def _verified(self, form: Mapping[str, str] | bytes) -> dict[str, str]:
        """Return the parameters of a form that the bank has signed for us."""
        parameters = _form(form)
        try:
            verify_parameters(
                parameters, public_key=self.bank_public_key, leaving_out=NOTICE_LEAVES_OUT
            )
        except SigningError as error:
            raise InvalidNoticeError(str(error)) from error
        if parameters.get("app_id") != self.app_id:
            raise InvalidNoticeError("The notice is meant for somebody else.")
        return parameters

    def _check_seller(self, parameters: Mapping[str, str]) -> None:
        if parameters.get("seller_id") != self.seller_id:
            raise InvalidNoticeError("The money went to another seller.")

    def _ask(
        self,
        method: str,
        content: Mapping[str, object],
        is_this: Callable[[Mapping[str, object]], bool],
        read: Callable[[Mapping[str, object]], BankAnswer],
    ) -> BankAnswer:
        try:
            answer = self._verified_answer(method, content)
        except NoAnswerError as error:
            return _unknown("NO_ANSWER", str(error))
        except SigningError as error:
            return _unknown("UNTRUSTED_ANSWER", str(error))
        return _judge(answer, is_this=is_this, read=read)

    def _verified_answer(self, method: str, content: Mapping[str, object]) -> dict[str, object]:
        """Return the signed content of the bank's answer. Raises NoAnswerError, SigningError."""
        parameters = signed_parameters(method, content, sender=self._sender, at=self.now())
        body = post(
            self.gateway_url,
            parameters,
            timeout=self.timeout,
            most_bytes=_MAX_ANSWER_BYTES,
        )
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise NoAnswerError("The bank's answer is no text.") from error
        return read_signed_answer(
            text, nodes=(answer_node(method), "error_response"), public_key=self.bank_public_key
        )


def _named(client_reference: str) -> Callable[[Mapping[str, object]], bool]:
    """Return what tells whether an answer names our order."""

    def is_this(answer: Mapping[str, object]) -> bool:
        return client_reference in {answer.get("out_biz_no"), answer.get("out_trade_no")}

    return is_this


def _judge(
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
            return _unknown("OTHER_ORDER", "The bank's answer is about another order.")
        try:
            return read(answer)
        except (KeyError, ValueError, TypeError) as error:
            return _unknown("UNREADABLE_ANSWER", f"The bank's answer cannot be read: {error!r}.")
    if code == _BUSINESS_FAILED and sub_code in _CONFLICT_CODES:
        raise UnableToReuseReferenceError(f"{sub_code} {reason}")
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
    paid_at = answer.get("send_pay_date")
    state = _trade_state(str(answer["trade_status"]), was_paid=bool(paid_at))
    return _final_answer(
        answer, state=state, reference=answer["trade_no"], amount="total_amount", paid_at=paid_at
    )


def _trade_state(status: str, *, was_paid: bool) -> BankState:
    """Return what a trade's status says; one that was paid and refunded whole is closed too."""
    state = _TRADE_STATES[status]
    return BankState.SUCCEEDED if was_paid and state is BankState.FAILED else state


def _read_closing(answer: Mapping[str, object]) -> BankAnswer:
    return BankAnswer(
        state=BankState.FAILED,
        bank_reference=str(answer.get("trade_no") or ""),
        reason_code=TRADE_CLOSED,
    )


def _read_refund(answer: Mapping[str, object]) -> BankAnswer:
    return BankAnswer(state=BankState.ACCEPTED, bank_reference=str(answer["trade_no"]))


def _read_refund_query(answer: Mapping[str, object]) -> BankAnswer:
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
        value_date=parse_timestamp(paid_at).date() if paid_at else None,
    )


def _trade_notice(parameters: dict[str, str]) -> BankNoticeData:
    occurred_at = (
        parameters.get("gmt_payment") or parameters.get("gmt_close") or parameters["notify_time"]
    )
    paid_at = parameters.get("gmt_payment")
    return BankNoticeData(
        notice_id=_known(parameters["notify_id"]),
        client_reference=_known(parameters["out_trade_no"]),
        bank_reference=_known(parameters["trade_no"]),
        direction=BankDirection.DEBIT,
        outcome=_trade_state(parameters["trade_status"], was_paid=bool(paid_at)),
        amount=_notice_amount(parameters["total_amount"]),
        occurred_at=parse_timestamp(occurred_at),
        raw=parameters,
        reason=parameters.get("fail_reason", ""),
        reason_code=parameters.get("error_code", ""),
        value_date=parse_timestamp(paid_at).date() if paid_at else None,
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


def _check_order(order: PayoutOrder | DebitOrder | CashierOrder | RefundOrder) -> None:
    _check_reference(order.client_reference)
    if order.amount.cents <= 0:
        raise ValueError("Only a positive amount can be moved.")


def _check_reference(client_reference: str) -> None:
    if not _REFERENCE.fullmatch(client_reference):
        raise ValueError("A reference is 1 to 64 letters, digits, _ or -.")


def _unknown(reason_code: str, reason: str) -> BankAnswer:
    return BankAnswer(state=BankState.UNKNOWN, reason_code=reason_code, reason=reason)
