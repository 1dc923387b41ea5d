"""The sandbox bank's book: accounts and orders, kept in an append-only file of JSON lines.

Every change is one line, written and synced before it takes effect; the state is the fold of the
lines, so a bank that is killed at any moment opens again with everything it has answered for.
Amounts are whole cents.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

LENDER = "lender"
Entry = dict[str, Any]


class Direction(StrEnum):
    """Which way the money goes, seen from the lender."""

    PAYOUT = "PAYOUT"
    DEBIT = "DEBIT"


class OrderState(StrEnum):
    """Where an order stands."""

    WAITING = "WAITING"  # The cashier is open; the payer has not paid.
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"  # A payout that the other bank sent back.


class NoticeState(StrEnum):
    """Where the notice of an order's outcome stands."""

    NOT_DUE = "NOT_DUE"
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DROPPED = "DROPPED"


class CorruptBookError(Exception):
    """A line before the last one cannot be read: the file was altered by hand or by the disk."""


class ConflictingOrderError(Exception):
    """The client's id belongs to an order with another body."""


class OrderNotInStateError(Exception):
    """The order is not in a state in which this can be done."""


class RefundTooLargeError(Exception):
    """More would be refunded than was paid."""


class LackOfMoneyError(Exception):
    """The payer's account does not hold the amount."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the bank does not carry out an order: a published code and a sentence."""

    code: str
    text: str


# Why a trade that nobody paid has ended.
_CLOSED = Refusal("TRADE_CLOSED", "The trade was closed before it was paid.")


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the client asked for; two with the same fingerprint are the same order."""

    direction: Direction
    client_reference: str
    card_number: str
    holder_name: str
    cents: int
    title: str
    product: str = ""

    @property
    def fingerprint(self) -> str:
        """Return a digest of every field."""
        text = json.dumps(
            [
                self.direction,
                self.client_reference,
                self.card_number,
                self.holder_name,
                self.cents,
                self.title,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Cashier:
    """What the lender said about a payment at the bank's own page."""

    token: str
    notify_url: str
    return_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Refund:
    """A part of a payment that went back to the payer."""

    request_number: str
    cents: int
    made_at: datetime


@dataclass(slots=True)
class Order:
    """One order and what became of it."""

    instruction: Instruction
    bank_reference: str
    notice_id: str
    made_at: datetime
    state: OrderState = OrderState.PROCESSING
    refusal: Refusal | None = None
    settled_at: datetime | None = None
    notice_state: NoticeState = NoticeState.PENDING
    cashier: Cashier | None = None
    payer: str = ""
    refunds: list[Refund] = field(default_factory=list)
    returned_at: datetime | None = None

    @property
    def account(self) -> str:
        """Return the account at the other end of the order."""
        return self.payer or self.instruction.card_number

    @property
    def refunded_cents(self) -> int:
        """Return how much of the payment has gone back."""
        return sum(refund.cents for refund in self.refunds)

    @property
    def key(self) -> tuple[Direction, str]:
        """Return the client's id, which counts separately in each direction."""
        return (self.instruction.direction, self.instruction.client_reference)


