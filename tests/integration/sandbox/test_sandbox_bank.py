"""The product's client against the sandbox bank, over real sockets between real processes."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from loans.adapters.bank_words import (
    BankAnswer,
    BankDirection,
    BankState,
    DebitOrder,
    InvalidNoticeError,
    PayoutOrder,
    UnableToReuseReferenceError,
)
from tests.integration.sandbox.sandbox_world import PROJECT, World, eventually, web
from zhixin.sandbox import clock
from zhixin.shared.money import Money
from zhixin.shared.signing import load_private_key, sign_parameters, timestamp_text

CARD = "6222021234567890128"
LENDER_OPENING = 100_000_000_00
CARD_OPENING = 50_000_00


def payout(reference: str = "P1", amount: str = "12000.00", **changes: Any) -> PayoutOrder:
    values: dict[str, Any] = {
        "client_reference": reference,
        "amount": Money.parse(amount),
        "card_number": CARD,
        "account_name": "王小明",
        "title": "智信 loan payout",
    }
    return PayoutOrder(**(values | changes))


def debit(reference: str = "D1", amount: str = "1033.33") -> DebitOrder:
    return DebitOrder(
        client_reference=reference,
        amount=Money.parse(amount),
        card_number=CARD,
        account_name="王小明",
        title="智信 repayment",
    )


def call(world: World, parameters: dict[str, str]) -> dict[str, Any]:
    """Return the bank's answer to hand-made parameters, without its envelope."""
    envelope = web().post(f"{world.bank.url}/gateway.do", data=parameters).json()
    return next(value for key, value in envelope.items() if key != "sign")


def signed(world: World, **changes: str) -> dict[str, str]:
    """Return a well-signed request for a payout of 100.00, with parameters changed before."""
    parameters = {
        "app_id": "zhixin",
        "method": "alipay.fund.trans.uni.transfer",
        "format": "JSON",
        "charset": "utf-8",
        "version": "1.0",
        "timestamp": timestamp_text(clock.now()),
        "nonce": secrets.token_hex(8),
        "biz_content": json.dumps(
            {
                "out_biz_no": "RAW1",
                "trans_amount": "100.00",
                "product_code": "TRANS_BANKCARD_NO_PWD",
                "biz_scene": "DIRECT_TRANSFER",
                "payee_info": {"identity_type": "BANKCARD_ACCOUNT", "identity": CARD},
            }
        ),
    }
    key = load_private_key(world.keys.lender_private)
    return sign_parameters(parameters | changes, private_key=key)


def settled(world: World, reference: str, direction: BankDirection) -> BankAnswer:
    """Return the bank's answer once it is final."""
    client = world.client()

    def look() -> BankAnswer | None:
        answer = client.query(reference, direction)
        return answer if answer.state is not BankState.ACCEPTED else None

    return eventually(look)  # type: ignore[return-value]  # It waits until there is one.


def test_a_payout_is_accepted_then_done_and_told_once(world: World) -> None:
    answer = world.client().send_payout(payout())
    notice = eventually(lambda: world.lender.notices)[0]

    assert answer.state is BankState.ACCEPTED
    assert notice.outcome is BankState.SUCCEEDED
    assert notice.direction is BankDirection.PAYOUT
    assert notice.client_reference == "P1"
    assert notice.bank_reference == answer.bank_reference
    assert notice.amount == Money.parse("12000.00")
    assert abs(notice.occurred_at - clock.now()) < timedelta(seconds=10)
    final = world.client().query("P1", "PAYOUT")
    assert final == BankAnswer(
        state=BankState.SUCCEEDED,
        bank_reference=answer.bank_reference,
        amount=Money.parse("12000.00"),
        value_date=notice.occurred_at.date(),
    )
    assert world.book()["balances"] == {
        "lender": LENDER_OPENING - 12_000_00,
        CARD: CARD_OPENING + 12_000_00,
    }
    eventually(lambda: world.order("P1")["notice_state"] == "DELIVERED")
    assert len(world.lender.notices) == 1


