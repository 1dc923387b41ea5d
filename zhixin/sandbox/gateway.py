"""The sandbox bank's gateway: signed parameters in, the published answer out.

A subset of Alipay's open API: `alipay.fund.trans.uni.transfer` (payout to a card),
`alipay.fund.trans.common.query`, `alipay.trade.pay` (debit under an agreement) and
`alipay.trade.query`. What differs from the published API is listed in docs/bank.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.sandbox.book import (
    Book,
    ConflictingOrderError,
    Direction,
    Instruction,
    Order,
    OrderState,
    Refusal,
)
from zhixin.sandbox.faults import FaultBox
from zhixin.shared.signing import (
    NOTICE_LEAVES_OUT,
    InvalidSignatureError,
    ReplayedRequestError,
    ReplayGuard,
    StaleRequestError,
    parse_timestamp,
    sign_parameters,
    timestamp_text,
    verify_parameters,
)

TRANSFER = "alipay.fund.trans.uni.transfer"
TRANSFER_QUERY = "alipay.fund.trans.common.query"
TRADE_PAY = "alipay.trade.pay"
TRADE_QUERY = "alipay.trade.query"
TRANSFER_CHANGED = "alipay.fund.trans.order.changed"
ORDER_METHODS = frozenset({TRANSFER, TRADE_PAY})

_REFERENCE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_CARD_NUMBER = re.compile(r"[0-9]{12,19}")
_MAX_CENTS = 100_000_000_00

_TRANSFER_STATUS = {
    OrderState.PROCESSING: "DEALING",
    OrderState.SUCCEEDED: "SUCCESS",
    OrderState.FAILED: "FAIL",
}
_TRADE_STATUS = {
    OrderState.PROCESSING: "WAIT_BUYER_PAY",
    OrderState.SUCCEEDED: "TRADE_SUCCESS",
    OrderState.FAILED: "TRADE_CLOSED",
}

Answer = dict[str, object]


class RefusedError(Exception):
    """The gateway does not do what was asked; carries the published codes."""

    def __init__(self, code: str, sub_code: str, sub_message: str) -> None:
        """Keep the answer's code, sub_code and sub_msg."""
        super().__init__(sub_message)
        self.answer: Answer = {
            "code": code,
            "msg": _MESSAGES[code],
            "sub_code": sub_code,
            "sub_msg": sub_message,
        }


_MESSAGES = {
    "10000": "Success",
    "10003": "order success pay inprocess",
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
}


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """Who may call, and how strictly requests are judged."""

    app_id: str
    lender_public_key: rsa.RSAPublicKey
    nonce_required: bool = True


