"""Text messages over Alibaba Cloud's published SMS interface (Dysmsapi 2017-05-25, `SendSms`).

Called by tasks, never by services. The interface has no idempotency: a message whose answer was
lost may have been carried, so the client never sends one again by itself; the caller decides
whether a second copy does harm (a sign-in code: no; a reminder: yes). See docs/sms.md.
"""

from __future__ import annotations

import json
import re
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache

import httpx
from django.conf import settings

from zhixin.shared import clock
from zhixin.shared.signing import rpc_signature

_E164 = re.compile(r"\+[1-9][0-9]{5,14}")
_MAINLAND = "+86"
_MAX_OUT_ID = 64
# The registered template whose only variable, `text`, is the whole message.
DEFAULT_TEXT_TEMPLATE_CODE = "SMS_ZHIXIN_TEXT"
_THROTTLED_CODES = frozenset(
    {
        "isv.BUSINESS_LIMIT_CONTROL",
        "isv.DAY_LIMIT_CONTROL",
        "isv.MONTH_LIMIT_CONTROL",
        "Throttling.User",
        "Throttling",
    }
)


class SmsError(Exception):
    """The carrier did not say that it took the message; `answer` is what it said."""

    def __init__(self, answer: SmsAnswer) -> None:
        """Keep the answer; the message never contains number or text."""
        super().__init__(f"{answer.state}: {answer.reason_code} {answer.reason}")
        self.answer = answer


class SmsState(StrEnum):
    """What the carrier said of a message."""

    SENT = "SENT"
    THROTTLED = "THROTTLED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsAnswer:
    """The carrier's answer.

    SENT: taken by the carrier. THROTTLED: not sent, may be tried later. REFUSED: not sent, trying
    again is no use. UNKNOWN: nothing readable came back; it may have been sent.
    """

    state: SmsState
    carrier_reference: str = ""
    request_id: str = ""
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsClient:
    """Speaks with the carrier; holds no connection, safe for threads. Timeouts are in seconds."""

    gateway_url: str
    access_key_id: str
    access_key_secret: str = field(repr=False)
    sign_name: str
    text_template_code: str = DEFAULT_TEXT_TEMPLATE_CODE
    timeout: httpx.Timeout = field(default_factory=lambda: httpx.Timeout(8, connect=3))
    now: Callable[[], datetime] = clock.now

    @classmethod
    def from_settings(cls) -> SmsClient:
        """Return the client that the settings describe."""
        return cls(
            gateway_url=settings.SMS_GATEWAY_URL,
            access_key_id=settings.SMS_ACCESS_KEY_ID,
            access_key_secret=settings.SMS_ACCESS_KEY_SECRET,
            sign_name=settings.SMS_SIGN_NAME,
            text_template_code=getattr(
                settings, "SMS_TEXT_TEMPLATE_CODE", DEFAULT_TEXT_TEMPLATE_CODE
            ),
        )

    def send_text(self, *, reference: str, phone: str, text: str) -> str:
        """Send a finished text and return the carrier's reference.

        Raises SmsError when the carrier did not say that it took it, and ValueError as `send` does.
        """
        answer = self.send(phone, self.text_template_code, {"text": text}, reference)
        if answer.state is not SmsState.SENT:
            raise SmsError(answer)
        return answer.carrier_reference

    def send(
        self,
        phone: str,
        template_code: str,
        params: Mapping[str, str],
        client_reference: str = "",
    ) -> SmsAnswer:
        """Send one message and return what the carrier says.

        `phone` is E.164 (`+8613800138000`); the template and the name that signs it are registered
        with the carrier. `client_reference` comes back in the carrier's reports, nothing more.
        Raises ValueError for a number or reference that cannot be sent.
        """
        if len(client_reference) > _MAX_OUT_ID:
            raise ValueError(f"A reference has at most {_MAX_OUT_ID} characters.")
        parameters = {
            "AccessKeyId": self.access_key_id,
            "Action": "SendSms",
            "Format": "JSON",
            "PhoneNumbers": _carrier_number(phone),
            "RegionId": "cn-hangzhou",
            "SignName": self.sign_name,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": secrets.token_hex(16),
            "SignatureVersion": "1.0",
            "TemplateCode": template_code,
            "TemplateParam": json.dumps(dict(params), ensure_ascii=False, separators=(",", ":")),
            "Timestamp": self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Version": "2017-05-25",
        }
        if client_reference:
            parameters["OutId"] = client_reference
        parameters["Signature"] = rpc_signature(
            http_method="POST",
            parameters=parameters,
            access_key_secret=self.access_key_secret,
        )
        return self._post(parameters)

    def _post(self, parameters: Mapping[str, str]) -> SmsAnswer:
        try:
            with httpx.Client(
                timeout=self.timeout,
                verify=_tls_context(),
                trust_env=False,
                follow_redirects=False,
            ) as client:
                response = client.post(self.gateway_url, data=dict(parameters))
                content = response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _unknown(f"The carrier did not answer: {type(error).__name__}.")
        except ValueError:
            return _unknown("The carrier's answer cannot be read.")
        status = response.status_code
        if not isinstance(content, dict) or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return _unknown(f"The carrier answered HTTP {status}.")
        return _judge(content)


def _judge(content: Mapping[str, object]) -> SmsAnswer:
    code = str(content.get("Code") or "")
    if not code:
        return _unknown("The carrier's answer has no code.")
    if code == "OK":
        state = SmsState.SENT
    elif code in _THROTTLED_CODES:
        state = SmsState.THROTTLED
    else:
        state = SmsState.REFUSED
    return SmsAnswer(
        state=state,
        carrier_reference=str(content.get("BizId") or ""),
        request_id=str(content.get("RequestId") or ""),
        reason="" if state is SmsState.SENT else str(content.get("Message") or ""),
        reason_code="" if state is SmsState.SENT else code,
    )


def _carrier_number(phone: str) -> str:
    """Return the number as the carrier wants it: 11 digits at home, else with country code."""
    if not _E164.fullmatch(phone):
        raise ValueError("A phone number is + and 6 to 15 digits.")
    return phone.removeprefix(_MAINLAND) if phone.startswith(_MAINLAND) else phone[1:]


@cache
def _tls_context() -> ssl.SSLContext:
    """Return the verifying TLS context; reading the certificates is slow, so it is done once."""
    return httpx.create_ssl_context()


def _unknown(reason: str) -> SmsAnswer:
    return SmsAnswer(state=SmsState.UNKNOWN, reason=reason, reason_code="NO_ANSWER")