def test_a_debit_is_accepted_then_done_and_told_once(world: World) -> None:
    answer = world.client().send_debit(debit())
    notice = eventually(lambda: world.lender.notices)[0]

    assert answer.state is BankState.ACCEPTED
    assert answer.amount == Money.parse("1033.33")
    assert notice.outcome is BankState.SUCCEEDED
    assert notice.direction is BankDirection.DEBIT
    assert notice.amount == Money.parse("1033.33")
    final = world.client().query("D1", BankDirection.DEBIT)
    assert final.state is BankState.SUCCEEDED
    assert final.value_date == notice.occurred_at.date()
    assert world.book()["balances"] == {
        "lender": LENDER_OPENING + 1_033_33,
        CARD: CARD_OPENING - 1_033_33,
    }


def test_a_debit_beyond_the_balance_fails_with_the_reason(world: World) -> None:
    world.client().send_debit(debit(amount="50000.01"))
    notice = eventually(lambda: world.lender.notices)[0]

    assert notice.outcome is BankState.FAILED
    assert notice.reason_code == "ACQ.BUYER_BALANCE_NOT_ENOUGH"
    final = world.client().query("D1", BankDirection.DEBIT)
    assert final.state is BankState.FAILED
    assert final.reason_code == "ACQ.BUYER_BALANCE_NOT_ENOUGH"
    assert final.reason == "The card's balance is not enough."
    assert final.value_date is None
    again = world.client().send_debit(debit(amount="50000.01"))
    assert again.state is BankState.FAILED
    assert world.book()["balances"] == {"lender": LENDER_OPENING, CARD: CARD_OPENING}


def test_a_balance_can_be_set_and_the_whole_of_it_debited(world: World) -> None:
    world.bank.control("balances", {"account": CARD, "amount": "1033.33"})
    world.client().send_debit(debit())

    assert settled(world, "D1", BankDirection.DEBIT).state is BankState.SUCCEEDED
    assert world.book()["balances"][CARD] == 0