class Gateway:
    """Judges each request and turns it into an order or a question to the book."""

    def __init__(
        self,
        *,
        book: Book,
        faults: FaultBox,
        rules: GatewayRules,
        on_new_order: Callable[[Order], None],
    ) -> None:
        """Call `on_new_order` for each order that was not there before."""
        self._book = book
        self._faults = faults
        self._rules = rules
        self._on_new_order = on_new_order
        self._replays = ReplayGuard()
        self._methods: dict[str, Callable[[Mapping[str, object], datetime], Answer]] = {
            TRANSFER: self._transfer,
            TRANSFER_QUERY: self._transfer_query,
            TRADE_PAY: self._trade_pay,
            TRADE_QUERY: self._trade_query,
        }

    def handle(self, parameters: Mapping[str, str], *, at: datetime) -> Answer:
        """Return the content of the answer; a refusal is an answer too."""
        try:
            self._authenticate(parameters, at=at)
            method = self._methods.get(parameters.get("method", ""), _no_such_method)
            return method(_business_content(parameters), at)
        except RefusedError as error:
            return error.answer
        except ConflictingOrderError:
            is_payout = parameters.get("method") == TRANSFER
            code = "PAYMENT_INFO_INCONSISTENCY" if is_payout else "ACQ.CONTEXT_INCONSISTENT"
            text = "This id belongs to an order with another content."
            return RefusedError("40004", code, text).answer

    def _authenticate(self, parameters: Mapping[str, str], *, at: datetime) -> None:
        if parameters.get("app_id") != self._rules.app_id:
            raise RefusedError("40002", "isv.invalid-app-id", "The app_id is not known here.")
        try:
            verify_parameters(parameters, public_key=self._rules.lender_public_key)
        except InvalidSignatureError as error:
            raise RefusedError("40002", "isv.invalid-signature", str(error)) from error
        nonce = parameters.get("nonce", "")
        if not nonce and not self._rules.nonce_required:
            return
        try:
            sent_at = parse_timestamp(parameters.get("timestamp", ""))
            self._replays.check(timestamp=sent_at, nonce=nonce, at=at)
        except StaleRequestError as error:
            raise RefusedError("40002", "isv.invalid-timestamp", str(error)) from error
        except ReplayedRequestError as error:
            raise RefusedError("40002", "isv.replayed-request", str(error)) from error

    def _place(self, instruction: Instruction, *, at: datetime) -> Order:
        refusal = None
        if self._book.find(instruction.direction, instruction.client_reference) is None:
            refusal = self._refusal_on_demand(instruction.direction)
        order, is_new = self._book.place(instruction, at=at, refusal=refusal)
        if is_new:
            self._on_new_order(order)
        return order

    def _refusal_on_demand(self, direction: Direction) -> Refusal | None:
        if self._faults.take("reject") is None:
            return None
        if direction is Direction.PAYOUT:
            return Refusal("PAYEE_CARD_INFO_ERROR", "The payee's card details are not right.")
        return Refusal("ACQ.PAYMENT_FAIL", "The card's bank declined the payment.")

    def _transfer(self, content: Mapping[str, object], at: datetime) -> Answer:
        _require(content, "product_code", "TRANS_BANKCARD_NO_PWD")
        _require(content, "biz_scene", "DIRECT_TRANSFER")
        payee = content.get("payee_info")
        if not isinstance(payee, dict) or payee.get("identity_type") != "BANKCARD_ACCOUNT":
            raise _invalid("payee_info must name a BANKCARD_ACCOUNT")
        instruction = Instruction(
            direction=Direction.PAYOUT,
            client_reference=_reference(content, "out_biz_no"),
            card_number=_card_number(payee.get("identity")),
            holder_name=str(payee.get("name") or ""),
            cents=_cents(content.get("trans_amount")),
            title=str(content.get("order_title") or ""),
        )
        order = self._place(instruction, at=at)
        _raise_if_failed(order)
        return _answer(
            "10000",
            out_biz_no=instruction.client_reference,
            order_id=order.bank_reference,
            pay_fund_order_id=order.bank_reference,
            status=_TRANSFER_STATUS[order.state],
            trans_date=timestamp_text(order.settled_at or order.made_at),
        )

    def _transfer_query(self, content: Mapping[str, object], _at: datetime) -> Answer:
        reference = _reference(content, "out_biz_no")
        order = self._book.find(Direction.PAYOUT, reference)
        if order is None:
            raise RefusedError("40004", "ORDER_NOT_EXIST", "There is no such transfer.")
        return _answer(
            "10000",
            out_biz_no=reference,
            order_id=order.bank_reference,
            pay_fund_order_id=order.bank_reference,
            trans_amount=_yuan(order.instruction.cents),
            status=_TRANSFER_STATUS[order.state],
            pay_date=_pay_date(order),
            **_failure(order),
        )

    def _trade_pay(self, content: Mapping[str, object], at: datetime) -> Answer:
        _require(content, "product_code", "GENERAL_WITHHOLDING")
        agreement = content.get("agreement_params")
        if not isinstance(agreement, dict):
            raise _invalid("agreement_params is missing")
        instruction = Instruction(
            direction=Direction.DEBIT,
            client_reference=_reference(content, "out_trade_no"),
            card_number=_card_number(agreement.get("agreement_no")),
            holder_name="",
            cents=_cents(content.get("total_amount")),
            title=str(content.get("subject") or ""),
        )
        order = self._place(instruction, at=at)
        _raise_if_failed(order)
        return _answer(
            "10003" if order.state is OrderState.PROCESSING else "10000",
            out_trade_no=instruction.client_reference,
            trade_no=order.bank_reference,
            total_amount=_yuan(instruction.cents),
            gmt_payment=_pay_date(order),
        )

    def _trade_query(self, content: Mapping[str, object], _at: datetime) -> Answer:
        reference = _reference(content, "out_trade_no")
        order = self._book.find(Direction.DEBIT, reference)
        if order is None:
            raise RefusedError("40004", "ACQ.TRADE_NOT_EXIST", "There is no such trade.")
        return _answer(
            "10000",
            out_trade_no=reference,
            trade_no=order.bank_reference,
            trade_status=_TRADE_STATUS[order.state],
            total_amount=_yuan(order.instruction.cents),
            send_pay_date=_pay_date(order),
            **_failure(order),
        )


