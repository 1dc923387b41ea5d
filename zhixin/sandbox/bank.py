"""The sandbox bank: a process of its own that pays out, debits and sends signed notices.

    python -m zhixin.sandbox.bank --port 8010 --data-dir .data/bank --notify-url URL

Paths: `/gateway.do` (the signed API), `/cashier` (where payers pay), `/bill` (daily bills, for a
short time each), `/` (a page for people), and with `--allow-faults`, for this
machine only, `/control/faults`, `/control/balances`, `/control/returns`, `/control/bills` and
`/control/book`. See docs/bank.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.sandbox.bills import BILL_FAULTS, BillDesk
from zhixin.sandbox.book import (
    Book,
    CorruptBookError,
    LackOfMoneyError,
    Order,
    OrderNotInStateError,
    OrderState,
)
from zhixin.sandbox.cashier import (
    CASHIER_PATH,
    CHOICES,
    DEFAULT_PAYER,
    cashier_page,
    cashier_path,
    refusal_page,
)
from zhixin.sandbox.clock import now
from zhixin.sandbox.faults import Fault, FaultBox
from zhixin.sandbox.gateway import ORDER_METHODS, Gateway, GatewayRules
from zhixin.sandbox.keys import ensure_keys, exclusive_lock
from zhixin.sandbox.notices import NoticeRules, Notifier
from zhixin.sandbox.pages import STYLE, bank_page
from zhixin.sandbox.server import (
    BadRequestError,
    Routes,
    SandboxHandler,
    SandboxServer,
    is_loopback,
    serve,
)
from zhixin.sandbox.trades import PAGE_METHODS, return_address
from zhixin.sandbox.wire import Answer, RefusedError, parse_cents, yuan
from zhixin.shared.signing import answer_node, load_private_key, load_public_key, signed_answer

DEFAULT_APP_ID = "zhixin"
DEFAULT_SELLER_ID = "2088102100000001"
_FAULTS = frozenset(
    {
        "drop_notice",
        "delay_notice",
        "double_notice",
        "reorder_notices",
        "wrong_signature",
        "wrong_amount",
        "timeout_after_success",
        "wrong_answer_signature",
        "server_error",
        "reject",
        "fail_order",
        "return_payout",
        "wrong_return_signature",
        "wrong_answer_amount",
        "bill_not_ready",
        *BILL_FAULTS,
    }
)
# The amounts that answers state.
_AMOUNTS = ("total_amount", "trans_amount", "refund_amount", "refund_fee")
_SILENCE_SECONDS = Decimal(30)
_LONGEST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Bank:
    """Everything a request may need."""

    book: Book
    faults: FaultBox
    gateway: Gateway
    private_key: rsa.RSAPrivateKey
    allows_faults: bool
    app_id: str
    seller_id: str
    bills: BillDesk
    on_news: Callable[[Order], None]


def routes_of(bank: Bank) -> Routes:
    """Return what answers each method and path of this bank."""
    routes: dict[tuple[str, str], Callable[[SandboxHandler], None]] = {
        ("GET", "/"): partial(_show_page, bank),
        ("GET", "/style.css"): lambda handler: handler.answer(STYLE, content_type="text/css"),
        ("GET", "/health"): lambda handler: handler.answer("ok", content_type="text/plain"),
        ("GET", "/gateway.do"): partial(_call_gateway, bank),
        ("POST", "/gateway.do"): partial(_call_gateway, bank),
        ("GET", CASHIER_PATH): partial(_show_cashier, bank),
        ("POST", CASHIER_PATH): partial(_use_cashier, bank),
        ("GET", "/bill"): partial(_download_bill, bank),
    }
    if bank.allows_faults:
        routes |= {
            ("GET", "/control/faults"): partial(_list_faults, bank),
            ("POST", "/control/faults"): partial(_add_fault, bank),
            ("DELETE", "/control/faults"): partial(_clear_faults, bank),
            ("POST", "/control/balances"): partial(_set_balance, bank),
            ("POST", "/control/returns"): partial(_return_payout, bank),
            ("POST", "/control/bills"): partial(_open_bills, bank),
            ("GET", "/control/book"): partial(_list_book, bank),
        }
    return routes


def _call_gateway(bank: Bank, handler: SandboxHandler) -> None:
    parameters = handler.parameters()
    method = parameters.get("method", "")
    if bank.faults.take("server_error"):
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        handler.answer("The bank has a problem.", content_type="text/plain", status=status)
        return
    if method in PAGE_METHODS:
        _open_cashier(bank, handler, parameters)
        return
    content = bank.gateway.handle(parameters, at=now())
    if "total_amount" in content or "trans_amount" in content or "refund_fee" in content:
        content = _with_wrong_amount(bank, content)
    silence = bank.faults.take("timeout_after_success") if method in ORDER_METHODS else None
    if silence:
        _stay_silent(handler, silence)
        return
    text = signed_answer(answer_node(method), content, private_key=bank.private_key)
    if bank.faults.take("wrong_answer_signature"):
        other = signed_answer(answer_node(method), {}, private_key=bank.private_key)
        text = text.rpartition('"sign":')[0] + '"sign":' + other.rpartition('"sign":')[2]
    handler.answer(text, content_type="application/json")


def _with_wrong_amount(bank: Bank, content: Answer) -> Answer:
    """Return the content, stating 1.00 too much when a test has asked for it."""
    if not bank.faults.take("wrong_answer_amount"):
        return content
    return {
        name: yuan(parse_cents(str(value)) + 1_00) if name in _AMOUNTS else value
        for name, value in content.items()
    }


def _open_cashier(bank: Bank, handler: SandboxHandler, parameters: dict[str, str]) -> None:
    """Send the payer's browser to the page of the payment that the lender has signed."""
    try:
        order = bank.gateway.open_cashier(parameters, at=now())
    except RefusedError as error:
        page = refusal_page(str(error.answer["sub_code"]), str(error))
        handler.answer(page, content_type="text/html", status=HTTPStatus.BAD_REQUEST)
        return
    handler.redirect(cashier_path(order))


