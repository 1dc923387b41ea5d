"""The product's SMS client against the sandbox carrier, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from accounts.adapters.sms import SmsAnswer, SmsClient, SmsError, SmsState
from tests.integration.sandbox.sandbox_world import SandboxProcess, web
from zhixin.sandbox import clock
from zhixin.shared.signing import rpc_signature


@pytest.fixture(scope="module")
def running_carrier() -> Iterator[SandboxProcess]:
    carrier = SandboxProcess(
        "zhixin.sandbox.sms",
        ["--allow-faults"],
        environment={"SMS_ACCESS_KEY_ID": "testId", "SMS_ACCESS_KEY_SECRET": "testSecret"},
    )
    try:
        carrier.start()
        yield carrier
    finally:
        carrier.kill()


@pytest.fixture
def carrier(running_carrier: SandboxProcess) -> SandboxProcess:
    assert running_carrier.control("faults") == []
    return running_carrier


def client(carrier: SandboxProcess, **changes: Any) -> SmsClient:
    values: dict[str, Any] = {
        "gateway_url": carrier.url,
        "access_key_id": "testId",
        "access_key_secret": "testSecret",
        "sign_name": "智信",
        "timeout": httpx.Timeout(3),
        "now": clock.now,
    }
    return SmsClient(**(values | changes))


def carried(carrier: SandboxProcess, out_id: str) -> list[dict[str, Any]]:
    return [row for row in carrier.control("messages") if row["out_id"] == out_id]


def send(carrier: SandboxProcess, out_id: str, **changes: Any) -> SmsAnswer:
    return client(carrier, **changes).send(
        "+8613800138000", "SMS_10001", {"code": "047 291", "name": "王 *~+"}, out_id
    )


def test_a_message_is_carried_as_it_was_written(carrier: SandboxProcess) -> None:
    answer = send(carrier, "plain")

    assert answer.state is SmsState.SENT
    assert answer.reason == ""
    (message,) = carried(carrier, "plain")
    assert message["biz_id"] == answer.carrier_reference
    assert message["phone_number"] == "13800138000"
    assert message["sign_name"] == "智信"
    assert message["template_code"] == "SMS_10001"
    assert message["template_param"] == {"code": "047 291", "name": "王 *~+"}


def test_a_finished_text_is_carried_or_complained_about(carrier: SandboxProcess) -> None:
    text = "智信：您的验证码是 047291。"
    message = {"reference": "text", "phone": "+8613800138000", "text": text}

    reference = client(carrier).send_text(**message)
    carrier.fault("throttle")
    with pytest.raises(SmsError, match=r"THROTTLED: isv\.BUSINESS_LIMIT_CONTROL") as caught:
        client(carrier).send_text(**message)

    assert caught.value.answer.state is SmsState.THROTTLED
    (row,) = carried(carrier, "text")
    assert row["biz_id"] == reference
    assert row["template_param"] == {"text": text}


def test_a_number_abroad_keeps_its_country_code(carrier: SandboxProcess) -> None:
    client(carrier).send("+85291234567", "SMS_10001", {}, "abroad")

    assert carried(carrier, "abroad")[0]["phone_number"] == "85291234567"


@pytest.mark.parametrize("phone", ["13800138000", "+86", "+0123456789", "+8613800138000,+8613"])
def test_what_is_no_number_is_never_sent(carrier: SandboxProcess, phone: str) -> None:
    with pytest.raises(ValueError, match="phone number"):
        client(carrier).send(phone, "SMS_10001", {}, "never")
    assert carried(carrier, "never") == []


def test_a_timeout_is_unknown_though_the_message_was_carried(carrier: SandboxProcess) -> None:
    carrier.fault("timeout_after_success")
    answer = send(carrier, "slow", timeout=httpx.Timeout(0.2))

    assert answer.state is SmsState.UNKNOWN
    assert len(carried(carrier, "slow")) == 1


def test_throttling_says_try_later(carrier: SandboxProcess) -> None:
    carrier.fault("throttle")
    answer = send(carrier, "throttled")

    assert answer.state is SmsState.THROTTLED
    assert answer.reason_code == "isv.BUSINESS_LIMIT_CONTROL"
    assert carried(carrier, "throttled") == []


def test_a_refused_number_is_not_tried_again(carrier: SandboxProcess) -> None:
    carrier.fault("refuse_number")
    answer = send(carrier, "refused")

    assert (answer.state, answer.reason_code) == (SmsState.REFUSED, "isv.MOBILE_NUMBER_ILLEGAL")
    assert carried(carrier, "refused") == []


def test_a_server_error_and_a_missing_carrier_are_unknown(carrier: SandboxProcess) -> None:
    carrier.fault("server_error")

    assert send(carrier, "error").state is SmsState.UNKNOWN
    assert send(carrier, "error", gateway_url="http://127.0.0.1:1/").state is SmsState.UNKNOWN
    assert carried(carrier, "error") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"access_key_secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "nobody"}, "InvalidAccessKeyId.NotFound"),
        ({"sign_name": ""}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"now": lambda: clock.now() - timedelta(hours=1)}, "InvalidTimeStamp.Expired"),
    ],
)
def test_what_the_carrier_refuses_is_not_carried(
    carrier: SandboxProcess, changes: dict[str, Any], code: str
) -> None:
    answer = send(carrier, "bad", **changes)

    assert (answer.state, answer.reason_code) == (SmsState.REFUSED, code)
    assert carried(carrier, "bad") == []


def test_the_carrier_can_be_told_to_find_a_signature_wrong(carrier: SandboxProcess) -> None:
    carrier.fault("wrong_signature")

    assert send(carrier, "unsigned").reason_code == "SignatureDoesNotMatch"
    assert carried(carrier, "unsigned") == []


def test_a_replayed_or_altered_message_is_refused(carrier: SandboxProcess) -> None:
    parameters = {
        "AccessKeyId": "testId",
        "Action": "SendSms",
        "Format": "JSON",
        "OutId": "replay",
        "PhoneNumbers": "13800138000",
        "SignName": "智信",
        "SignatureNonce": "once",
        "TemplateCode": "SMS_10001",
        "Timestamp": f"{clock.now():%Y-%m-%dT%H:%M:%SZ}",
        "Version": "2017-05-25",
    }
    parameters["Signature"] = rpc_signature(
        http_method="GET", parameters=parameters, access_key_secret="testSecret"
    )
    codes = [
        web().get(f"{carrier.url}/", params=sent).json()["Code"]
        for sent in (parameters | {"OutId": "altered"}, parameters, parameters)
    ]

    assert codes == ["SignatureDoesNotMatch", "OK", "SignatureNonceUsed"]
    assert len(carried(carrier, "replay")) == 1
    assert carried(carrier, "altered") == []


def test_people_can_read_what_was_carried(carrier: SandboxProcess) -> None:
    client(carrier).send("+8613800138000", "SMS_10001", {"note": "<b>"}, "page")
    page = web().get(f"{carrier.url}/messages").text

    assert "note: &lt;b&gt;" in page
