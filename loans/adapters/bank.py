"""The bank over HTTP: signed orders and questions out, signed answers and notices in.

A subset of Alipay's published open API (docs/bank.md says which, and what our sandbox adds), on the
vendor's library (`alipay_wire`). The client never guesses: whatever is not a signed, definite
answer is UNKNOWN, and the caller asks again by `query`. Orders are idempotent at the bank by the
client's reference, so sending the same order once more is safe; NOT_FOUND means that it may be sent
again with the same reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

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
from loans.adapters.bank_answers import (
    judge,
    names_order,
    read_closing,
    read_refund,
    read_refund_query,
    read_trade,
    read_trade_order,
    read_transfer,
    unknown,
)
from loans.adapters.bank_notices import (
    TRADE_CHANGED,
    TRANSFER_CHANGED,
    parameters_of,
    trade_notice,
    transfer_notice,
)
from loans.adapters.bank_words import (
    BankAnswer,
    BankDirection,
    BankNoticeData,
    BillFiles,
    BillNotReadyError,
    CashierOrder,
    DebitOrder,
    InvalidNoticeError,
    PayoutOrder,
    RefundOrder,
    UnableToFetchBillError,
    check_order,
    check_reference,
    known_reference,
)
from zhixin.shared import clock
from zhixin.shared.signing import (
    NOTICE_LEAVES_OUT,
    SigningError,
    answer_node,
    load_private_key,
    load_public_key,
    read_signed_answer,
    timestamp_text,
    verify_parameters,
)

_MAX_ANSWER_BYTES = 256 * 1024
_MAX_BILL_BYTES = 64 * 1024 * 1024
_BILL_NOT_READY_CODES = frozenset({"isp.bill_not_exist"})


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
        check_order(order)
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
        return self._ask(TRANSFER, content, names_order(order.client_reference), read_transfer)

    def send_debit(self, order: DebitOrder) -> BankAnswer:
        """Order a debit and return what the bank says of it. Raises as `send_payout` does."""
        check_order(order)
        content = {
            "out_trade_no": order.client_reference,
            "total_amount": str(order.amount),
            "subject": order.title,
            "product_code": "GENERAL_WITHHOLDING",
            "agreement_params": {"agreement_no": order.card_number},
        }
        return self._ask(TRADE_PAY, content, names_order(order.client_reference), read_trade_order)

    def cashier_address(self, order: CashierOrder) -> str:
        """Return the address that opens the bank's page for `order`; nothing is sent from here.

        The bank knows the order once the payer has opened it, and the same address again opens the
        same order. Raises ValueError for an order that cannot be made.
        """
        check_order(order)
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
        check_reference(client_reference)
        content = {"out_trade_no": client_reference}
        return self._ask(TRADE_CLOSE, content, names_order(client_reference), read_closing)

    def send_refund(self, order: RefundOrder) -> BankAnswer:
        """Order a refund; ACCEPTED says that it was taken, `query_refund` whether it is done.

        The published answer states the sum of all refunds of the payment, never this one. Raises
        as `send_payout` does.
        """
        check_order(order)
        check_reference(order.payment_reference)
        content = {
            "out_trade_no": order.payment_reference,
            "refund_amount": str(order.amount),
            "out_request_no": order.client_reference,
            "refund_reason": order.title,
        }
        return self._ask(TRADE_REFUND, content, names_order(order.payment_reference), read_refund)

    def query_refund(self, client_reference: str, *, payment_reference: str) -> BankAnswer:
        """Return what has become of a refund; NOT_FOUND when the bank has none of this number."""
        check_reference(client_reference)
        check_reference(payment_reference)
        content = {"out_trade_no": payment_reference, "out_request_no": client_reference}

        def is_this(answer: Mapping[str, object]) -> bool:
            named = (answer.get("out_trade_no"), answer.get("out_request_no"))
            # The published answer about no refund names nothing.
            return named in {(payment_reference, client_reference), (None, None)}

        return self._ask(REFUND_QUERY, content, is_this, read_refund_query)

    def query(self, client_reference: str, direction: str) -> BankAnswer:
        """Return what has become of the order with our reference, PAYOUT or DEBIT."""
        check_reference(client_reference)
        if BankDirection(direction) is BankDirection.PAYOUT:
            content: dict[str, object] = {
                "out_biz_no": client_reference,
                "product_code": "TRANS_BANKCARD_NO_PWD",
                "biz_scene": "DIRECT_TRANSFER",
            }
            return self._ask(TRANSFER_QUERY, content, names_order(client_reference), read_transfer)
        content = {"out_trade_no": client_reference}
        return self._ask(TRADE_QUERY, content, names_order(client_reference), read_trade)

    def parse_notice(self, form: Mapping[str, str] | bytes) -> BankNoticeData:
        """Return the notice in a form (or a form-encoded body) after verifying its signature.

        Raises InvalidNoticeError. There is no limit of age: a notice may be late by days, and
        repeated, so the caller must apply it once only. Its amount is what the bank says; the
        caller compares it with the order.
        """
        parameters = self._verified(form)
        try:
            if parameters.get("msg_method") == TRANSFER_CHANGED:
                return transfer_notice(parameters)
            if parameters.get("notify_type") == TRADE_CHANGED:
                self._check_seller(parameters)
                return trade_notice(parameters)
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
            return known_reference(parameters.get("out_trade_no"))
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
        parameters = parameters_of(form)
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
            return unknown("NO_ANSWER", str(error))
        except SigningError as error:
            return unknown("UNTRUSTED_ANSWER", str(error))
        return judge(answer, is_this=is_this, read=read)

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