def notice_parameters(
    order: Order, *, app_id: str, private_key: rsa.RSAPrivateKey, at: datetime, cents: int
) -> dict[str, str]:
    """Return the signed notice of a settled order, stating the amount `cents`."""
    if order.instruction.direction is Direction.PAYOUT:
        parameters = _transfer_notice(order, at=at, cents=cents)
    else:
        parameters = _trade_notice(order, at=at, cents=cents)
    parameters.update(app_id=app_id, charset="utf-8", notify_id=order.notice_id)
    return sign_parameters(parameters, private_key=private_key, leaving_out=NOTICE_LEAVES_OUT)


def _transfer_notice(order: Order, *, at: datetime, cents: int) -> dict[str, str]:
    content = {
        "out_biz_no": order.instruction.client_reference,
        "order_id": order.bank_reference,
        "pay_fund_order_id": order.bank_reference,
        "product_code": "TRANS_BANKCARD_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "action_type": "FINISH",
        "status": _TRANSFER_STATUS[order.state],
        "trans_amount": _yuan(cents),
        "pay_date": timestamp_text(order.settled_at or order.made_at),
        **_failure(order),
    }
    return {
        "msg_method": TRANSFER_CHANGED,
        "utc_timestamp": str(int(at.timestamp()) * 1000),
        "version": "1.1",
        "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
    }


def _trade_notice(order: Order, *, at: datetime, cents: int) -> dict[str, str]:
    settled = timestamp_text(order.settled_at or order.made_at)
    succeeded = order.state is OrderState.SUCCEEDED
    return {
        "notify_type": "trade_status_sync",
        "notify_time": timestamp_text(at),
        "version": "1.0",
        "out_trade_no": order.instruction.client_reference,
        "trade_no": order.bank_reference,
        "trade_status": _TRADE_STATUS[order.state],
        "total_amount": _yuan(cents),
        "subject": order.instruction.title,
        "gmt_create": timestamp_text(order.made_at),
        **({"gmt_payment": settled} if succeeded else {"gmt_close": settled}),
        **_failure(order),
    }


def parse_cents(text: str) -> int:
    """Return the whole cents that a plain decimal amount in yuan states.

    Raises ValueError for anything else, such as three decimals, a sign or an exponent.
    """
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", text):
        raise ValueError(f"{text!r} is not an amount of money")
    try:
        return int(Decimal(text) * 100)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount of money") from error


def _no_such_method(_content: Mapping[str, object], _at: datetime) -> Answer:
    raise RefusedError("40002", "isv.invalid-method", "No such method here.")


def _answer(code: str, **fields: str) -> Answer:
    return {
        "code": code,
        "msg": _MESSAGES[code],
        **{name: value for name, value in fields.items() if value},
    }


def _invalid(text: str) -> RefusedError:
    return RefusedError("40004", "INVALID_PARAMETER", text)


def _business_content(parameters: Mapping[str, str]) -> Mapping[str, object]:
    try:
        content = json.loads(parameters.get("biz_content", ""))
    except ValueError as error:
        raise RefusedError("40002", "isv.invalid-parameter", "biz_content: no JSON") from error
    if not isinstance(content, dict):
        raise RefusedError("40002", "isv.invalid-parameter", "biz_content: no object")
    return content


def _require(content: Mapping[str, object], name: str, expected: str) -> None:
    if content.get(name) != expected:
        raise _invalid(f"{name} must be {expected}")


def _reference(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise _invalid(f"{name} must be 1 to 64 letters, digits, _ or -")
    return value


def _card_number(value: object) -> str:
    if not isinstance(value, str) or not _CARD_NUMBER.fullmatch(value):
        raise _invalid("the card number must be 12 to 19 digits")
    return value


def _cents(value: object) -> int:
    try:
        cents = parse_cents(value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise _invalid(str(error)) from error
    if not 1 <= cents <= _MAX_CENTS:
        raise _invalid("the amount must be 0.01 to 100000000.00")
    return cents


def _yuan(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _pay_date(order: Order) -> str:
    if order.state is not OrderState.SUCCEEDED or order.settled_at is None:
        return ""
    return timestamp_text(order.settled_at)


def _failure(order: Order) -> dict[str, str]:
    if order.refusal is None:
        return {}
    return {"error_code": order.refusal.code, "fail_reason": order.refusal.text}


def _raise_if_failed(order: Order) -> None:
    if order.refusal is not None:
        raise RefusedError("40004", order.refusal.code, order.refusal.text)
