"""Settles the sandbox bank's orders after a moment and tells the lender, until the lender says so.

A notice is sent again with growing pauses until the answer is the seven characters `success`. What
is still to be done is read from the book, so a bank that was killed goes on where it stopped.
"""

from __future__ import annotations

import heapq
import http.client
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from zhixin.sandbox.book import (
    Book,
    Direction,
    NoticeState,
    Order,
    OrderNotInStateError,
    OrderState,
    Refusal,
)
from zhixin.sandbox.clock import now
from zhixin.sandbox.faults import Fault, FaultBox
from zhixin.sandbox.gateway import notice_parameters

_ACKNOWLEDGED = b"success"
_POST_TIMEOUT_SECONDS = 5
_LONGEST_PAUSE = Decimal(600)
_LONGEST_HOLD = Decimal(10)
_NOTICE_FAULTS = (
    "drop_notice",
    "delay_notice",
    "double_notice",
    "reorder_notices",
    "wrong_signature",
    "wrong_amount",
)


class Timetable:
    """Runs each task at its time, in a thread of its own, soonest first."""

    def __init__(self) -> None:
        """Start the thread that waits."""
        self._tasks: list[tuple[Decimal, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="timetable", daemon=True).start()

    def after(self, seconds: Decimal, task: Callable[[], None]) -> None:
        """Run `task` when `seconds` have passed."""
        with self._changed:
            heapq.heappush(self._tasks, (_now() + seconds, next(self._numbers), task))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            threading.Thread(target=self._next_due(), daemon=True).start()

    def _next_due(self) -> Callable[[], None]:
        with self._changed:
            while True:
                if not self._tasks:
                    self._changed.wait()
                    continue
                pause = self._tasks[0][0] - _now()
                if pause <= 0:
                    return heapq.heappop(self._tasks)[2]
                self._changed.wait(timeout=int(pause * 1000 + 1) / 1000)


@dataclass(frozen=True, slots=True)
class NoticeRules:
    """Where notices go, signed by whom, and the pauses in seconds."""

    url: str
    app_id: str
    seller_id: str
    bank_private_key: rsa.RSAPrivateKey
    settle_delay: Decimal
    retry_base: Decimal
    max_attempts: int = 40


@dataclass(slots=True)
class Notifier:
    """Settles orders and delivers their notices."""

    book: Book
    faults: FaultBox
    rules: NoticeRules
    _timetable: Timetable = field(default_factory=Timetable)
    _held: list[Order] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def resume(self) -> None:
        """Take up every order that is not settled or not yet told."""
        for order in self.book.orders():
            if order.notice_state is NoticeState.PENDING:
                self.follow(order)

    def follow(self, order: Order) -> None:
        """Settle `order` after the usual delay, then tell the lender."""
        self._timetable.after(self.rules.settle_delay, lambda: self._settle(order))

    def _settle(self, order: Order) -> None:
        refusal = None
        if order.state is OrderState.PROCESSING and self.faults.take("fail_order"):
            refusal = Refusal("PAYEE_ACCOUNT_STATUS_ERROR", "The other bank refused the money.")
        was_open = order.state is OrderState.PROCESSING
        self.book.settle(order.bank_reference, at=now(), refusal=refusal)
        if was_open:
            self._plan_return(order)
        self._deliver(order, attempt=1)

    def _plan_return(self, order: Order) -> None:
        """Have the other bank send a payout that was just done back, when a test wants it."""
        done = order.state is OrderState.SUCCEEDED
        if not done or order.instruction.direction is not Direction.PAYOUT:
            return
        fault = self.faults.take("return_payout")
        if fault is not None:
            pause = Decimal(1) if fault.seconds is None else fault.seconds
            self._timetable.after(pause, lambda: self._return(order))

    def _return(self, order: Order) -> None:
        try:
            self.book.return_payout(order.instruction.client_reference, at=now())
        except OrderNotInStateError:
            return  # It was sent back by hand meanwhile.
        self.follow(order)

    def _deliver(self, order: Order, *, attempt: int) -> None:
        if order.notice_state is not NoticeState.PENDING:
            return
        fault = self.faults.take(*_NOTICE_FAULTS)
        if fault is None:
            self._send(order, attempt=attempt)
        else:
            self._misbehave(fault, order, attempt=attempt)

    def _misbehave(self, fault: Fault, order: Order, *, attempt: int) -> None:
        if fault.name == "drop_notice":
            self._close(order, order.notice_id, how=NoticeState.DROPPED)
        elif fault.name == "delay_notice":
            pause = Decimal(1) if fault.seconds is None else fault.seconds
            self._timetable.after(pause, lambda: self._send(order, attempt=attempt))
        elif fault.name == "double_notice":
            self._send(order, attempt=attempt)
            self._post(order, self._parameters(order, cents=order.instruction.cents))
        elif fault.name == "reorder_notices":
            with self._lock:
                self._held.append(order)
            self._timetable.after(_LONGEST_HOLD, self._release_held)
        else:
            self._send(order, attempt=attempt, fault=fault)

    def _send(self, order: Order, *, attempt: int, fault: Fault | None = None) -> None:
        wrong = fault.name if fault else ""
        cents = order.instruction.cents + (1_00 if wrong == "wrong_amount" else 0)
        parameters = self._parameters(order, cents=cents)
        if wrong == "wrong_signature":
            other = self._parameters(order, cents=cents + 1)
            parameters["sign"] = other["sign"]
        if self._post(order, parameters):
            self._close(order, parameters["notify_id"], how=NoticeState.DELIVERED)
            self._release_held()
        elif attempt < self.rules.max_attempts:
            pause = min(self.rules.retry_base * 2 ** (attempt - 1), _LONGEST_PAUSE)
            self._timetable.after(pause, lambda: self._deliver(order, attempt=attempt + 1))

    def _close(self, order: Order, notice_id: str, *, how: NoticeState) -> None:
        self.book.close_notice(order.bank_reference, notice_id=notice_id, how=how)

    def _release_held(self) -> None:
        with self._lock:
            held, self._held = self._held, []
        for order in held:
            self._send(order, attempt=1)

    def _parameters(self, order: Order, *, cents: int) -> dict[str, str]:
        return notice_parameters(
            order,
            app_id=self.rules.app_id,
            seller_id=self.rules.seller_id,
            private_key=self.rules.bank_private_key,
            at=now(),
            cents=cents,
        )

    def _post(self, order: Order, parameters: Mapping[str, str]) -> bool:
        """Return whether the lender answered `success`. Never follows a redirect or a proxy."""
        url = (order.cashier.notify_url if order.cashier else "") or self.rules.url
        try:
            return post_form(url, parameters) == _ACKNOWLEDGED
        except (OSError, http.client.HTTPException):
            return False


def post_form(url: str, parameters: Mapping[str, str]) -> bytes | None:
    """POST a form and return the start of the body of a 200 answer, or None for any other.

    Raises OSError or HTTPException when there is no answer.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_POST_TIMEOUT_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        connection.request("POST", target, urlencode(parameters), headers)
        response = connection.getresponse()
        return response.read(64).strip() if response.status == http.client.OK else None
    finally:
        connection.close()


def _now() -> Decimal:
    return Decimal(time.monotonic_ns()) / 1_000_000_000