def _order_at_cashier(bank: Bank, parameters: dict[str, str]) -> Order:
    order = bank.book.find_by_token(parameters.get("token", ""))
    if order is None:
        raise BadRequestError("There is no such cashier.", status=HTTPStatus.NOT_FOUND)
    return bank.book.as_of(order.bank_reference, at=now())


def _show_cashier(bank: Bank, handler: SandboxHandler) -> None:
    order = _order_at_cashier(bank, handler.parameters())
    handler.answer(cashier_page(order, home=_way_back(bank, order)), content_type="text/html")


def _use_cashier(bank: Bank, handler: SandboxHandler) -> None:
    """Do what the payer has chosen: pay, give up, or find that the money does not suffice."""
    parameters = handler.parameters()
    order = _order_at_cashier(bank, parameters)
    choice = parameters.get("choice", "")
    if choice not in CHOICES:
        raise BadRequestError("Choose what to do.")
    if choice != "pay":
        home = _way_back(bank, order)
        handler.answer(cashier_page(order, said=choice, home=home), content_type="text/html")
        return
    payer = parameters.get("payer", "").strip() or DEFAULT_PAYER
    try:
        order = bank.book.pay(order.bank_reference, payer=payer, at=now())
    except LackOfMoneyError:
        page = cashier_page(order, said="short", home=_way_back(bank, order))
        handler.answer(page, content_type="text/html")
        return
    except OrderNotInStateError:
        # Paid twice by a double click, or closed meanwhile: the page says how it stands.
        order = bank.book.as_of(order.bank_reference, at=now())
    else:
        bank.on_news(order)
    handler.redirect(_way_back(bank, order) or cashier_path(order))


def _way_back(bank: Bank, order: Order) -> str:
    """Return the lender's address for the payer; signed once the order is paid."""
    if order.cashier is None or order.state is not OrderState.SUCCEEDED:
        return order.cashier.return_url if order.cashier else ""
    address = return_address(
        order,
        app_id=bank.app_id,
        seller_id=bank.seller_id,
        private_key=bank.private_key,
        at=now(),
    )
    if address and bank.faults.take("wrong_return_signature"):
        return address.replace("sign=", "sign=AAAA", 1)
    return address


def _download_bill(bank: Bank, handler: SandboxHandler) -> None:
    found = bank.bills.content(handler.parameters().get("token", ""), at=now())
    if found is None:
        raise BadRequestError("This address is no longer good.", status=HTTPStatus.NOT_FOUND)
    handler.answer_file(*found)


def _return_payout(bank: Bank, handler: SandboxHandler) -> None:
    wish = handler.control_wish()
    try:
        order = bank.book.return_payout(str(wish["client_reference"]), at=now())
    except OrderNotInStateError as error:
        raise BadRequestError("Only a payout that was done can come back.") from error
    bank.on_news(order)
    handler.answer_json({"bank_reference": order.bank_reference})


def _open_bills(bank: Bank, handler: SandboxHandler) -> None:
    wish = handler.control_wish()
    bank.bills.ready_through = date.fromisoformat(str(wish["ready_through"]))
    handler.answer_json({"ready_through": str(bank.bills.ready_through)})


def _stay_silent(handler: SandboxHandler, fault: Fault) -> None:
    """Hold the connection open without a word, then close it."""
    seconds = _SILENCE_SECONDS if fault.seconds is None else fault.seconds
    time.sleep(int(seconds * 1000) / 1000)
    handler.close_connection = True


def _show_page(bank: Bank, handler: SandboxHandler) -> None:
    handler.require_loopback()
    handler.answer(bank_page(bank.book), content_type="text/html")


def _list_faults(bank: Bank, handler: SandboxHandler) -> None:
    handler.require_loopback()
    handler.answer_json(bank.faults.waiting())


def _add_fault(bank: Bank, handler: SandboxHandler) -> None:
    bank.faults.add(handler.control_wish())
    handler.answer_json(bank.faults.waiting())


def _clear_faults(bank: Bank, handler: SandboxHandler) -> None:
    handler.require_loopback()
    bank.faults.clear()
    handler.answer_json(bank.faults.waiting())


