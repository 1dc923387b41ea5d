"""What a verified notice of the bank says; unreadable unless it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qsl

from loans.adapters.bank_answers import TRANSFER_STATES, trade_state
from loans.adapters.bank_words import (
    BankDirection,
    BankNoticeData,
    InvalidNoticeError,
    known_reference,
)
from zhixin.shared.money import InvalidAmountError, Money
from zhixin.shared.signing import parse_timestamp

TRANSFER_CHANGED = "alipay.fund.trans.order.changed"
TRADE_CHANGED = "trade_status_sync"
NOTICE_ACKNOWLEDGED = "success"
NOTICE_REFUSED = "failure"


def transfer_notice(parameters: dict[str, str]) -> BankNoticeData:
    """Return the notice of a transfer that has changed. Raises KeyError, ValueError, TypeError."""
    content = json.loads(parameters["biz_content"], parse_float=Decimal)
    sent_at = datetime.fromtimestamp(int(parameters["utc_timestamp"]) // 1000, tz=UTC)
    paid_at = content.get("pay_date")
    return BankNoticeData(
        notice_id=known_reference(parameters["notify_id"]),
        client_reference=known_reference(content["out_biz_no"]),
        bank_reference=known_reference(content["order_id"]),
        direction=BankDirection.PAYOUT,
        outcome=TRANSFER_STATES[content["status"]],
        amount=_notice_amount(content["trans_amount"]),
        occurred_at=parse_timestamp(paid_at) if paid_at else sent_at,
        raw=parameters,
        reason=str(content.get("fail_reason") or ""),
        reason_code=str(content.get("error_code") or ""),
        value_date=parse_timestamp(paid_at).date() if paid_at else None,
    )


def trade_notice(parameters: dict[str, str]) -> BankNoticeData:
    """Return the notice of a trade that has changed. Raises KeyError, ValueError, TypeError."""
    occurred_at = (
        parameters.get("gmt_payment") or parameters.get("gmt_close") or parameters["notify_time"]
    )
    paid_at = parameters.get("gmt_payment")
    return BankNoticeData(
        notice_id=known_reference(parameters["notify_id"]),
        client_reference=known_reference(parameters["out_trade_no"]),
        bank_reference=known_reference(parameters["trade_no"]),
        direction=BankDirection.DEBIT,
        outcome=trade_state(parameters["trade_status"], was_paid=bool(paid_at)),
        amount=_notice_amount(parameters["total_amount"]),
        occurred_at=parse_timestamp(occurred_at),
        raw=parameters,
        reason=parameters.get("fail_reason", ""),
        reason_code=parameters.get("error_code", ""),
        value_date=parse_timestamp(paid_at).date() if paid_at else None,
    )


def parameters_of(form: Mapping[str, str] | bytes) -> dict[str, str]:
    """Return the fields of a form, or of its encoded body. Raises InvalidNoticeError."""
    if not isinstance(form, bytes):
        return dict(form.items())
    try:
        pairs = parse_qsl(form.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise InvalidNoticeError("The notice is not a form.") from error
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise InvalidNoticeError("A field of the notice occurs twice.")
    return parameters


def _notice_amount(value: object) -> Money:
    amount = Money.parse(str(value))
    if amount.cents <= 0:
        raise InvalidAmountError(f"{value!r} is not an amount that was moved.")
    return amount
