"""Payments at the sandbox bank's own page: opened, paid, closed, refunded.

`alipay.trade.page.pay` and `alipay.trade.wap.pay` come with the payer's browser;
`alipay.trade.close`, `alipay.trade.refund` and `alipay.trade.fastpay.refund.query` from the lender.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.sandbox.book import (
    Book,
    Cashier,
    ConflictingOrderError,
    Direction,
    Instruction,
    LackOfMoneyError,
    Order,
    OrderNotInStateError,
    Refund,
    RefundTooLargeError,
)
from zhixin.sandbox.server import is_loopback
from zhixin.sandbox.wire import (
    Answer,
    RefusedError,
    answer,
    cents_of,
    invalid,
    reference_of,
    require,
    yuan,
)
from zhixin.shared.signing import (
    NOTICE_LEAVES_OUT,
    StaleRequestError,
    parse_timestamp,
    sign_parameters,
    timestamp_text,
)

PAGE_PAY = "alipay.trade.page.pay"
WAP_PAY = "alipay.trade.wap.pay"
TRADE_CLOSE = "alipay.trade.close"
TRADE_REFUND = "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"
# The published product of each page.
PAGE_METHODS = {PAGE_PAY: "FAST_INSTANT_TRADE_PAY", WAP_PAY: "QUICK_WAP_WAY"}

_PAGE_OF_PRODUCT = {product: method for method, product in PAGE_METHODS.items()}
_LONGEST_LIFE = timedelta(days=15)


@dataclass(frozen=True, slots=True)
class TradeDesk:
    """Answers what the API asks about payments at the cashier; tells `on_news` of refunds."""

    book: Book
    known_hosts: frozenset[str]
    on_news: Callable[[Order], None]

    @property
    def methods(self) -> dict[str, Callable[[Mapping[str, object], datetime], Answer]]:
        """Return the methods of the lender's server by name."""
        return {
            TRADE_CLOSE: self._close,
            TRADE_REFUND: self._refund,
            REFUND_QUERY: self._refund_query,
        }

    def find(self, reference: str, *, at: datetime) -> Order:
        """Return the trade with the lender's id as it stands `at`. Raises RefusedError."""
        order = self.book.find(Direction.DEBIT, reference)
        if order is None:
            raise RefusedError("40004", "ACQ.TRADE_NOT_EXIST", "There is no such trade.")
        return self.book.as_of(order.bank_reference, at=at)

    def open_cashier(
        self,
        method: str,
        content: Mapping[str, object],
        parameters: Mapping[str, str],
        at: datetime,
    ) -> Order:
        """Return the order of a page payment. Raises RefusedError and ConflictingOrderError."""
        require(content, "product_code", PAGE_METHODS[method])
        reference = reference_of(content, "out_trade_no")
        instruction = Instruction(
            direction=Direction.DEBIT,
            client_reference=reference,
            card_number="",
            holder_name="",
            cents=cents_of(content.get("total_amount")),
            title=_subject(content),
            product=PAGE_METHODS[method],
        )
        cashier = Cashier(
            token=secrets.token_urlsafe(18),
            notify_url=self._address(parameters, "notify_url"),
            return_url=self._address(parameters, "return_url"),
            expires_at=_expiry(content, at),
        )
        known = self.book.find(Direction.DEBIT, reference)
        if known is None and cashier.expires_at <= at:
            raise RefusedError("40004", "ACQ.TRADE_HAS_CLOSE", "The time to pay has run out.")
        order, _new = self.book.open_cashier(instruction, cashier=cashier, at=at)
        return self.book.as_of(order.bank_reference, at=at)

    def _address(self, parameters: Mapping[str, str], name: str) -> str:
        """Return an address that the lender gave; only hosts that this bank knows."""
        url = parameters.get(name, "")
        if not url:
            return ""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not (
            is_loopback(host) or host in self.known_hosts
        ):
            raise invalid(f"{name} leads to a host that this bank does not know")
        return url

    def _close(self, content: Mapping[str, object], at: datetime) -> Answer:
        order = self.find(reference_of(content, "out_trade_no"), at=at)
        try:
            self.book.close(order.bank_reference, at=at)
        except OrderNotInStateError as error:
            text = "The trade does not wait for its payer."
            raise RefusedError("40004", "ACQ.TRADE_STATUS_ERROR", text) from error
        return answer(
            "10000",
            out_trade_no=order.instruction.client_reference,
            trade_no=order.bank_reference,
        )

    def _refund(self, content: Mapping[str, object], at: datetime) -> Answer:
        order = self.find(reference_of(content, "out_trade_no"), at=at)
        cents = cents_of(content.get("refund_amount"))
        number = reference_of(content, "out_request_no")
        try:
            _refund, new = self.book.refund(
                order.bank_reference, request_number=number, cents=cents, at=at
            )
        except (
            OrderNotInStateError,
            ConflictingOrderError,
            RefundTooLargeError,
            LackOfMoneyError,
        ) as error:
            code, text = _REFUND_REFUSALS[type(error)]
            raise RefusedError("40004", code, text) from error
        if new:
            self.on_news(order)
        return answer(
            "10000",
            out_trade_no=order.instruction.client_reference,
            trade_no=order.bank_reference,
            buyer_logon_id=masked(order.account),
            fund_change="Y" if new else "N",
            refund_fee=yuan(order.refunded_cents),
        )

    def _refund_query(self, content: Mapping[str, object], at: datetime) -> Answer:
        order = self.find(reference_of(content, "out_trade_no"), at=at)
        number = reference_of(content, "out_request_no")
        refund = next((one for one in order.refunds if one.request_number == number), None)
        if refund is None:
            # As published: a refund that is not there is a success without its fields.
            return answer("10000")
        return answer(
            "10000",
            out_trade_no=order.instruction.client_reference,
            trade_no=order.bank_reference,
            out_request_no=number,
            total_amount=yuan(order.instruction.cents),
            refund_status="REFUND_SUCCESS",
            **_refund_facts(refund),
        )


