"""What goes over the wire to Alipay, by the vendor's own library; keys and sockets are ours.

The library (`alipay-sdk-python`) knows the names of methods and fields and builds the text to sign.
Its client is not used: it cannot connect to a port, takes the process's clock, believes a
signature by any digest, and answers about any method. docs/adr/0010 has the reasons.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from alipay.aop.api.domain.AlipayDataDataserviceBillDownloadurlQueryModel import (
    AlipayDataDataserviceBillDownloadurlQueryModel,
)
from alipay.aop.api.domain.AlipayFundTransCommonQueryModel import AlipayFundTransCommonQueryModel
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel
from alipay.aop.api.domain.AlipayTradeCloseModel import AlipayTradeCloseModel
from alipay.aop.api.domain.AlipayTradeFastpayRefundQueryModel import (
    AlipayTradeFastpayRefundQueryModel,
)
from alipay.aop.api.domain.AlipayTradePagePayModel import AlipayTradePagePayModel
from alipay.aop.api.domain.AlipayTradePayModel import AlipayTradePayModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.domain.AlipayTradeRefundModel import AlipayTradeRefundModel
from alipay.aop.api.domain.AlipayTradeWapPayModel import AlipayTradeWapPayModel
from alipay.aop.api.request.AlipayDataDataserviceBillDownloadurlQueryRequest import (
    AlipayDataDataserviceBillDownloadurlQueryRequest,
)
from alipay.aop.api.request.AlipayFundTransCommonQueryRequest import (
    AlipayFundTransCommonQueryRequest,
)
from alipay.aop.api.request.AlipayFundTransUniTransferRequest import (
    AlipayFundTransUniTransferRequest,
)
from alipay.aop.api.request.AlipayTradeCloseRequest import AlipayTradeCloseRequest
from alipay.aop.api.request.AlipayTradeFastpayRefundQueryRequest import (
    AlipayTradeFastpayRefundQueryRequest,
)
from alipay.aop.api.request.AlipayTradePagePayRequest import AlipayTradePagePayRequest
from alipay.aop.api.request.AlipayTradePayRequest import AlipayTradePayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.AlipayTradeRefundRequest import AlipayTradeRefundRequest
from alipay.aop.api.request.AlipayTradeWapPayRequest import AlipayTradeWapPayRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content
from alipay.aop.api.util.WebUtils import url_encode
from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.shared.signing import SIGN_TYPE, sign_text, timestamp_text

TRANSFER = "alipay.fund.trans.uni.transfer"
TRANSFER_QUERY = "alipay.fund.trans.common.query"
TRADE_PAY = "alipay.trade.pay"
TRADE_QUERY = "alipay.trade.query"
PAGE_PAY = "alipay.trade.page.pay"
WAP_PAY = "alipay.trade.wap.pay"
TRADE_CLOSE = "alipay.trade.close"
TRADE_REFUND = "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"
BILL_QUERY = "alipay.data.dataservice.bill.downloadurl.query"

_REQUESTS: dict[str, tuple[Any, Any]] = {
    TRANSFER: (AlipayFundTransUniTransferRequest, AlipayFundTransUniTransferModel),
    TRANSFER_QUERY: (AlipayFundTransCommonQueryRequest, AlipayFundTransCommonQueryModel),
    TRADE_PAY: (AlipayTradePayRequest, AlipayTradePayModel),
    TRADE_QUERY: (AlipayTradeQueryRequest, AlipayTradeQueryModel),
    PAGE_PAY: (AlipayTradePagePayRequest, AlipayTradePagePayModel),
    WAP_PAY: (AlipayTradeWapPayRequest, AlipayTradeWapPayModel),
    TRADE_CLOSE: (AlipayTradeCloseRequest, AlipayTradeCloseModel),
    TRADE_REFUND: (AlipayTradeRefundRequest, AlipayTradeRefundModel),
    REFUND_QUERY: (AlipayTradeFastpayRefundQueryRequest, AlipayTradeFastpayRefundQueryModel),
    BILL_QUERY: (
        AlipayDataDataserviceBillDownloadurlQueryRequest,
        AlipayDataDataserviceBillDownloadurlQueryModel,
    ),
}
_CHARSET = "utf-8"


class UnknownFieldError(Exception):
    """The vendor's model of a method does not have a field that we state: a fault of ours."""


class NoAnswerError(Exception):
    """Nothing came back that could be an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who signs requests: the app and its private key."""

    app_id: str
    private_key: rsa.RSAPrivateKey


def signed_parameters(
    method: str,
    content: Mapping[str, object],
    *,
    sender: Sender,
    at: datetime,
    return_url: str = "",
    notify_url: str = "",
) -> dict[str, str]:
    """Return the signed parameters of a request.

    Raises UnknownFieldError when the vendor's model does not know a field of `content`.
    """
    make_request, model = _REQUESTS[method]
    biz_model = model.from_alipay_dict(dict(content))
    if biz_model.to_alipay_dict() != content:
        raise UnknownFieldError(f"{method} does not have every field of {sorted(content)}.")
    request = make_request(biz_model=biz_model)
    request.return_url = return_url or None
    request.notify_url = notify_url or None
    parameters: dict[str, str] = {
        **request.get_params(),
        "app_id": sender.app_id,
        "format": "JSON",
        "charset": _CHARSET,
        "sign_type": SIGN_TYPE,
        "timestamp": timestamp_text(at),
        "nonce": secrets.token_hex(16),
    }
    parameters["sign"] = sign_text(get_sign_content(parameters), private_key=sender.private_key)
    return parameters


def page_address(gateway_url: str, parameters: Mapping[str, str]) -> str:
    """Return the address that opens a page of the bank in the payer's browser."""
    return f"{gateway_url}?{url_encode(parameters, _CHARSET)}"


def post(
    url: str, parameters: Mapping[str, str], *, timeout: httpx.Timeout, most_bytes: int
) -> bytes:
    """Return the body of a 200 answer to a form. Raises NoAnswerError for anything else."""
    return _fetch("POST", url, timeout=timeout, most_bytes=most_bytes, data=dict(parameters))


def download(url: str, *, hosts: frozenset[str], timeout: httpx.Timeout, most_bytes: int) -> bytes:
    """Return the file at an address that the bank gave, from `hosts` (host:port) only.

    Raises NoAnswerError for any other host and when nothing comes.
    """
    if authority(url) not in hosts:
        raise NoAnswerError("The bank names an address that is not its own.")
    return _fetch("GET", url, timeout=timeout, most_bytes=most_bytes)


def authority(url: str) -> str:
    """Return scheme, host and port of an address, such as `https://openapi.alipay.com:443`."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _fetch(
    verb: str,
    url: str,
    *,
    timeout: httpx.Timeout,
    most_bytes: int,
    data: dict[str, str] | None = None,
) -> bytes:
    """Read at most `most_bytes`; no proxy of the environment, no redirect, certificates checked."""
    headers = {"Accept": "application/json" if data else "*/*"}
    try:
        with (
            httpx.Client(
                timeout=timeout, verify=_tls_context(), trust_env=False, follow_redirects=False
            ) as client,
            client.stream(verb, url, data=data, headers=headers) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise NoAnswerError(f"The bank answered HTTP {response.status_code}.")
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if len(body) > most_bytes:
                    raise NoAnswerError("The bank's answer is too long.")
            return bytes(body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswerError(f"The bank did not answer: {type(error).__name__}.") from error


@cache
def _tls_context() -> ssl.SSLContext:
    """Return the verifying TLS context; reading the certificates is slow, so it is done once."""
    return httpx.create_ssl_context()
