"""The sandbox carrier: a process of its own that takes text messages as Alibaba Cloud's SMS does.

    python -m zhixin.sandbox.sms --port 8020

It speaks `SendSms` of Dysmsapi 2017-05-25 (RPC style, signed with HMAC-SHA1) at `/`, and shows
people on this machine what it carried at `/messages`. The key pair comes from the environment
(SMS_ACCESS_KEY_ID, SMS_ACCESS_KEY_SECRET). Messages are kept in memory. See docs/sms.md.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from http import HTTPStatus

from zhixin.sandbox.clock import now
from zhixin.sandbox.faults import FaultBox
from zhixin.sandbox.pages import STYLE, page, table
from zhixin.sandbox.server import Routes, SandboxHandler, SandboxServer, is_loopback, serve
from zhixin.shared.signing import (
    ReplayedRequestError,
    ReplayGuard,
    StaleRequestError,
    rpc_signature,
)

DEFAULT_ACCESS_KEY_ID = "sandbox"
DEFAULT_ACCESS_KEY_SECRET = "sandbox-secret"  # noqa: S105  Known to all: nothing real is sent.

_FAULTS = frozenset(
    {"timeout_after_success", "throttle", "wrong_signature", "server_error", "refuse_number"}
)
_PHONE_NUMBER = re.compile(r"[0-9]{6,15}")
_TEMPLATE_CODE = re.compile(r"SMS_[0-9A-Za-z_]{1,60}")
_SILENCE_SECONDS = Decimal(30)
_MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was carried."""

    phone_number: str
    sign_name: str
    template_code: str
    template_param: dict[str, str]
    out_id: str
    biz_id: str
    received_at: datetime


class RefusedError(Exception):
    """The carrier does not take the message; carries the published code and the HTTP status."""

    def __init__(self, code: str, text: str, *, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Keep code and status."""
        super().__init__(text)
        self.code = code
        self.status = status


@dataclass(slots=True)
class Carrier:
    """Judges requests and keeps what it carried. Safe for threads."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    faults: FaultBox = field(default_factory=lambda: FaultBox(_FAULTS))
    _messages: list[Message] = field(default_factory=list)
    _replays: ReplayGuard = field(default_factory=ReplayGuard)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, http_method: str, parameters: Mapping[str, str], *, at: datetime) -> Message:
        """Return the message that was taken. Raises RefusedError."""
        self._authenticate(http_method, parameters, at=at)
        if (parameters.get("Action"), parameters.get("Version")) != ("SendSms", "2017-05-25"):
            raise RefusedError(
                "InvalidAction.NotFound",
                "Specified api is not found, please check your url and method.",
                status=HTTPStatus.NOT_FOUND,
            )
        message = _message(parameters, at=at)
        if self.faults.take("throttle"):
            raise RefusedError("isv.BUSINESS_LIMIT_CONTROL", "触发小时级流控Permits:5")
        if self.faults.take("refuse_number"):
            raise RefusedError("isv.MOBILE_NUMBER_ILLEGAL", "非法手机号")
        with self._lock:
            self._messages.append(message)
            del self._messages[:-_MOST_KEPT]
        return message

    def messages(self) -> list[Message]:
        """Return what was carried, oldest first."""
        with self._lock:
            return list(self._messages)

    def _authenticate(
        self, http_method: str, parameters: Mapping[str, str], *, at: datetime
    ) -> None:
        if parameters.get("AccessKeyId") != self.access_key_id:
            raise RefusedError(
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
                status=HTTPStatus.NOT_FOUND,
            )
        expected = rpc_signature(
            http_method=http_method,
            parameters=parameters,
            access_key_secret=self.access_key_secret,
        )
        is_signed = hmac.compare_digest(expected, parameters.get("Signature", ""))
        if not is_signed or self.faults.take("wrong_signature"):
            raise RefusedError(
                "SignatureDoesNotMatch",
                "Specified signature is not matched with our calculation.",
                status=HTTPStatus.BAD_REQUEST,
            )
        self._check_replay(parameters, at=at)

    def _check_replay(self, parameters: Mapping[str, str], *, at: datetime) -> None:
        try:
            sent_at = datetime.strptime(
                parameters.get("Timestamp", ""), "%Y-%m-%dT%H:%M:%SZ"
            ).replace(tzinfo=UTC)
            self._replays.check(
                timestamp=sent_at, nonce=parameters.get("SignatureNonce", ""), at=at
            )
        except (ValueError, StaleRequestError) as error:
            if isinstance(error, ReplayedRequestError):
                raise RefusedError(
                    "SignatureNonceUsed",
                    "Specified signature nonce was used already.",
                    status=HTTPStatus.BAD_REQUEST,
                ) from error
            raise RefusedError(
                "InvalidTimeStamp.Expired",
                "Specified time stamp or date value is expired.",
                status=HTTPStatus.BAD_REQUEST,
            ) from error


