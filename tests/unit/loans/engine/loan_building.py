"""Short ways to write a loan and its events in tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from loans.engine.servicing import Disbursed, Event, LoanState, Repaid, replay
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money

PENALTY = {"uplift": "0.5", "grace_days": 0, "annual_cap": "0.24"}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def money(text: str) -> Money:
    return Money.parse(text)


def loan(**changes: Any) -> LoanTerms:
    """Return 10,000 at 12 % over 12 months from 1 January 2024, 30/360, with `changes`."""
    data: dict[str, Any] = {
        "principal": "10000.00",
        "annual_rate": "0.12",
        "method": "EQUAL_INSTALLMENT",
        "installment_count": 12,
        "period": {"every": 1, "unit": "MONTH"},
        "day_count": "THIRTY_360",
        "disbursement_date": "2024-01-01",
        "rounding": "HALF_EVEN",
    }
    return LoanTerms.from_json(data | changes)


def paid(name: str, on: str, amount: str, sequence: int = 1, **more: Any) -> Repaid:
    return Repaid(
        event_id=name, effective_date=day(on), sequence=sequence, amount=money(amount), **more
    )


def payout(terms: LoanTerms) -> Disbursed:
    return Disbursed(
        event_id="payout",
        effective_date=terms.disbursement_date,
        sequence=0,
        amount=terms.principal,
    )


def state(terms: LoanTerms, events: Sequence[Event], on: str) -> LoanState:
    return replay(terms, [payout(terms), *events], day(on))


def amounts(found: LoanState, name: str) -> list[str]:
    """Return one column of the installments."""
    return [str(getattr(row, name)) for row in found.installments]
