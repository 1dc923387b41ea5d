"""The forms of the sandbox bank's API: answers, refusals, and reading what a request states."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from zhixin.sandbox.book import Order, OrderState
from zhixin.shared.signing import timestamp_text

MAX_CENTS = 100_000_000_00

_REFERENCE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_CARD_NUMBER = re.compile(r"[0-9]{12,19}")

Answer = dict[str, object]


class RefusedError(Exception):
    """The gateway does not do what was asked; carries the published codes."""

    def __init__(self, code: str, sub_code: str, sub_message: str) -> None:
        """Keep the answer's code, sub_code and sub_msg."""
        super().__init__(sub_message)
        self.answer: Answer = {
            "code": code,
            "msg": MESSAGES[code],
            "sub_code": sub_code,
            "sub_msg": sub_message,
        }


MESSAGES = {
    "10000": "Success",
    "10003": "order success pay inprocess",
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
}


def parse_cents(text: str) -> int:
    """Return the whole cents that a plain decimal amount in yuan states.

    Raises ValueError for anything else, such as three decimals, a sign or an exponent.
    """
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", text):
        raise ValueError(f"{text!r} is not an amount of money")
    try:
        return int(Decimal(text) * 100)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount of money") from error


def answer(code: str, **fields: str) -> Answer:
    """Return an answer with this code; empty fields are left out."""
    return {
        "code": code,
        "msg": MESSAGES[code],
        **{name: value for name, value in fields.items() if value},
    }


def invalid(text: str) -> RefusedError:
    """Return the refusal of a parameter that cannot be taken."""
    return RefusedError("40004", "INVALID_PARAMETER", text)


def business_content(parameters: Mapping[str, str]) -> Mapping[str, object]:
    """Return the object in biz_content. Raises RefusedError."""
    try:
        content = json.loads(parameters.get("biz_content", ""))
    except ValueError as error:
        raise RefusedError("40002", "isv.invalid-parameter", "biz_content: no JSON") from error
    if not isinstance(content, dict):
        raise RefusedError("40002", "isv.invalid-parameter", "biz_content: no object")
    return content


def require(content: Mapping[str, object], name: str, expected: str) -> None:
    """Raise RefusedError unless the field has the value that this API has."""
    if content.get(name) != expected:
        raise invalid(f"{name} must be {expected}")


def reference_of(content: Mapping[str, object], name: str) -> str:
    """Return the client's id in the field. Raises RefusedError."""
    value = content.get(name)
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise invalid(f"{name} must be 1 to 64 letters, digits, _ or -")
    return value


def card_number_of(value: object) -> str:
    """Return the card number. Raises RefusedError."""
    if not isinstance(value, str) or not _CARD_NUMBER.fullmatch(value):
        raise invalid("the card number must be 12 to 19 digits")
    return value


def cents_of(value: object) -> int:
    """Return the cents of an amount above zero. Raises RefusedError."""
    try:
        cents = parse_cents(value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise invalid(str(error)) from error
    if not 1 <= cents <= MAX_CENTS:
        raise invalid("the amount must be 0.01 to 100000000.00")
    return cents


def yuan(cents: int) -> str:
    """Return an amount as the API writes it, such as `1234.50`."""
    return f"{cents // 100}.{cents % 100:02d}"


def pay_date(order: Order) -> str:
    """Return when the order was done, empty unless it was."""
    if order.state is not OrderState.SUCCEEDED or order.settled_at is None:
        return ""
    return timestamp_text(order.settled_at)


def failure_of(order: Order) -> dict[str, str]:
    """Return why the order failed, as fields."""
    if order.refusal is None:
        return {}
    return {"error_code": order.refusal.code, "fail_reason": order.refusal.text}


def trade_status(order: Order) -> str:
    """Return the published status of a trade; one that was refunded whole counts as closed."""
    if order.state is OrderState.SUCCEEDED:
        whole = order.refunded_cents == order.instruction.cents
        return "TRADE_CLOSED" if whole else "TRADE_SUCCESS"
    return "TRADE_CLOSED" if order.state is OrderState.FAILED else "WAIT_BUYER_PAY"
