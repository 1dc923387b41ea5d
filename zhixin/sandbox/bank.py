"""The sandbox bank: a process of its own that pays out, debits and sends signed notices.

    python -m zhixin.sandbox.bank --port 8010 --data-dir .data/bank --notify-url URL

Paths: `/gateway.do` (the signed API), `/` (a page for people), and with `--allow-faults`, for this
machine only, `/control/faults`, `/control/balances` and `/control/book`. See docs/bank.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.sandbox.book import Book, CorruptBookError
from zhixin.sandbox.clock import now
from zhixin.sandbox.faults import Fault, FaultBox
from zhixin.sandbox.gateway import ORDER_METHODS, Gateway, GatewayRules, parse_cents
from zhixin.sandbox.keys import ensure_keys, exclusive_lock
from zhixin.sandbox.notices import NoticeRules, Notifier
from zhixin.sandbox.pages import STYLE, bank_page
from zhixin.sandbox.server import (
    Routes,
    SandboxHandler,
    SandboxServer,
    is_loopback,
    serve,
)
from zhixin.shared.signing import answer_node, load_private_key, load_public_key, signed_answer

DEFAULT_APP_ID = "zhixin"
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
    }
)
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


def routes_of(bank: Bank) -> Routes:
    """Return what answers each method and path of this bank."""
    routes: dict[tuple[str, str], Callable[[SandboxHandler], None]] = {
        ("GET", "/"): partial(_show_page, bank),
        ("GET", "/style.css"): lambda handler: handler.answer(STYLE, content_type="text/css"),
        ("GET", "/health"): lambda handler: handler.answer("ok", content_type="text/plain"),
        ("GET", "/gateway.do"): partial(_call_gateway, bank),
        ("POST", "/gateway.do"): partial(_call_gateway, bank),
    }
    if bank.allows_faults:
        routes |= {
            ("GET", "/control/faults"): partial(_list_faults, bank),
            ("POST", "/control/faults"): partial(_add_fault, bank),
            ("DELETE", "/control/faults"): partial(_clear_faults, bank),
            ("POST", "/control/balances"): partial(_set_balance, bank),
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
    content = bank.gateway.handle(parameters, at=now())
    silence = bank.faults.take("timeout_after_success") if method in ORDER_METHODS else None
    if silence:
        _stay_silent(handler, silence)
        return
    text = signed_answer(answer_node(method), content, private_key=bank.private_key)
    if bank.faults.take("wrong_answer_signature"):
        other = signed_answer(answer_node(method), {}, private_key=bank.private_key)
        text = text.rpartition('"sign":')[0] + '"sign":' + other.rpartition('"sign":')[2]
    handler.answer(text, content_type="application/json")


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
            bank_private_key=private_key,
            settle_delay=options.settle_delay,
            retry_base=options.retry_base,
        ),
    )
    rules = GatewayRules(
        app_id=options.app_id,
        lender_public_key=load_public_key(keys.lender_public),
        nonce_required=not options.nonce_optional,
    )
    gateway = Gateway(book=book, faults=faults, rules=rules, on_new_order=notifier.follow)
    bank = Bank(book, faults, gateway, private_key, options.allow_faults)
    server = SandboxServer((options.host, options.port), routes_of(bank))
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
