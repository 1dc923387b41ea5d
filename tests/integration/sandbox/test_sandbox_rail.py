"""The bank's newer methods, spoken by our client and by the vendor's own, unchanged."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import rsa
from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayTradePagePayModel import AlipayTradePagePayModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.request.AlipayTradePagePayRequest import AlipayTradePagePayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content, verify_with_rsa
from cryptography.hazmat.primitives import serialization

from loans.adapters.alipay_wire import UnknownFieldError, signed_parameters
from loans.adapters.bank import BankClient
from loans.adapters.bank_words import (
    BankState,
    BillNotReadyError,
    CashierOrder,
    InvalidNoticeError,
    RefundOrder,
    UnableToFetchBillError,
    UnableToReuseReferenceError,
)
from tests.integration.sandbox.sandbox_world import World, eventually, web
from zhixin.sandbox import clock
from zhixin.shared.money import Money
from zhixin.shared.signing import (
    InvalidSignatureError,
    canonical_string,
    load_private_key,
    load_public_key,
    verify_text,
)

RETURN = "http://127.0.0.1:9/back"


def order(world: World, reference: str = "C1", amount: str = "300.00", **more: Any) -> CashierOrder:
    values: dict[str, Any] = {
        "client_reference": reference,
        "amount": Money.parse(amount),
        "title": "智信还款",
        "expires_at": clock.now() + timedelta(minutes=30),
        "on_a_phone": False,
        "return_url": RETURN,
        "notify_url": world.lender.url,
    }
    return CashierOrder(**(values | more))


def open_cashier(world: World, **more: Any) -> httpx.Response:
    return web().get(world.client().cashier_address(order(world, **more)))


def cashier_of(world: World, **more: Any) -> str:
    answer = open_cashier(world, **more)
    assert answer.status_code == 303, answer.text
    return f"{world.bank.url}{answer.headers['Location']}"


def pay(world: World, **more: Any) -> httpx.Response:
    return web().post(cashier_of(world, **more), data={"choice": "pay", "payer": "2088"})


def state_of(world: World, reference: str = "C1") -> BankState:
    return world.client().query(reference, "DEBIT").state


def test_a_trade_is_known_once_opened_and_paid_once(world: World) -> None:
    assert state_of(world) is BankState.NOT_FOUND
    cashier = cashier_of(world)
    assert cashier_of(world) == cashier
    assert state_of(world) is BankState.ACCEPTED
    answer = web().post(cashier, data={"choice": "pay", "payer": "2088"})
    notice = eventually(lambda: world.lender.notices)[0]
    assert state_of(world) is BankState.SUCCEEDED
    assert notice.amount == Money.parse("300.00")
    assert notice.raw["seller_id"] == "2088102100000001"
    query = urlsplit(answer.headers["Location"]).query
    assert answer.headers["Location"].startswith(f"{RETURN}?")
    assert world.client().parse_return(query.encode()) == "C1"
    with pytest.raises(InvalidNoticeError):
        world.client().parse_return(query.replace("300.00", "3.00").encode())
    with pytest.raises(InvalidNoticeError, match="another seller"):
        world.client(seller_id="2088000000000000").parse_return(query.encode())
    with pytest.raises(InvalidNoticeError, match="another seller"):
        world.client(seller_id="2088000000000000").parse_notice(notice.raw)
    again = web().post(cashier, data={"choice": "pay", "payer": "2088"})
    assert again.status_code == 303
    assert world.book()["balances"]["2088"] == 50_000_00 - 300_00


def test_closing_ends_an_unpaid_trade_only(world: World) -> None:
    client = world.client()
    assert client.close_trade("C1").state is BankState.NOT_FOUND
    cashier = cashier_of(world)
    assert client.close_trade("C1").state is BankState.FAILED
    assert client.close_trade("C1").state is BankState.UNKNOWN
    assert state_of(world) is BankState.FAILED
    web().post(cashier, data={"choice": "pay"})
    assert state_of(world) is BankState.FAILED
    pay(world, reference="C2")
    assert client.close_trade("C2").state is BankState.UNKNOWN
    assert state_of(world, "C2") is BankState.SUCCEEDED


def test_what_has_run_out_cannot_be_paid(world: World) -> None:
    soon = clock.now() + timedelta(seconds=1)
    cashier = cashier_of(world, expires_at=soon)
    eventually(lambda: state_of(world) is BankState.FAILED)
    web().post(cashier, data={"choice": "pay"})
    assert state_of(world) is BankState.FAILED
    late = open_cashier(world, reference="C2", expires_at=clock.now() - timedelta(seconds=2))
    assert late.status_code == 400
    assert state_of(world, "C2") is BankState.NOT_FOUND


@pytest.mark.parametrize("name", ["return_url", "notify_url"])
def test_payers_and_notices_go_to_known_hosts_only(closed_world: World, name: str) -> None:
    answer = open_cashier(closed_world, **{name: "https://evil.example/take"})
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert closed_world.book()["orders"] == []


def test_an_altered_address_opens_nothing(closed_world: World) -> None:
    address = closed_world.client().cashier_address(order(closed_world))
    assert web().get(address.replace("300.00", "3.00")).status_code == 400
    assert closed_world.book()["orders"] == []


def test_another_amount_under_the_same_id_is_refused(world: World) -> None:
    cashier_of(world)
    answer = open_cashier(world, amount="301.00")
    assert answer.status_code == 400
    assert "ACQ.CONTEXT_INCONSISTENT" in answer.text


def refund(client: BankClient, number: str, amount: str) -> BankState:
    return client.send_refund(
        RefundOrder(
            client_reference=number,
            payment_reference="C1",
            amount=Money.parse(amount),
            title="refund",
        )
    ).state


def test_refunds_are_idempotent_partial_and_never_above_what_was_paid(world: World) -> None:
    client = world.client()
    cashier_of(world)
    assert refund(client, "R1", "1.00") is BankState.FAILED
    pay(world)
    assert refund(client, "R1", "100.00") is BankState.ACCEPTED
    assert refund(client, "R1", "100.00") is BankState.ACCEPTED
    with pytest.raises(UnableToReuseReferenceError):
        refund(client, "R1", "99.00")
    assert refund(client, "R2", "200.01") is BankState.FAILED
    assert refund(client, "R3", "200.00") is BankState.ACCEPTED
    done = client.query_refund("R1", payment_reference="C1")
    assert (done.state, done.amount) == (BankState.SUCCEEDED, Money.parse("100.00"))
    assert client.query_refund("R2", payment_reference="C1").state is BankState.NOT_FOUND
    assert state_of(world) is BankState.SUCCEEDED
    assert world.book()["balances"]["2088"] == 50_000_00


def test_a_killed_bank_keeps_cashiers_payments_and_refunds(world: World) -> None:
    waiting = cashier_of(world, reference="C2")
    pay(world)
    refund(world.client(), "R1", "100.00")
    before = world.book()
    world.bank.kill()
    world.bank.start(port=world.bank.port)
    after = world.book()
    assert after["balances"] == before["balances"]
    assert [row["state"] for row in after["orders"]] == ["WAITING", "SUCCEEDED"]
    assert world.client().query_refund("R1", payment_reference="C1").state is BankState.SUCCEEDED
    web().post(waiting, data={"choice": "pay", "payer": "2088"})
    assert state_of(world, "C2") is BankState.SUCCEEDED


def test_a_bill_is_there_when_its_day_is_over_and_its_address_is_the_banks(world: World) -> None:
    pay(world)
    today = eventually(lambda: world.lender.notices)[0].value_date
    assert today is not None
    with pytest.raises(BillNotReadyError):
        world.client().fetch_bills(today)
    world.bank.control("bills", {"ready_through": today.isoformat()})
    assert world.client().fetch_bills(today).trade.startswith(b"PK")
    world.bank.fault("wrong_answer_signature")
    with pytest.raises(UnableToFetchBillError):
        world.client().fetch_bills(today)
    proxy = world.bank.url.replace("127.0.0.1", "localhost") + "/gateway.do"
    with pytest.raises(UnableToFetchBillError, match="not its own"):
        world.client(gateway_url=proxy).fetch_bills(today)
    assert web().get(f"{world.bank.url}/bill?token=guess").status_code == 404


def test_a_field_that_the_vendor_does_not_know_is_never_sent(world: World) -> None:
    client = world.client()
    with pytest.raises(UnknownFieldError):
        signed_parameters(
            "alipay.trade.close",
            {"out_trade_no": "1", "out_trade_number": "1"},
            sender=client._sender,
            at=clock.now(),
        )


@pytest.fixture
def vendor(world: World) -> Callable[[], DefaultAlipayClient]:
    """The vendor's own client, signing with our keys."""
    key = load_private_key(world.keys.lender_private)
    config = AlipayClientConfig()
    config.app_id = "zhixin"
    config.server_url = f"{world.bank.url}/gateway.do"
    config.app_private_key = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    config.alipay_public_key = world.keys.bank_public.read_text()
    return lambda: DefaultAlipayClient(config)


