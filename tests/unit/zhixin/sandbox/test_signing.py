"""Signatures: published vectors, every alteration, every replay."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from zhixin.shared.signing import (
    NOTICE_LEAVES_OUT,
    InvalidKeyError,
    InvalidSignatureError,
    KeyPair,
    ReplayedRequestError,
    ReplayGuard,
    StaleRequestError,
    answer_node,
    canonical_string,
    generate_key_pair,
    load_private_key,
    load_public_key,
    parse_timestamp,
    read_signed_answer,
    rpc_signature,
    sign_parameters,
    sign_text,
    signed_answer,
    timestamp_text,
    verify_parameters,
    verify_text,
)

NOON = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return generate_key_pair()


@pytest.fixture(scope="module")
def other_pair() -> KeyPair:
    return generate_key_pair()


def test_the_canonical_string_is_sorted_and_leaves_out_empty_values_and_the_signature() -> None:
    parameters = {
        "version": "1.0",
        "biz_content": '{"out_biz_no":"1&2=3"}',
        "app_id": "2014072300007148",
        "notify_url": "",
        "sign_type": "RSA2",
        "sign": "abc",
    }

    assert canonical_string(parameters) == (
        'app_id=2014072300007148&biz_content={"out_biz_no":"1&2=3"}&sign_type=RSA2&version=1.0'
    )
    assert canonical_string(parameters, leaving_out=NOTICE_LEAVES_OUT) == (
        'app_id=2014072300007148&biz_content={"out_biz_no":"1&2=3"}&version=1.0'
    )


def test_the_signature_of_the_carrier_is_the_published_example() -> None:
    # Alibaba Cloud, SMS, "HTTP 协议及签名" (Dysmsapi 2017-05-25): its worked example.
    parameters = {
        "AccessKeyId": "testId",
        "Action": "SendSms",
        "Format": "XML",
        "OutId": "123",
        "PhoneNumbers": "15300000001",
        "RegionId": "cn-hangzhou",
        "SignName": "阿里云短信测试专用",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466",
        "SignatureVersion": "1.0",
        "TemplateCode": "SMS_71390007",
        "TemplateParam": '{"customer":"test"}',
        "Timestamp": "2017-07-12T02:42:19Z",
        "Version": "2017-05-25",
    }

    signature = rpc_signature(
        http_method="GET", parameters=parameters, access_key_secret="testSecret"
    )
    again = rpc_signature(
        http_method="GET",
        parameters=parameters | {"Signature": signature},
        access_key_secret="testSecret",
    )

    assert signature == "zJDF+Lrzhj/ThnlvIToysFRq6t4="
    assert again == signature


def test_a_signed_text_is_believed_and_no_other(pair: KeyPair, other_pair: KeyPair) -> None:
    signature = sign_text("转账 12000.00", private_key=load_private_key(pair.private_pem))
    public_key = load_public_key(pair.public_pem)

    verify_text("转账 12000.00", signature=signature, public_key=public_key)
    for text, claimed, key in [
        ("转账 12000.01", signature, public_key),
        ("转账 12000.00", signature[:-4] + "AAA=", public_key),
        ("转账 12000.00", "", public_key),
        ("转账 12000.00", "no base64!", public_key),
        ("转账 12000.00", signature, load_public_key(other_pair.public_pem)),
    ]:
        with pytest.raises(InvalidSignatureError):
            verify_text(text, signature=claimed, public_key=key)


def test_any_change_of_a_parameter_is_noticed(pair: KeyPair) -> None:
    public_key = load_public_key(pair.public_pem)
    signed = sign_parameters(
        {"app_id": "7", "method": "m", "nonce": "n", "sign": "stale"},
        private_key=load_private_key(pair.private_pem),
    )

    verify_parameters(signed, public_key=public_key)
    for name in signed:
        with pytest.raises(InvalidSignatureError):
            verify_parameters(signed | {name: "x"}, public_key=public_key)
        with pytest.raises(InvalidSignatureError):
            verify_parameters(
                {key: value for key, value in signed.items() if key != name},
                public_key=public_key,
            )
    with pytest.raises(InvalidSignatureError):
        verify_parameters(signed | {"added": "1"}, public_key=public_key)


def test_an_answer_is_read_from_the_text_that_was_signed(pair: KeyPair) -> None:
    private_key, public_key = load_private_key(pair.private_pem), load_public_key(pair.public_pem)
    node = answer_node("alipay.trade.query")
    text = signed_answer(node, {"code": "10000", "text": '"sign":"王'}, private_key=private_key)
    signature = sign_text('{"amount": 0.10}', private_key=private_key)
    body = f'{{"n": {{"amount": 0.10}} , "sign": "{signature}"}}'

    assert read_signed_answer(text, nodes=(node,), public_key=public_key) == {
        "code": "10000",
        "text": '"sign":"王',
    }
    assert read_signed_answer(body, nodes=("n",), public_key=public_key) == {
        "amount": Decimal("0.10")
    }


def test_an_answer_that_is_altered_or_no_answer_is_not_believed(pair: KeyPair) -> None:
    public_key = load_public_key(pair.public_pem)
    node = "alipay_trade_query_response"
    good = signed_answer(node, {"code": "10000"}, private_key=load_private_key(pair.private_pem))
    unsigned = json.dumps({node: {"code": "10000"}})

    for body in [
        good.replace("10000", "10001"),
        good.replace('"sign":"', '"sign":"A'),
        good.replace(node, "another_node"),
        f'{{"{node}":{{"code":"40004"}},{good[1:]}',
        unsigned,
        f'{{"{node}":"text","sign":"x"}}',
        f'{{"{node}":{{"code":"10000"}},"sign":7}}',
        f'"{node}":{{}}',
        f'{{"{node}":' + "[" * 100_000,
        "",
        "<html>",
    ]:
        with pytest.raises(InvalidSignatureError):
            read_signed_answer(body, nodes=(node, "error_response"), public_key=public_key)


def test_a_nonce_is_taken_once_within_the_window() -> None:
    guard = ReplayGuard(window=timedelta(minutes=15))
    guard.check(timestamp=NOON, nonce="a", at=NOON)
    guard.check(timestamp=NOON, nonce="b", at=NOON)

    with pytest.raises(ReplayedRequestError):
        guard.check(timestamp=NOON, nonce="a", at=NOON + timedelta(minutes=15))
    with pytest.raises(ReplayedRequestError):
        guard.check(timestamp=NOON, nonce="", at=NOON)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_request_that_is_too_old_or_from_the_future_is_refused(minutes: int) -> None:
    guard = ReplayGuard(window=timedelta(minutes=15))

    with pytest.raises(StaleRequestError):
        guard.check(timestamp=NOON + timedelta(minutes=minutes), nonce="a", at=NOON)
    guard.check(timestamp=NOON, nonce="a", at=NOON)


def test_what_is_remembered_is_forgotten_once_its_timestamp_is_stale() -> None:
    guard = ReplayGuard(window=timedelta(minutes=15))
    guard.check(timestamp=NOON, nonce="a", at=NOON)
    later = NOON + timedelta(minutes=16)
    guard.check(timestamp=later, nonce="b", at=later)

    assert list(guard._seen) == ["b"]
    with pytest.raises(StaleRequestError):
        guard.check(timestamp=NOON, nonce="a", at=later)


def test_a_timestamp_is_chinas_wall_clock() -> None:
    assert timestamp_text(NOON) == "2026-05-04 12:00:00"
    assert parse_timestamp("2026-05-04 12:00:00") == NOON
    with pytest.raises(StaleRequestError):
        parse_timestamp("2026-05-04T12:00:00Z")


def test_what_is_no_key_is_refused_without_showing_it(pair: KeyPair) -> None:
    assert pair.private_pem not in repr(pair)
    for text in ["", "/nowhere/key.pem", "-----BEGIN PRIVATE KEY-----\nsecret", pair.public_pem]:
        with pytest.raises(InvalidKeyError) as caught:
            load_private_key(text)
        assert "secret" not in str(caught.value)
    with pytest.raises(InvalidKeyError):
        load_public_key(pair.private_pem)


def test_a_key_may_stand_on_one_line_of_the_environment(pair: KeyPair) -> None:
    one_line = pair.private_pem.replace("\n", "\\n")

    loaded = load_private_key(one_line)
    text = sign_text("x", private_key=loaded)
    verify_text("x", signature=text, public_key=load_public_key(pair.public_pem))