class Journal:
    """An append-only file of JSON lines that survives kill -9; a torn last line is cut off."""

    def __init__(self, path: Path) -> None:
        """Open or make the file at `path`, readable by its owner only."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def read(self) -> Iterator[Entry]:
        """Yield all entries, oldest first. Raises CorruptBookError."""
        raw = self._path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        if whole < len(raw):
            os.ftruncate(self._descriptor, whole)
        for number, line in enumerate(raw[:whole].splitlines(), start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise CorruptBookError(f"{self._path}, line {number}, is not JSON.") from error

    def append(self, entry: Entry) -> None:
        """Write one entry and wait until it is on the disk; a failed write leaves no trace."""
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        end = os.fstat(self._descriptor).st_size
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise


@dataclass(slots=True)
class _State:
    balances: dict[str, int] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    by_key: dict[tuple[Direction, str], Order] = field(default_factory=dict)
    by_token: dict[str, Order] = field(default_factory=dict)


class Book:
    """Accounts and orders. Safe for threads; one process at a time (the caller holds a lock)."""

    def __init__(self, path: Path, *, opening_cents: int, lender_cents: int) -> None:
        """Read the book at `path`; new cards open with `opening_cents`."""
        self._opening_cents = opening_cents
        self._state = _State()
        self._lock = threading.RLock()
        self._journal = Journal(path)
        for entry in self._journal.read():
            self._apply(entry)
        if LENDER not in self._state.balances:
            self._record({"kind": "account_opened", "account": LENDER, "cents": lender_cents})

    def place(
        self, instruction: Instruction, *, at: datetime, refusal: Refusal | None = None
    ) -> tuple[Order, bool]:
        """Return the order for `instruction` and whether it is new.

        With `refusal` a new order fails at once. Raises ConflictingOrderError when the client's id
        belongs to another instruction; nothing changes then.
        """
        with self._lock:
            known = self.find(instruction.direction, instruction.client_reference)
            if known is not None:
                if known.instruction.fingerprint != instruction.fingerprint:
                    raise ConflictingOrderError(instruction.client_reference)
                return known, False
            self._open_account(instruction.card_number)
            reference = self._make(instruction, at=at)
            if refusal is not None:
                self._settle(reference, refusal=refusal, at=at)
            return self._state.orders[reference], True

    def open_cashier(
        self, instruction: Instruction, *, cashier: Cashier, at: datetime
    ) -> tuple[Order, bool]:
        """Return the order that waits for its payer, and whether it is new.

        The same order opened again keeps its cashier. Raises ConflictingOrderError.
        """
        with self._lock:
            known = self.find(instruction.direction, instruction.client_reference)
            if known is not None:
                if known.instruction.fingerprint != instruction.fingerprint:
                    raise ConflictingOrderError(instruction.client_reference)
                return known, False
            facts = {
                "product": instruction.product,
                "token": cashier.token,
                "notify_url": cashier.notify_url,
                "return_url": cashier.return_url,
                "expires_at": cashier.expires_at.isoformat(),
            }
            reference = self._make(instruction, at=at, **facts)
            return self._state.orders[reference], True

    def pay(self, bank_reference: str, *, payer: str, at: datetime) -> Order:
        """Return the order after the payer has paid it at the cashier.

        Raises OrderNotInStateError unless it waits and has not run out, LackOfMoneyError when the
        payer's account does not hold the amount; nothing changes then.
        """
        with self._lock:
            order = self.as_of(bank_reference, at=at)
            if order.state is not OrderState.WAITING:
                raise OrderNotInStateError(order.state)
            self._open_account(payer)
            if self._state.balances[payer] < order.instruction.cents:
                raise LackOfMoneyError(payer)
            self._record(
                {
                    "kind": "order_paid",
                    "bank_reference": bank_reference,
                    "payer": payer,
                    "at": at.isoformat(),
                }
            )
            return order

    def close(self, bank_reference: str, *, at: datetime) -> Order:
        """Return the order after closing it unpaid. Raises OrderNotInStateError unless it waits."""
        with self._lock:
            order = self.as_of(bank_reference, at=at)
            if order.state is not OrderState.WAITING:
                raise OrderNotInStateError(order.state)
            self._settle(bank_reference, refusal=_CLOSED, at=at)
            return order

    def as_of(self, bank_reference: str, *, at: datetime) -> Order:
        """Return the order, closed where its time to be paid has run out."""
        with self._lock:
            order = self._state.orders[bank_reference]
            waits = order.state is OrderState.WAITING
            if waits and order.cashier is not None and order.cashier.expires_at <= at:
                self._settle(bank_reference, refusal=_CLOSED, at=order.cashier.expires_at)
            return order

    def refund(
        self, bank_reference: str, *, request_number: str, cents: int, at: datetime
    ) -> tuple[Refund, bool]:
        """Return the refund of this number and whether it is new.

        Raises OrderNotInStateError unless the order was paid, ConflictingOrderError when the
        number was used for another amount, RefundTooLargeError beyond what was paid, and
        LackOfMoneyError when the lender does not hold it.
        """
        with self._lock:
            order = self._state.orders[bank_reference]
            if order.state is not OrderState.SUCCEEDED:
                raise OrderNotInStateError(order.state)
            for refund in order.refunds:
                if refund.request_number == request_number:
                    if refund.cents != cents:
                        raise ConflictingOrderError(request_number)
                    return refund, False
            if order.refunded_cents + cents > order.instruction.cents:
                raise RefundTooLargeError(request_number)
            if self._state.balances[LENDER] < cents:
                raise LackOfMoneyError(LENDER)
            self._record(
                {
                    "kind": "refund_made",
                    "bank_reference": bank_reference,
                    "request_number": request_number,
                    "cents": cents,
                    "at": at.isoformat(),
                }
            )
            self._open_notice(bank_reference)
            return order.refunds[-1], True

    def return_payout(self, client_reference: str, *, at: datetime) -> Order:
        """Return the payout after the other bank has sent it back (退票).

        Raises OrderNotInStateError unless it had been done.
        """
        with self._lock:
            order = self.find(Direction.PAYOUT, client_reference)
            if order is None or order.state is not OrderState.SUCCEEDED:
                raise OrderNotInStateError(client_reference)
            self._record(
                {
                    "kind": "payout_returned",
                    "bank_reference": order.bank_reference,
                    "at": at.isoformat(),
                }
            )
            self._open_notice(order.bank_reference)
            return order

    def settle(self, bank_reference: str, *, at: datetime, refusal: Refusal | None = None) -> Order:
        """Return the order after moving its money, or failing it for lack of money or `refusal`.

        An order that has been settled stays as it is.
        """
        with self._lock:
            order = self._state.orders[bank_reference]
            if order.state is OrderState.PROCESSING:
                self._settle(bank_reference, refusal=refusal or self._lack_of_money(order), at=at)
            return order

    def close_notice(self, bank_reference: str, *, notice_id: str, how: NoticeState) -> None:
        """Record that this notice needs no further sending; one opened since stays open."""
        with self._lock:
            order = self._state.orders[bank_reference]
            if order.notice_id == notice_id and order.notice_state is NoticeState.PENDING:
                self._record(
                    {"kind": "notice_closed", "bank_reference": bank_reference, "how": how}
                )

    def set_balance(self, account: str, *, cents: int) -> None:
        """Set the balance of an account, opening it where needed (for tests)."""
        with self._lock:
            self._record({"kind": "balance_set", "account": account, "cents": cents})

    def find(self, direction: Direction, client_reference: str) -> Order | None:
        """Return the order with the client's id, or None."""
        with self._lock:
            return self._state.by_key.get((direction, client_reference))

    def find_by_token(self, token: str) -> Order | None:
        """Return the order whose cashier has this token, or None."""
        with self._lock:
            return self._state.by_token.get(token)

    def orders(self) -> list[Order]:
        """Return all orders, oldest first."""
        with self._lock:
            return list(self._state.orders.values())

    def balances(self) -> dict[str, int]:
        """Return every account's balance in cents."""
        with self._lock:
            return dict(self._state.balances)

    def _lack_of_money(self, order: Order) -> Refusal | None:
        instruction = order.instruction
        is_payout = instruction.direction is Direction.PAYOUT
        payer = LENDER if is_payout else instruction.card_number
        if self._state.balances[payer] >= instruction.cents:
            return None
        if is_payout:
            return Refusal("PAYER_BALANCE_NOT_ENOUGH", "The payer's balance is not enough.")
        return Refusal("ACQ.BUYER_BALANCE_NOT_ENOUGH", "The card's balance is not enough.")

    def _open_account(self, account: str) -> None:
        if account not in self._state.balances:
            self._record(
                {"kind": "account_opened", "account": account, "cents": self._opening_cents}
            )

    def _make(self, instruction: Instruction, *, at: datetime, **facts: str) -> str:
        reference = f"{at:%Y%m%d}{uuid.uuid4().int % 10**20:020d}"
        self._record(
            {
                "kind": "order_made",
                "bank_reference": reference,
                "notice_id": uuid.uuid4().hex,
                "direction": instruction.direction,
                "client_reference": instruction.client_reference,
                "card_number": instruction.card_number,
                "holder_name": instruction.holder_name,
                "cents": instruction.cents,
                "title": instruction.title,
                "at": at.isoformat(),
                **facts,
            }
        )
        return reference

    def _open_notice(self, bank_reference: str) -> None:
        self._record(
            {
                "kind": "notice_opened",
                "bank_reference": bank_reference,
                "notice_id": uuid.uuid4().hex,
            }
        )

    def _settle(self, bank_reference: str, *, refusal: Refusal | None, at: datetime) -> None:
        self._record(
            {
                "kind": "order_settled",
                "bank_reference": bank_reference,
                "state": OrderState.FAILED if refusal else OrderState.SUCCEEDED,
                "code": refusal.code if refusal else "",
                "text": refusal.text if refusal else "",
                "at": at.isoformat(),
            }
        )

    def _record(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        appliers: dict[str, Callable[[Entry], None]] = {
            "account_opened": self._apply_balance,
            "balance_set": self._apply_balance,
            "order_made": self._apply_made,
            "order_paid": self._apply_paid,
            "order_settled": self._apply_settled,
            "refund_made": self._apply_refund,
            "payout_returned": self._apply_returned,
            "notice_opened": self._apply_notice_opened,
            "notice_closed": self._apply_notice_closed,
        }
        appliers[entry["kind"]](entry)

    def _apply_balance(self, entry: Entry) -> None:
        self._state.balances[entry["account"]] = entry["cents"]

    def _apply_made(self, entry: Entry) -> None:
        order = Order(
            instruction=Instruction(
                direction=Direction(entry["direction"]),
                client_reference=entry["client_reference"],
                card_number=entry["card_number"],
                holder_name=entry["holder_name"],
                cents=entry["cents"],
                title=entry["title"],
                product=entry.get("product", ""),
            ),
            bank_reference=entry["bank_reference"],
            notice_id=entry["notice_id"],
            made_at=datetime.fromisoformat(entry["at"]),
        )
        if "token" in entry:
            order.state = OrderState.WAITING
            order.notice_state = NoticeState.NOT_DUE
            order.cashier = Cashier(
                token=entry["token"],
                notify_url=entry["notify_url"],
                return_url=entry["return_url"],
                expires_at=datetime.fromisoformat(entry["expires_at"]),
            )
            self._state.by_token[order.cashier.token] = order
        self._state.orders[order.bank_reference] = order
        self._state.by_key[order.key] = order

    def _apply_paid(self, entry: Entry) -> None:
        order = self._state.orders[entry["bank_reference"]]
        order.state = OrderState.SUCCEEDED
        order.settled_at = datetime.fromisoformat(entry["at"])
        order.payer = entry["payer"]
        order.notice_state = NoticeState.PENDING
        self._move(order.payer, -order.instruction.cents)

    def _apply_refund(self, entry: Entry) -> None:
        order = self._state.orders[entry["bank_reference"]]
        made_at = datetime.fromisoformat(entry["at"])
        order.refunds.append(Refund(entry["request_number"], entry["cents"], made_at))
        self._move(order.account, entry["cents"])

    def _apply_returned(self, entry: Entry) -> None:
        order = self._state.orders[entry["bank_reference"]]
        order.state = OrderState.RETURNED
        order.returned_at = datetime.fromisoformat(entry["at"])
        self._move(order.account, -order.instruction.cents)

    def _move(self, account: str, cents: int) -> None:
        """Move `cents` from the lender to `account`; the other way when negative."""
        self._state.balances[account] += cents
        self._state.balances[LENDER] -= cents

    def _apply_settled(self, entry: Entry) -> None:
        order = self._state.orders[entry["bank_reference"]]
        order.state = OrderState(entry["state"])
        order.settled_at = datetime.fromisoformat(entry["at"])
        if order.state is OrderState.FAILED:
            order.refusal = Refusal(entry["code"], entry["text"])
            return
        instruction = order.instruction
        sign = 1 if instruction.direction is Direction.PAYOUT else -1
        self._move(instruction.card_number, sign * instruction.cents)

    def _apply_notice_opened(self, entry: Entry) -> None:
        order = self._state.orders[entry["bank_reference"]]
        order.notice_id = entry["notice_id"]
        order.notice_state = NoticeState.PENDING

    def _apply_notice_closed(self, entry: Entry) -> None:
        self._state.orders[entry["bank_reference"]].notice_state = NoticeState(entry["how"])