def _set_balance(bank: Bank, handler: SandboxHandler) -> None:
    wish = handler.control_wish()
    bank.book.set_balance(str(wish["account"]), cents=parse_cents(str(wish["amount"])))
    handler.answer_json(bank.book.balances())


def _list_book(bank: Bank, handler: SandboxHandler) -> None:
    handler.require_loopback()
    orders = [
        {
            "direction": order.instruction.direction,
            "client_reference": order.instruction.client_reference,
            "bank_reference": order.bank_reference,
            "card_number": order.instruction.card_number,
            "cents": order.instruction.cents,
            "state": order.state,
            "notice_state": order.notice_state,
            "payer": order.payer,
            "refunded_cents": order.refunded_cents,
            "reason_code": order.refusal.code if order.refusal else "",
        }
        for order in bank.book.orders()
    ]
    handler.answer_json({"balances": bank.book.balances(), "orders": orders})


def _seconds(text: str) -> Decimal:
    try:
        seconds = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError("not a number of seconds") from error
    if not 0 <= seconds <= _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError("must be 0 to 3600 seconds")
    return seconds


def _rate(text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError("not a rate") from error
    if not 0 <= rate < 1:
        raise argparse.ArgumentTypeError("must be 0 or more and below 1")
    return rate


def _cents(text: str) -> int:
    try:
        return parse_cents(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zhixin.sandbox.bank", description="The sandbox bank (docs/bank.md)."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, required=True, help="port to listen on; 0 picks a free one")
    add("--data-dir", type=Path, required=True, help="where book and keys lie")
    add("--notify-url", required=True, help="where notices are sent")
    add("--app-id", default=DEFAULT_APP_ID, help="the lender's id at the bank")
    add("--seller-id", default=DEFAULT_SELLER_ID, help="the lender's account at the bank")
    add("--known-host", action="append", default=[], help="a host payers and notices may go to")
    add("--fee-rate", type=_rate, default="0", help="of a payment, such as 0.006")
    add("--opening-balance", type=_cents, default="50000.00", help="of a new card")
    add("--lender-balance", type=_cents, default="100000000.00", help="of the lender")
    add("--settle-delay", type=_seconds, default="0.3", help="seconds until an order is settled")
    add("--retry-base", type=_seconds, default="1", help="seconds to the second notice; doubles")
    add("--nonce-optional", action="store_true", help="accept requests without a nonce")
    add("--allow-faults", action="store_true", help="tests may order faults (loopback only)")
    return parser


def build(options: argparse.Namespace) -> SandboxServer:
    """Return the server for parsed options, listening already."""
    keys = ensure_keys(options.data_dir)
    private_key = load_private_key(keys.bank_private)
    book = Book(
        options.data_dir / "book.jsonl",
        opening_cents=options.opening_balance,
        lender_cents=options.lender_balance,
    )
    faults = FaultBox(_FAULTS)
    notifier = Notifier(
        book=book,
        faults=faults,
        rules=NoticeRules(
            url=options.notify_url,
            app_id=options.app_id,
            seller_id=options.seller_id,
            bank_private_key=private_key,
            settle_delay=options.settle_delay,
            retry_base=options.retry_base,
        ),
    )
    rules = GatewayRules(
        app_id=options.app_id,
        lender_public_key=load_public_key(keys.lender_public),
        seller_id=options.seller_id,
        nonce_required=not options.nonce_optional,
        known_hosts=frozenset({*options.known_host, urlsplit(options.notify_url).hostname or ""}),
    )
    address: list[str] = []
    bills = BillDesk(
        book=book,
        faults=faults,
        seller_id=options.seller_id,
        fee_rate=options.fee_rate,
        url=lambda: address[0],
    )
    gateway = Gateway(book=book, faults=faults, rules=rules, on_news=notifier.follow, bills=bills)
    bank = Bank(
        book=book,
        faults=faults,
        gateway=gateway,
        private_key=private_key,
        allows_faults=options.allow_faults,
        app_id=options.app_id,
        seller_id=options.seller_id,
        bills=bills,
        on_news=notifier.follow,
    )
    server = SandboxServer((options.host, options.port), routes_of(bank))
    address.append(f"http://{options.host}:{server.server_address[1]}")
    notifier.resume()
    return server


def main(arguments: list[str] | None = None) -> int:
    """Run the bank; one line on stderr and exit code 2 when it cannot start."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.allow_faults and not is_loopback(options.host):
        parser.error("--allow-faults needs a loopback --host")
    if urlsplit(options.notify_url).scheme not in {"http", "https"}:
        parser.error("--notify-url must be an http or https address")
    options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with exclusive_lock(options.data_dir / "bank.lock", blocking=False):
            return serve(build(options), name="Sandbox bank")
    except BlockingIOError:
        return _complain(f"Another bank runs on {options.data_dir}.")
    except CorruptBookError as error:
        return _complain(f"The book cannot be read: {error}")
    except OSError as error:
        return _complain(f"Cannot listen on {options.host}:{options.port}: {error.strerror}.")


def _complain(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
