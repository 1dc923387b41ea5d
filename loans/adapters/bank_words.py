"""What is said to the bank and what it says: orders, answers, notices, bills, and refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from zhixin.shared.money import Money

# Our reason code of a trade that ended unpaid.
TRADE_CLOSED = "TRADE_CLOSED"
_REFERENCE = re.compile(r"[0-9A-Za-z_-]{1,64}")


class BankDirection(StrEnum):
    """Which way the money goes, seen from the lender."""

    PAYOUT = "PAYOUT"
    DEBIT = "DEBIT"


class BankState(StrEnum):
    """What the bank says of an order."""

    ACCEPTED = "ACCEPTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"
    UNKNOWN = "UNKNOWN"
    NOT_FOUND = "NOT_FOUND"


class BillNotReadyError(Exception):
    """The bill of the day is not there yet; ask again later."""


class UnableToFetchBillError(Exception):
    """The bill did not come, or cannot be trusted; nothing is known of the day."""


class InvalidNoticeError(Exception):
    """A notice that is not the bank's, was altered, or cannot be read; answer `failure`."""


class UnableToReuseReferenceError(Exception):
    """The bank knows this reference with another content: a fault of ours, never to be retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutOrder:
    """Pay `amount` to the holder of a bank card."""

    client_reference: str
    amount: Money
    card_number: str = field(repr=False)
    account_name: str = field(repr=False)
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitOrder:
    """Collect `amount` from a bank card under the holder's agreement.

    The sandbox knows the agreement of a card by the card number; a real bank gives it a number of
    its own (`agreement_no`), which then stands in `card_number`.
    """

    client_reference: str
    amount: Money
    card_number: str = field(repr=False)
    account_name: str = field(repr=False)
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CashierOrder:
    """Have the payer pay `amount` at the bank's own page, until `expires_at`."""

    client_reference: str
    amount: Money
    title: str
    expires_at: datetime
    on_a_phone: bool
    return_url: str
    notify_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Send `amount` of the payment `payment_reference` back to its payer."""

    client_reference: str
    payment_reference: str
    amount: Money
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFiles:
    """The bills of a day as the bank sent them: zip files."""

    trade: bytes = field(repr=False)
    account: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """What the bank answered; only SUCCEEDED, FAILED and RETURNED are final.

    RETURNED is a payout that the other bank sent back, whether or not it had been done before.

    `amount` is what the bank states, None where it states none: compare it with the order before
    believing it. `value_date` is the bank's calendar date (UTC+8) of a success.
    """

    state: BankState
    bank_reference: str = ""
    amount: Money | None = None
    reason: str = ""
    value_date: date | None = None
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankNoticeData:
    """A verified notice. The same `notice_id` may arrive any number of times, and late."""

    notice_id: str
    client_reference: str
    bank_reference: str
    direction: BankDirection
    outcome: BankState
    amount: Money
    occurred_at: datetime
    raw: dict[str, str]
    reason: str = ""
    reason_code: str = ""
    value_date: date | None = None


def check_order(order: PayoutOrder | DebitOrder | CashierOrder | RefundOrder) -> None:
    """Raise ValueError unless the order has a reference and a positive amount."""
    check_reference(order.client_reference)
    if order.amount.cents <= 0:
        raise ValueError("Only a positive amount can be moved.")


def check_reference(client_reference: str) -> None:
    """Raise ValueError unless the bank takes this as a reference."""
    if not _REFERENCE.fullmatch(client_reference):
        raise ValueError("A reference is 1 to 64 letters, digits, _ or -.")


def known_reference(value: object) -> str:
    """Return a reference of the notice; a missing or strange one makes it unreadable."""
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError(f"{value!r} is not a reference.")
    return value