def test_the_same_order_sent_at_once_by_many_is_one_order(world: World) -> None:
    answers: list[BankAnswer] = []
    client = world.client()
    threads = [
        threading.Thread(target=lambda: answers.append(client.send_payout(payout())))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({answer.bank_reference for answer in answers}) == 1
    assert settled(world, "P1", BankDirection.PAYOUT).state is BankState.SUCCEEDED
    assert client.send_payout(payout()).state is BankState.SUCCEEDED
    assert len(world.book()["orders"]) == 1
    assert world.book()["balances"][CARD] == CARD_OPENING + 12_000_00


def test_the_same_id_with_another_content_is_refused(world: World) -> None:
    client = world.client()
    client.send_payout(payout())
    client.send_debit(debit())
    settled(world, "P1", BankDirection.PAYOUT)
    settled(world, "D1", BankDirection.DEBIT)
    before = world.book()

    with pytest.raises(UnableToReuseReferenceError, match="PAYMENT_INFO_INCONSISTENCY"):
        client.send_payout(payout(amount="12000.01"))
    with pytest.raises(UnableToReuseReferenceError, match="PAYMENT_INFO_INCONSISTENCY"):
        client.send_payout(payout(card_number="6222021234567890000"))
    with pytest.raises(UnableToReuseReferenceError, match=r"ACQ\.CONTEXT_INCONSISTENT"):
        client.send_debit(debit(amount="1.00"))
    assert world.book()["orders"] == before["orders"]
    assert world.book()["balances"] == before["balances"]


def test_an_unknown_order_is_not_found(world: World) -> None:
    payout_answer = world.client().query("nothing", BankDirection.PAYOUT)
    debit_answer = world.client().query("nothing", BankDirection.DEBIT)

    assert (payout_answer.state, payout_answer.reason_code) == (
        BankState.NOT_FOUND,
        "ORDER_NOT_EXIST",
    )
    assert (debit_answer.state, debit_answer.reason_code) == (
        BankState.NOT_FOUND,
        "ACQ.TRADE_NOT_EXIST",
    )


def test_a_card_number_that_is_none_is_refused(world: World) -> None:
    answer = world.client().send_payout(payout(card_number="not a card"))

    assert answer.state is BankState.FAILED
    assert answer.reason_code == "INVALID_PARAMETER"
    assert world.book()["orders"] == []


# What goes wrong on the way to the bank


def test_a_timeout_after_success_is_unknown_until_it_is_asked(world: World) -> None:
    world.bank.fault("timeout_after_success")
    answer = world.client(timeout=httpx.Timeout(0.3)).send_payout(payout())

    assert answer.state is BankState.UNKNOWN
    assert answer.reason_code == "NO_ANSWER"
    assert settled(world, "P1", BankDirection.PAYOUT).amount == Money.parse("12000.00")
    assert world.client().send_payout(payout()).state is BankState.SUCCEEDED
    assert world.book()["balances"][CARD] == CARD_OPENING + 12_000_00


def test_a_connection_that_closes_without_a_word_is_unknown(world: World) -> None:
    world.bank.fault("timeout_after_success", seconds="0")

    assert world.client().send_payout(payout()).state is BankState.UNKNOWN
    assert settled(world, "P1", BankDirection.PAYOUT).state is BankState.SUCCEEDED


def test_a_server_error_is_unknown_and_nothing_was_ordered(world: World) -> None:
    world.bank.fault("server_error")
    answer = world.client().send_payout(payout())

    assert answer.state is BankState.UNKNOWN
    assert world.client().query("P1", BankDirection.PAYOUT).state is BankState.NOT_FOUND
    assert world.book()["orders"] == []


def test_a_bank_that_is_not_there_is_unknown(world: World) -> None:
    world.bank.kill()

    assert world.client().send_payout(payout()).state is BankState.UNKNOWN
    assert world.client().query("P1", BankDirection.PAYOUT).state is BankState.UNKNOWN


def test_an_answer_with_a_wrong_signature_is_not_believed(world: World) -> None:
    world.bank.fault("wrong_answer_signature")
    answer = world.client().send_payout(payout())

    assert answer.state is BankState.UNKNOWN
    assert answer.reason_code == "UNTRUSTED_ANSWER"
    assert settled(world, "P1", BankDirection.PAYOUT).state is BankState.SUCCEEDED


def test_a_rejected_order_fails_at_once_and_stays_failed(world: World) -> None:
    world.bank.fault("reject", count=2)
    refused_payout = world.client().send_payout(payout())
    refused_debit = world.client().send_debit(debit())

    assert refused_payout.state is BankState.FAILED
    assert refused_payout.reason_code == "PAYEE_CARD_INFO_ERROR"
    assert refused_debit.state is BankState.FAILED
    assert refused_debit.reason_code == "ACQ.PAYMENT_FAIL"
    eventually(lambda: len(world.lender.notices) == 2)
    assert {notice.outcome for notice in world.lender.notices} == {BankState.FAILED}
    assert world.client().send_payout(payout()).state is BankState.FAILED
    assert world.book()["balances"] == {"lender": LENDER_OPENING, CARD: CARD_OPENING}


def test_an_accepted_order_can_fail_later(world: World) -> None:
    world.bank.fault("fail_order")
    answer = world.client().send_payout(payout())
    final = settled(world, "P1", BankDirection.PAYOUT)

    assert answer.state is BankState.ACCEPTED
    assert final.state is BankState.FAILED
    assert final.reason_code == "PAYEE_ACCOUNT_STATUS_ERROR"
    assert world.book()["balances"][CARD] == CARD_OPENING


# What goes wrong on the way back


def test_a_lost_notice_is_healed_by_asking(world: World) -> None:
    world.bank.fault("drop_notice")
    world.client().send_payout(payout())

    assert settled(world, "P1", BankDirection.PAYOUT).state is BankState.SUCCEEDED
    eventually(lambda: world.order("P1")["notice_state"] == "DROPPED")
    assert world.lender.notices == []


def test_a_notice_can_be_late(world: World) -> None:
    world.bank.fault("delay_notice", seconds="0.3")
    world.client().send_payout(payout("P1"))
    eventually(lambda: world.bank.control("faults") == [])
    world.client().send_payout(payout("P2"))

    eventually(lambda: len(world.lender.notices) == 2)
    assert [notice.client_reference for notice in world.lender.notices] == ["P2", "P1"]


def test_what_happens_while_a_notice_is_on_its_way_has_a_notice_of_its_own(world: World) -> None:
    """A payout that comes back while its success is still being told is told of as well."""
    slow = world.bank.arguments.index("--settle-delay") + 1
    world.bank.kill()
    world.bank.arguments[slow] = "0.3"
    world.bank.start()
    returned = threading.Event()
    world.lender.busy = returned.wait
    world.client().send_payout(payout())
    eventually(lambda: len(world.lender.notices) == 1)
    world.bank.control("returns", {"client_reference": "P1"})
    returned.set()

    eventually(lambda: len(world.lender.notices) == 2)
    told = [notice.outcome for notice in world.lender.notices]
    assert told == [BankState.SUCCEEDED, BankState.RETURNED]
    eventually(lambda: world.order("P1")["notice_state"] == "DELIVERED")


def test_a_doubled_notice_carries_the_same_id(world: World) -> None:
    world.bank.fault("double_notice")
    world.client().send_payout(payout())

    eventually(lambda: len(world.lender.notices) == 2)
    first, second = world.lender.notices
    assert first.notice_id == second.notice_id
    assert first.amount == second.amount


def test_two_notices_can_come_in_the_wrong_order(world: World) -> None:
    world.bank.fault("reorder_notices")
    world.client().send_debit(debit("D1"))
    eventually(lambda: world.bank.control("faults") == [])
    world.client().send_debit(debit("D2"))

    eventually(lambda: len(world.lender.notices) == 2)
    assert [notice.client_reference for notice in world.lender.notices] == ["D2", "D1"]


def test_a_notice_with_a_wrong_signature_is_refused_and_comes_again(world: World) -> None:
    world.bank.fault("wrong_signature")
    world.client().send_payout(payout())

    notice = eventually(lambda: world.lender.notices)[0]
    assert world.lender.refused == ["The signature does not match the message."]
    assert notice.amount == Money.parse("12000.00")
    assert len(world.lender.notices) == 1


def test_a_notice_with_a_wrong_amount_shows_it_and_comes_again_right(world: World) -> None:
    world.lender.answers = ["failure"]
    world.bank.fault("wrong_amount")
    world.client().send_debit(debit())

    eventually(lambda: len(world.lender.notices) == 2)
    assert [notice.amount for notice in world.lender.notices] == [
        Money.parse("1034.33"),
        Money.parse("1033.33"),
    ]


def test_a_notice_is_repeated_until_it_is_answered_with_success(world: World) -> None:
    world.lender.answers = ["failure", "", "Success and more"]
    world.client().send_payout(payout())

    eventually(lambda: len(world.lender.notices) == 4)
    eventually(lambda: world.order("P1")["notice_state"] == "DELIVERED")
    assert len({notice.notice_id for notice in world.lender.notices}) == 1


def test_an_altered_notice_is_refused(world: World) -> None:
    world.client().send_payout(payout())
    world.client().send_debit(debit())
    eventually(lambda: len(world.lender.notices) == 2)
    client = world.client()

    for notice in world.lender.notices:
        assert client.parse_notice(notice.raw) == notice
        assert client.parse_notice(urlencode(notice.raw).encode()) == notice
        for name, value in notice.raw.items():
            altered = notice.raw | {name: value.replace("0", "1") if "0" in value else "other"}
            with pytest.raises(InvalidNoticeError):
                client.parse_notice(altered)
        with pytest.raises(InvalidNoticeError):
            client.parse_notice(notice.raw | {"added": "1"})
        with pytest.raises(InvalidNoticeError, match="twice"):
            client.parse_notice(urlencode([*notice.raw.items(), ("app_id", "zhixin")]).encode())
        with pytest.raises(InvalidNoticeError, match="somebody else"):
            world.client(app_id="another").parse_notice(notice.raw)


# Who may speak to the bank


def test_a_replayed_request_is_refused(world: World) -> None:
    parameters = signed(world)

    assert call(world, parameters)["code"] == "10000"
    assert call(world, parameters)["sub_code"] == "isv.replayed-request"
    assert len(world.book()["orders"]) == 1


@pytest.mark.parametrize(
    ("change", "sub_code"),
    [
        ({"biz_content": "{}"}, "isv.invalid-signature"),
        ({"method": "alipay.trade.pay"}, "isv.invalid-signature"),
        ({"nonce": "other"}, "isv.invalid-signature"),
        ({"timestamp": "2026-01-01 00:00:00"}, "isv.invalid-signature"),
        ({"extra": "1"}, "isv.invalid-signature"),
        ({"sign": ""}, "isv.invalid-signature"),
        ({"sign_type": "RSA"}, "isv.invalid-signature"),
        ({"app_id": "another"}, "isv.invalid-app-id"),
    ],
)
def test_an_altered_request_is_refused(
    closed_world: World, change: dict[str, str], sub_code: str
) -> None:
    assert call(closed_world, signed(closed_world) | change)["sub_code"] == sub_code
    assert closed_world.book()["orders"] == []


def test_a_tampered_amount_is_refused(closed_world: World) -> None:
    parameters = signed(closed_world)
    parameters["biz_content"] = parameters["biz_content"].replace("100.00", "900.00")

    assert call(closed_world, parameters)["sub_code"] == "isv.invalid-signature"
    assert closed_world.book()["orders"] == []


@pytest.mark.parametrize(
    ("change", "sub_code"),
    [
        ({"timestamp": "2026-01-01 00:00:00"}, "isv.invalid-timestamp"),
        ({"timestamp": "yesterday"}, "isv.invalid-timestamp"),
        ({"nonce": ""}, "isv.replayed-request"),
        ({"method": "alipay.trade.cancel"}, "isv.invalid-method"),
        ({"biz_content": "no JSON"}, "isv.invalid-parameter"),
        ({"biz_content": "[]"}, "isv.invalid-parameter"),
    ],
)
def test_a_well_signed_request_can_still_be_wrong(
    closed_world: World, change: dict[str, str], sub_code: str
) -> None:
    assert call(closed_world, signed(closed_world, **change))["sub_code"] == sub_code
    assert closed_world.book()["orders"] == []


def test_a_request_signed_by_a_stranger_is_refused_and_unknown(closed_world: World) -> None:
    stranger = load_private_key(closed_world.keys.bank_private)
    answer = closed_world.client(lender_private_key=stranger).send_payout(payout())

    assert answer.state is BankState.UNKNOWN
    assert answer.reason_code == "isv.invalid-signature"
    assert closed_world.book()["orders"] == []


@pytest.mark.parametrize("amount", ["0.00", "-1.00"])
def test_an_amount_that_cannot_be_moved_is_never_sent(closed_world: World, amount: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        closed_world.client().send_payout(payout(amount=amount))
    assert closed_world.book()["orders"] == []


# The process


def test_a_killed_bank_keeps_its_orders_and_goes_on(world: World) -> None:
    world.lender.answers = ["failure"] * 1000
    accepted = world.client().send_payout(payout())
    world.client().send_debit(debit())
    settled(world, "P1", BankDirection.PAYOUT)
    settled(world, "D1", BankDirection.DEBIT)
    before = world.book()
    world.bank.kill()
    with (world.data_dir / "book.jsonl").open("ab") as file:
        file.write(b'{"kind":"order_settled","bank_ref')
    world.lender.notices.clear()
    world.lender.answers.clear()

    world.bank.start(port=world.bank.port)

    after = world.book()
    assert after["balances"] == before["balances"]
    assert [row["bank_reference"] for row in after["orders"]] == [
        row["bank_reference"] for row in before["orders"]
    ]
    for reference in ("P1", "D1"):
        eventually(lambda ref=reference: world.order(ref)["notice_state"] == "DELIVERED")
    assert {notice.client_reference for notice in world.lender.notices} == {"P1", "D1"}
    assert world.client().send_payout(payout()).bank_reference == accepted.bank_reference
    assert len(world.book()["orders"]) == 2


def test_an_order_that_was_not_settled_when_the_bank_was_killed_is_settled_later(
    world: World,
) -> None:
    world.bank.kill()
    world.bank.arguments += ["--settle-delay", "3600"]
    world.bank.start()
    world.client().send_payout(payout())
    world.bank.kill()
    world.bank.arguments += ["--settle-delay", "0"]
    world.bank.start()

    assert settled(world, "P1", BankDirection.PAYOUT).state is BankState.SUCCEEDED
    assert world.book()["balances"][CARD] == CARD_OPENING + 12_000_00


def test_a_book_that_was_altered_stops_the_bank(world: World) -> None:
    world.bank.kill()
    book = world.data_dir / "book.jsonl"
    book.write_bytes(b"not JSON\n" + book.read_bytes())
    done = run_bank(world)

    assert done.returncode == 2
    assert "line 1, is not JSON" in done.stderr


def test_two_banks_never_share_a_book(world: World) -> None:
    done = run_bank(world)

    assert done.returncode == 2
    assert done.stderr == f"Another bank runs on {world.data_dir}.\n"


def test_faults_need_a_loopback_address(world: World) -> None:
    done = run_bank(world, "--host", "0.0.0.0")  # noqa: S104  It is refused.

    assert done.returncode == 2
    assert "--allow-faults needs a loopback --host" in done.stderr


def run_bank(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "zhixin.sandbox.bank", "--port", "0"),
            *(*world.bank.arguments, *arguments),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_bank_knows_nothing_of_the_product() -> None:
    script = (
        "import sys, zhixin.sandbox.bank, zhixin.sandbox.sms;"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'loans', 'accounts', 'risk', 'collections_app', 'education', 'httpx'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_page_lists_accounts_and_orders(world: World) -> None:
    world.client().send_payout(payout("<b>", client_reference="P-page"))
    settled(world, "P-page", BankDirection.PAYOUT)
    page = web().get(f"{world.bank.url}/").text
    foreign = web().get(f"{world.bank.url}/", headers={"Host": "example.org"})

    assert "62,000.00" in page
    assert "P-page" in page
    assert foreign.status_code == 403


def test_controls_are_closed_without_the_flag_and_to_web_pages(world: World) -> None:
    address = f"{world.bank.url}/control/faults"
    wish = {"fault": "drop_notice"}
    assert web().post(address, data=wish).status_code == 415
    assert web().post(address, json=wish, headers={"Host": "evil.cn"}).status_code == 403
    assert web().post(address, json={"fault": "none"}).status_code == 400
    assert world.bank.control("faults") == []
    world.bank.kill()
    world.bank.arguments.remove("--allow-faults")
    world.bank.start()
    address = f"{world.bank.url}/control/faults"
    assert web().post(address, json=wish).status_code == 404
    assert web().get(f"{world.bank.url}/control/book").status_code == 404