def _message(parameters: Mapping[str, str], *, at: datetime) -> Message:
    phone_number = parameters.get("PhoneNumbers", "")
    if not _PHONE_NUMBER.fullmatch(phone_number):
        raise RefusedError("isv.MOBILE_NUMBER_ILLEGAL", "非法手机号")
    if not parameters.get("SignName"):
        raise RefusedError("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
    if not _TEMPLATE_CODE.fullmatch(parameters.get("TemplateCode", "")):
        raise RefusedError("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
    try:
        content = json.loads(parameters.get("TemplateParam") or "{}")
    except ValueError as error:
        raise RefusedError("isv.INVALID_JSON_PARAM", "参数格式错误") from error
    if not isinstance(content, dict):
        raise RefusedError("isv.INVALID_JSON_PARAM", "参数格式错误")
    milliseconds = int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    return Message(
        phone_number=phone_number,
        sign_name=parameters["SignName"],
        template_code=parameters["TemplateCode"],
        template_param={str(name): str(value) for name, value in content.items()},
        out_id=parameters.get("OutId", ""),
        biz_id=f"{uuid.uuid4().int % 10**6:06d}{milliseconds}^0",
        received_at=at,
    )


def routes_of(carrier: Carrier, *, allows_faults: bool) -> Routes:
    """Return what answers each method and path of this carrier."""
    routes: dict[tuple[str, str], Callable[[SandboxHandler], None]] = {
        ("GET", "/"): partial(_send, carrier),
        ("POST", "/"): partial(_send, carrier),
        ("GET", "/messages"): partial(_show_page, carrier),
        ("GET", "/style.css"): lambda handler: handler.answer(STYLE, content_type="text/css"),
        ("GET", "/health"): lambda handler: handler.answer("ok", content_type="text/plain"),
    }
    if allows_faults:
        routes |= {
            ("GET", "/control/faults"): partial(_list_faults, carrier),
            ("POST", "/control/faults"): partial(_add_fault, carrier),
            ("GET", "/control/messages"): partial(_list_messages, carrier),
        }
    return routes


def _send(carrier: Carrier, handler: SandboxHandler) -> None:
    parameters = handler.parameters()
    request_id = str(uuid.uuid4()).upper()
    if carrier.faults.take("server_error"):
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        handler.answer("The carrier has a problem.", content_type="text/plain", status=status)
        return
    try:
        message = carrier.send(handler.command, parameters, at=now())
    except RefusedError as error:
        content = {"Code": error.code, "Message": str(error), "RequestId": request_id}
        handler.answer_json(content, status=error.status)
        return
    silence = carrier.faults.take("timeout_after_success")
    if silence:
        seconds = _SILENCE_SECONDS if silence.seconds is None else silence.seconds
        time.sleep(int(seconds * 1000) / 1000)
        handler.close_connection = True
        return
    handler.answer_json(
        {"Code": "OK", "Message": "OK", "RequestId": request_id, "BizId": message.biz_id}
    )


def _show_page(carrier: Carrier, handler: SandboxHandler) -> None:
    handler.require_loopback()
    rows = [
        (
            f"{message.received_at:%Y-%m-%d %H:%M:%S} UTC",
            message.phone_number,
            message.sign_name,
            message.template_code,
            ", ".join(f"{name}: {value}" for name, value in message.template_param.items()),
        )
        for message in reversed(carrier.messages())
    ]
    columns = ("Received", "Phone", "Signed", "Template", "Content")
    introduction = "For development only: no message leaves this machine."
    text = page("Sandbox carrier", introduction, table("Messages", columns, rows))
    handler.answer(text, content_type="text/html")


def _list_faults(carrier: Carrier, handler: SandboxHandler) -> None:
    handler.require_loopback()
    handler.answer_json(carrier.faults.waiting())


def _add_fault(carrier: Carrier, handler: SandboxHandler) -> None:
    carrier.faults.add(handler.control_wish())
    handler.answer_json(carrier.faults.waiting())


def _list_messages(carrier: Carrier, handler: SandboxHandler) -> None:
    handler.require_loopback()
    handler.answer_json([asdict(message) for message in carrier.messages()])


def main(arguments: list[str] | None = None) -> int:
    """Run the carrier; one line on stderr and exit code 2 when it cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m zhixin.sandbox.sms", description="The sandbox carrier (docs/sms.md)."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port; 0 picks a free one")
    parser.add_argument("--allow-faults", action="store_true", help="tests may order faults")
    options = parser.parse_args(arguments)
    if options.allow_faults and not is_loopback(options.host):
        parser.error("--allow-faults needs a loopback --host")
    carrier = Carrier(
        access_key_id=os.environ.get("SMS_ACCESS_KEY_ID") or DEFAULT_ACCESS_KEY_ID,
        access_key_secret=os.environ.get("SMS_ACCESS_KEY_SECRET") or DEFAULT_ACCESS_KEY_SECRET,
    )
    try:
        routes = routes_of(carrier, allows_faults=options.allow_faults)
        server = SandboxServer((options.host, options.port), routes)
    except OSError as error:
        address = f"{options.host}:{options.port}"
        sys.stderr.write(f"Cannot listen on {address}: {error.strerror}.\n")
        return 2
    return serve(server, name="Sandbox carrier")


if __name__ == "__main__":
    raise SystemExit(main())