_REFUND_REFUSALS: dict[type[Exception], tuple[str, str]] = {
    OrderNotInStateError: ("ACQ.TRADE_NOT_ALLOW_REFUND", "The trade was not paid."),
    ConflictingOrderError: (
        "ACQ.DISCORDANT_REPEAT_REQUEST",
        "This number belongs to a refund of another amount.",
    ),
    RefundTooLargeError: (
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
        "More would be refunded than was paid.",
    ),
    LackOfMoneyError: ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "The seller's balance is not enough."),
}


def return_address(
    order: Order, *, app_id: str, seller_id: str, private_key: rsa.RSAPrivateKey, at: datetime
) -> str:
    """Return where a payer who has paid is sent: the lender's address with signed parameters."""
    if order.cashier is None or not order.cashier.return_url:
        return ""
    parameters = sign_parameters(
        {
            "charset": "utf-8",
            "method": f"{_PAGE_OF_PRODUCT[order.instruction.product]}.return",
            "version": "1.0",
            "app_id": app_id,
            "auth_app_id": app_id,
            "seller_id": seller_id,
            "out_trade_no": order.instruction.client_reference,
            "trade_no": order.bank_reference,
            "total_amount": yuan(order.instruction.cents),
            "timestamp": timestamp_text(at),
        },
        private_key=private_key,
        leaving_out=NOTICE_LEAVES_OUT,
    )
    url = order.cashier.return_url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"


def masked(account: str) -> str:
    """Return an account as the API shows it: `622***128`."""
    return f"{account[:3]}***{account[-3:]}" if account else ""


def _subject(content: Mapping[str, object]) -> str:
    subject = str(content.get("subject") or "")
    if not subject:
        raise invalid("subject is missing")
    return subject


def _expiry(content: Mapping[str, object], at: datetime) -> datetime:
    """Return until when the trade can be paid; fifteen days unless the lender says sooner."""
    text = str(content.get("time_expire") or "")
    if not text:
        return at + _LONGEST_LIFE
    try:
        return parse_timestamp(text)
    except StaleRequestError as error:
        raise invalid(f"time_expire: {error}") from error


def _refund_facts(refund: Refund) -> dict[str, str]:
    return {
        "refund_amount": yuan(refund.cents),
        "gmt_refund_pay": timestamp_text(refund.made_at),
    }
