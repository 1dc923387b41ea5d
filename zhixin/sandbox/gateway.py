"""The sandbox bank's gateway: signed parameters in, the published answer out.

A subset of Alipay's open API: `alipay.fund.trans.uni.transfer` (payout to a card),
`alipay.fund.trans.common.query`, `alipay.trade.pay` (debit under an agreement) and
`alipay.trade.query` here; payments at the cashier, closing and refunds in `trades`; the daily bill
in `bills`. What differs from the published API is listed in docs/bank.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.sandbox.bills import BILL_QUERY, BillDesk
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
from zhixin.sandbox.trades import PAGE_METHODS, TRADE_CLOSE, TRADE_REFUND, TradeDesk
from zhixin.sandbox.wire import (
    Answer,
    RefusedError,
    answer,
    business_content,
    card_number_of,
    cents_of,
    failure_of,
    invalid,
    pay_date,
    reference_of,
    require,
    trade_status,
    yuan,
)
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
ORDER_METHODS = frozenset({TRANSFER, TRADE_PAY, TRADE_CLOSE, TRADE_REFUND})


_TRANSFER_STATUS = {
    OrderState.PROCESSING: "DEALING",
    OrderState.SUCCEEDED: "SUCCESS",
    OrderState.FAILED: "FAIL",
    OrderState.RETURNED: "REFUND",
}


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """Who may call, and how strictly requests are judged."""

    app_id: str
    lender_public_key: rsa.RSAPublicKey
    seller_id: str
    nonce_required: bool = True
    # Where notices and payers may be sent, beside this machine itself.
    known_hosts: frozenset[str] = frozenset()


class Gateway:
    """Judges each request and turns it into an order or a question to the book."""

    def __init__(
        self,
        *,
        book: Book,
        faults: FaultBox,
        rules: GatewayRules,
        on_news: Callable[[Order], None],
        bills: BillDesk,
    ) -> None:
        """Call `on_news` for each order about which the lender is to be told."""
        self._book = book
        self._faults = faults
        self._rules = rules
        self._on_news = on_news
        self.trades = TradeDesk(book=book, known_hosts=rules.known_hosts, on_news=on_news)
        self._replays = ReplayGuard()
        self._methods: dict[str, Callable[[Mapping[str, object], datetime], Answer]] = {
            TRANSFER: self._transfer,
            TRANSFER_QUERY: self._transfer_query,
            TRADE_PAY: self._trade_pay,
            TRADE_QUERY: self._trade_query,
            BILL_QUERY: bills.download_url,
            **self.trades.methods,
        }

    def handle(self, parameters: Mapping[str, str], *, at: datetime) -> Answer:
        """Return the content of the answer; a refusal is an answer too."""
        try:
            self._authenticate(parameters, at=at)
            method = self._methods.get(parameters.get("method", ""), _no_such_method)
            return method(business_content(parameters), at)
        except RefusedError as error:
            return error.answer
        except ConflictingOrderError:
            is_payout = parameters.get("method") == TRANSFER
            code = "PAYMENT_INFO_INCONSISTENCY" if is_payout else "ACQ.CONTEXT_INCONSISTENT"
            text = "This id belongs to an order with another content."
            return RefusedError("40004", code, text).answer

    def open_cashier(self, parameters: Mapping[str, str], *, at: datetime) -> Order:
        """Return the order of a page payment, to be paid at its cashier. Raises RefusedError.

        The payer's browser may bring the same address again (back, reload), so neither age nor
        nonce is judged: the order is the same one by its id, and runs out by its own time.
        """
        self._authenticate(parameters, at=at, once=False)
        if parameters.get("method") not in PAGE_METHODS:
            raise RefusedError("40002", "isv.invalid-method", "No such page here.")
        try:
            return self.trades.open_cashier(
                parameters["method"], business_content(parameters), parameters, at
            )
        except ConflictingOrderError as error:
            text = "This id belongs to an order with another content."
            raise RefusedError("40004", "ACQ.CONTEXT_INCONSISTENT", text) from error

    def _authenticate(
        self, parameters: Mapping[str, str], *, at: datetime, once: bool = True
    ) -> None:
        if parameters.get("app_id") != self._rules.app_id:
            raise RefusedError("40002", "isv.invalid-app-id", "The app_id is not known here.")
        try:
            verify_parameters(parameters, public_key=self._rules.lender_public_key)
        except InvalidSignatureError as error:
            raise RefusedError("40002", "isv.invalid-signature", str(error)) from error
        nonce = parameters.get("nonce", "")
        if not once:
            return
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
            self._on_news(order)
        return order

    def _refusal_on_demand(self, direction: Direction) -> Refusal | None:
        if self._faults.take("reject") is None:
            return None
        if direction is Direction.PAYOUT:
            return Refusal("PAYEE_CARD_INFO_ERROR", "The payee's card details are not right.")
        return Refusal("ACQ.PAYMENT_FAIL", "The card's bank declined the payment.")

    def _transfer(self, content: Mapping[str, object], at: datetime) -> Answer:
        require(content, "product_code", "TRANS_BANKCARD_NO_PWD")
        require(content, "biz_scene", "DIRECT_TRANSFER")
        payee = content.get("payee_info")
        if not isinstance(payee, dict) or payee.get("identity_type") != "BANKCARD_ACCOUNT":
            raise invalid("payee_info must name a BANKCARD_ACCOUNT")
        instruction = Instruction(
            direction=Direction.PAYOUT,
            client_reference=reference_of(content, "out_biz_no"),
            card_number=card_number_of(payee.get("identity")),
            holder_name=str(payee.get("name") or ""),
            cents=cents_of(content.get("trans_amount")),
            title=str(content.get("order_title") or ""),
        )
        order = self._place(instruction, at=at)
        _raise_if_failed(order)
        return answer(
            "10000",
            out_biz_no=instruction.client_reference,
            order_id=order.bank_reference,
            pay_fund_order_id=order.bank_reference,
            status=_TRANSFER_STATUS[order.state],
            trans_date=timestamp_text(order.settled_at or order.made_at),
        )

    def _transfer_query(self, content: Mapping[str, object], _at: datetime) -> Answer:
        reference = reference_of(content, "out_biz_no")
        order = self._book.find(Direction.PAYOUT, reference)
        if order is None:
            raise RefusedError("40004", "ORDER_NOT_EXIST", "There is no such transfer.")
        return answer(
            "10000",
            out_biz_no=reference,
            order_id=order.bank_reference,
            pay_fund_order_id=order.bank_reference,
            trans_amount=yuan(order.instruction.cents),
            status=_TRANSFER_STATUS[order.state],
            pay_date=pay_date(order),
            **failure_of(order),
        )

    def _trade_pay(self, content: Mapping[str, object], at: datetime) -> Answer:
        require(content, "product_code", "GENERAL_WITHHOLDING")
        agreement = content.get("agreement_params")
        if not isinstance(agreement, dict):
            raise invalid("agreement_params is missing")
        instruction = Instruction(
            direction=Direction.DEBIT,
            client_reference=reference_of(content, "out_trade_no"),
            card_number=card_number_of(agreement.get("agreement_no")),
            holder_name="",
            cents=cents_of(content.get("total_amount")),
            title=str(content.get("subject") or ""),
        )
        order = self._place(instruction, at=at)
        _raise_if_failed(order)
        return answer(
            "10003" if order.state is OrderState.PROCESSING else "10000",
            out_trade_no=instruction.client_reference,
            trade_no=order.bank_reference,
            total_amount=yuan(instruction.cents),
            gmt_payment=pay_date(order),
        )

    def _trade_query(self, content: Mapping[str, object], at: datetime) -> Answer:
        reference = reference_of(content, "out_trade_no")
        order = self.trades.find(reference, at=at)
        return answer(
            "10000",
            out_trade_no=reference,
            trade_no=order.bank_reference,
            trade_status=trade_status(order),
            total_amount=yuan(order.instruction.cents),
            send_pay_date=pay_date(order),
            **failure_of(order),
        )


def notice_parameters(
    order: Order,
    *,
    app_id: str,
    seller_id: str,
    private_key: rsa.RSAPrivateKey,
    at: datetime,
    cents: int,
) -> dict[str, str]:
    """Return the signed notice of a settled order, stating the amount `cents`."""
    # Read before the content: what happens to the order meanwhile has a notice of its own.
    notice_id = order.notice_id
    if order.instruction.direction is Direction.PAYOUT:
        parameters = _transfer_notice(order, at=at, cents=cents)
    else:
        parameters = _trade_notice(order, at=at, cents=cents)
        parameters["seller_id"] = seller_id
    parameters.update(app_id=app_id, charset="utf-8", notify_id=notice_id)
    return sign_parameters(parameters, private_key=private_key, leaving_out=NOTICE_LEAVES_OUT)


def _transfer_notice(order: Order, *, at: datetime, cents: int) -> dict[str, str]:
    content = {
        "out_biz_no": order.instruction.client_reference,
        "order_id": order.bank_reference,
        "pay_fund_order_id": order.bank_reference,
        "product_code": "TRANS_BANKCARD_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "action_type": "REFUND" if order.state is OrderState.RETURNED else "FINISH",
        "status": _TRANSFER_STATUS[order.state],
        "trans_amount": yuan(cents),
        "pay_date": timestamp_text(order.settled_at or order.made_at),
        **failure_of(order),
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
        "trade_status": trade_status(order),
        "total_amount": yuan(cents),
        "subject": order.instruction.title,
        "gmt_create": timestamp_text(order.made_at),
        **({"gmt_payment": settled} if succeeded else {"gmt_close": settled}),
        **_refunded(order),
        **failure_of(order),
    }


def _refunded(order: Order) -> dict[str, str]:
    if not order.refunds:
        return {}
    last = order.refunds[-1]
    return {
        "refund_fee": yuan(order.refunded_cents),
        "gmt_refund": timestamp_text(last.made_at) + ".000",
        "out_biz_no": last.request_number,
    }


def _no_such_method(_content: Mapping[str, object], _at: datetime) -> Answer:
    raise RefusedError("40002", "isv.invalid-method", "No such method here.")


def _raise_if_failed(order: Order) -> None:
    if order.refusal is not None:
        raise RefusedError("40004", order.refusal.code, order.refusal.text)
