"""Where a number comes from: lines of base, rate, days and event that re-add to it exactly.

Keys, rules and worked tables: docs/formulas/explanation.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Final

from loans.engine import explanation_lines as lines_of
from loans.engine.annualized_cost import flows_of
from loans.engine.explanation_lines import BUCKETS, Lines
from loans.engine.schedule import build_schedule
from loans.engine.state import InstallmentState, Line, LoanState, RepaymentAllocation
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money

_NEAREST: Final = 3
_LONGEST_WORD: Final = 100
_REPAYMENT: Final = "repayment."
_INSTALLMENT: Final = "installment."


class UnknownNumberError(KeyError):
    """There is no number of that name to explain; `nearest` are the likeliest that there are."""

    def __init__(self, key: str, nearest: Iterable[str]) -> None:
        """Keep the key that was asked for and those that come nearest to it."""
        super().__init__(key)
        self.key = key
        self.nearest = tuple(nearest)

    def __str__(self) -> str:
        """Return one line that names the key and the nearest ones."""
        return f"there is no number {self.key!r}; the nearest are {', '.join(self.nearest)}"


@dataclass(frozen=True, slots=True)
class _Number:
    """How a number of the state is read, and what makes its lines."""

    value: Callable[[LoanState], Money | Decimal]
    lines: Callable[[LoanState], Lines]


@dataclass(frozen=True, slots=True)
class _Part:
    """The same for a number of an installment."""

    value: Callable[[InstallmentState], Money]
    lines: Callable[[LoanState, InstallmentState], Lines]


def explain(state: LoanState, key: str) -> tuple[Line, ...]:
    """Return the lines behind a number; Σ line.amount is the number, exactly.

    `explained_keys` lists the keys. Raises UnknownNumberError for another, with the nearest ones.
    """
    number = _NUMBERS.get(key)
    if number is not None and _is_there(state, key):
        return tuple(number.lines(state))
    repayment = _repayment(state, key)
    if repayment is not None:
        return tuple(lines_of.allocation(state, repayment))
    row, own = _installment(state, key)
    return tuple(own.lines(state, row))


def value_of(state: LoanState, key: str) -> Money | Decimal:
    """Return the number that `explain` explains under `key`; a Decimal is not yet rounded.

    Raises UnknownNumberError as `explain` does.
    """
    number = _NUMBERS.get(key)
    if number is not None and _is_there(state, key):
        return number.value(state)
    repayment = _repayment(state, key)
    if repayment is not None:
        return repayment.amount
    row, own = _installment(state, key)
    return own.value(row)


def explained_keys(state: LoanState) -> tuple[str, ...]:
    """Return every key of this state that can be explained, the main numbers first."""
    simple = [key for key in _NUMBERS if _is_there(state, key)]
    repayments = [f"{_REPAYMENT}{each.event_id}" for each in state.repayments]
    rows = [f"{_INSTALLMENT}{row.number}.{name}" for row in state.installments for name in _PARTS]
    return (*simple, *repayments, *rows)


def main_keys(state: LoanState) -> tuple[str, ...]:
    """Return the keys that an answer explains unasked: what is owed, its cost, where money went."""
    simple = [key for key in _MAIN if _is_there(state, key)]
    repayments = [f"{_REPAYMENT}{each.event_id}" for each in state.repayments]
    rows = [f"{_INSTALLMENT}{row.number}.interest" for row in state.installments]
    rows += [f"{_INSTALLMENT}{row.number}.penalty" for row in state.installments if row.due.penalty]
    return (*simple, *repayments, *rows)


def explain_signed_cost(terms: LoanTerms) -> tuple[Line, ...]:
    """Return the flows of the annualized cost: the payout, then each installment as signed.

    A rate is no sum of lines. It is the one at which these flows are worth nothing together, and
    the flows themselves re-add to the total cost, `cost_of(terms).total_cost`.
    """
    schedule = build_schedule(terms)
    flows = flows_of(terms, schedule)
    dates = (terms.disbursement_date, *schedule.due_dates)
    return tuple(
        Line(
            amount=flow.amount.amount,
            rule="FLOW" if number else "PAYOUT",
            text_key="installment_total" if number else "paid_out",
            base=flow.amount if number else -flow.amount,
            end=day,
            number=number or None,
        )
        for number, (flow, day) in enumerate(zip(flows, dates, strict=True))
    )


def _is_there(state: LoanState, key: str) -> bool:
    return key != "next_due" or state.next_due is not None


def _repayment(state: LoanState, key: str) -> RepaymentAllocation | None:
    if not key.startswith(_REPAYMENT):
        return None
    event_id = key.removeprefix(_REPAYMENT)
    return next((each for each in state.repayments if each.event_id == event_id), None)


def _installment(state: LoanState, key: str) -> tuple[InstallmentState, _Part]:
    number, _, name = key.removeprefix(_INSTALLMENT).partition(".")
    if key.startswith(_INSTALLMENT) and name in _PARTS:
        for row in state.installments:
            if str(row.number) == number:
                return row, _PARTS[name]
    keys = explained_keys(state)
    word = key[:_LONGEST_WORD]
    raise UnknownNumberError(key, difflib.get_close_matches(word, keys, _NEAREST, cutoff=0))


def _next_due(state: LoanState) -> Money:
    return state.next_due.amount if state.next_due is not None else Money.zero()


def _total_cost(state: LoanState) -> Money:
    return state.totals.scheduled.total - state.totals.scheduled.principal


def _of_buckets(field: str, lines: Callable[[LoanState, str], Lines]) -> dict[str, _Number]:
    """Return the numbers of each bucket of a field of the state, and of their total."""
    return {f"{field}.{name}": _bucket_number(field, name, lines) for name in (*BUCKETS, "total")}


def _bucket_number(field: str, name: str, lines: Callable[[LoanState, str], Lines]) -> _Number:
    read = attrgetter(f"{field}.{name}")

    def value(state: LoanState) -> Money:
        found: Money = read(state)
        return found

    return _Number(value, lambda state: lines(state, name))


_NUMBERS: Final[dict[str, _Number]] = {
    "payoff_amount": _Number(
        lambda state: state.payoff_amount, partial(lines_of.outstanding, name="total")
    ),
    "due_now": _Number(lambda state: state.due_now.total, partial(lines_of.due_now, name="total")),
    "payable_now": _Number(lambda state: state.payable_now, lines_of.payable_now),
    "overdue": _Number(lambda state: state.overdue.total, partial(lines_of.overdue, name="total")),
    "next_due": _Number(_next_due, lines_of.next_due),
    "accrued_interest": _Number(lambda state: state.accrued_interest, lines_of.accrued_interest),
    "accrued_interest_unrounded": _Number(
        lambda state: state.accrued_interest_unrounded, lines_of.accrued_interest_unrounded
    ),
    "penalty_accrued": _Number(lambda state: state.penalty_accrued, lines_of.penalty_accrued),
    "penalty_per_day": _Number(lambda state: state.penalty_per_day, lines_of.penalty_per_day),
    "prepaid": _Number(
        lambda state: state.prepaid, lambda state: lines_of.credit(state) if state.prepaid else []
    ),
    "overpaid": _Number(
        lambda state: state.overpaid, lambda state: lines_of.credit(state) if state.overpaid else []
    ),
    "total_cost": _Number(_total_cost, lines_of.total_cost),
    "disbursed": _Number(lambda state: state.totals.disbursed, lines_of.disbursed),
    "received": _Number(lambda state: state.totals.received, lines_of.received),
    "refunded": _Number(lambda state: state.totals.refunded, lines_of.refunded),
    **_of_buckets("outstanding", lines_of.outstanding),
    **_of_buckets("unbilled", lines_of.unbilled),
    **_of_buckets("due_now", lines_of.due_now),
    **_of_buckets("overdue", lines_of.overdue),
    **_of_buckets("totals.scheduled", lines_of.scheduled),
    **_of_buckets("totals.paid", lines_of.paid),
    **_of_buckets("totals.waived", lines_of.waived),
}

_MAIN: Final = (
    "payoff_amount",
    "due_now",
    "overdue",
    "next_due",
    "accrued_interest",
    "penalty_accrued",
    "penalty_per_day",
    "prepaid",
    "overpaid",
    "total_cost",
    *(f"outstanding.{name}" for name in (*BUCKETS, "total")),
)

_PARTS: Final[dict[str, _Part]] = {
    "principal": _Part(lambda row: row.due.principal, lines_of.principal_lines),
    "interest": _Part(lambda row: row.due.interest, lines_of.interest_lines),
    "fees": _Part(lambda row: row.due.fees, lines_of.fee_lines),
    "penalty": _Part(lambda row: row.due.penalty, lines_of.penalty_lines),
    "total": _Part(lambda row: row.due.total, lines_of.total_lines),
    "paid": _Part(lambda row: row.paid.total, lines_of.paid_lines),
    "waived": _Part(lambda row: row.waived.total, lines_of.waived_lines),
    "moved": _Part(lambda row: row.moved.total, lines_of.moved_lines),
    "outstanding": _Part(lambda row: row.outstanding.total, lines_of.outstanding_lines),
    "balance": _Part(lambda row: row.balance, lines_of.balance_lines),
}