def test_the_vendors_client_and_our_bank_understand_each_other(
    world: World, vendor: Callable[[], DefaultAlipayClient]
) -> None:
    world.bank.kill()
    world.bank.arguments.append("--nonce-optional")
    world.bank.start(port=world.bank.port)
    content = {
        "out_trade_no": "V1",
        "total_amount": "12.34",
        "subject": "智信还款",
        "product_code": "FAST_INSTANT_TRADE_PAY",
    }
    request = AlipayTradePagePayRequest(biz_model=AlipayTradePagePayModel.from_alipay_dict(content))
    address = vendor().page_execute(request, http_method="GET")
    answer = web().get(address)
    assert answer.status_code == 303, answer.text
    web().post(f"{world.bank.url}{answer.headers['Location']}", data={"choice": "pay"})
    question = AlipayTradeQueryRequest(
        biz_model=AlipayTradeQueryModel.from_alipay_dict({"out_trade_no": "V1"})
    )
    text = vendor().sdk_execute(question)
    body = web().post(f"{world.bank.url}/gateway.do", data=dict(parse_qsl(text))).text
    node = body[len('{"alipay_trade_query_response":') : body.rindex(',"sign"')]
    assert json.loads(node)["trade_status"] == "TRADE_SUCCESS"
    # The vendor's code finds the bank's signature right; and ours finds the vendor's right.
    signature = json.loads(body)["sign"]
    public = world.keys.bank_public.read_text()
    assert verify_with_rsa(public, node.encode(), signature)
    parameters = dict(parse_qsl(text))
    del parameters["sign"]
    assert get_sign_content(parameters) == canonical_string(parameters)


def test_why_the_vendors_client_is_not_trusted_with_signatures(world: World) -> None:
    """It takes any digest: a signature over MD5 counts for it, and never for us."""
    key = load_private_key(world.keys.bank_private).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    weak = base64.b64encode(rsa.sign(b"{}", rsa.PrivateKey.load_pkcs1(key), "MD5")).decode()
    assert verify_with_rsa(world.keys.bank_public.read_text(), b"{}", weak)
    with pytest.raises(InvalidSignatureError):
        verify_text("{}", signature=weak, public_key=load_public_key(world.keys.bank_public))
