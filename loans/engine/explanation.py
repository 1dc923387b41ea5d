"""Where a number comes from: lines of base, rate and days that re-add to it exactly.

Unrounded lines are shown to eight decimals; a line of rule ROUNDING closes the gap to cents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from loans.engine.state import Buckets, InstallmentState, Line, LoanState, Span
from zhixin.shared.money import Money

_PLACES: Final = Decimal("1e-8")
_CONTEXT: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)


class UnknownNumberError(KeyError):
    """There is no number of that name to explain."""


def explain(state: LoanState, key: str) -> tuple[Line, ...]:
    """Return the lines behind a number; Σ line.amount is the number.

    Keys: `payoff_amount`, `due_now`, `overdue`, `accrued_interest`, `penalty_accrued`, and
    `installment.N.interest`, `installment.N.penalty`. Raises UnknownNumberError for another.
    """
    maker = _MAKERS.get(key)
    if maker is not None:
        return tuple(maker(state))
    parts = key.split(".")
    if len(parts) == 3 and parts[0] == "installment" and parts[1].isdigit():  # noqa: PLR2004
        row = next((row for row in state.installments if row.number == int(parts[1])), None)
        if row is not None and parts[2] == "interest":
            return tuple(_interest_lines(row, row.due.interest))
        if row is not None and parts[2] == "penalty":
            return tuple(_penalty_lines(row, row.due.penalty))
    raise UnknownNumberError(key)


def value_of(state: LoanState, key: str) -> Money:
    """Return the number that `explain` explains under `key`."""
    simple = {
        "payoff_amount": state.payoff_amount,
        "due_now": state.due_now.total,
        "overdue": state.overdue.total,
        "accrued_interest": state.accrued_interest,
        "penalty_accrued": state.penalty_accrued,
    }
    if key in simple:
        return simple[key]
    try:
        _, number, name = key.split(".")
        row = next(row for row in state.installments if row.number == int(number))
        return {"interest": row.due.interest, "penalty": row.due.penalty}[name]
    except (ValueError, KeyError, StopIteration):
        raise UnknownNumberError(key) from None


def explained_keys(state: LoanState) -> tuple[str, ...]:
    """Return every key of this state that can be explained."""
    rows = [f"installment.{row.number}.interest" for row in state.installments]
    rows += [f"installment.{row.number}.penalty" for row in state.installments if row.due.penalty]
    return (*_MAKERS, *rows)


def _line_of_span(
    span: Span, rate: Decimal, per_unit: Decimal, *, rule: str, text_key: str, number: int
) -> Line:
    amount = _CONTEXT.multiply(Decimal(span.base_cents * span.units), per_unit)
    return Line(
        amount=amount.quantize(_PLACES, context=_CONTEXT),
        rule=rule,
        text_key=text_key,
        base=Money(span.base_cents),
        rate=rate,
        days=(span.end - span.start).days,
        start=span.start,
        end=span.end,
        number=number,
    )


def _closed(lines: list[Line], whole: Money, number: int | None) -> list[Line]:
    """Add the line that closes the gap between the lines and the settled amount."""
    gap = whole.amount - sum((line.amount for line in lines), Decimal(0))
    if gap:
        lines.append(Line(amount=gap, rule="ROUNDING", text_key="rounding", number=number))
    return lines


def _interest_lines(row: InstallmentState, whole: Money) -> list[Line]:
    lines = [
        _line_of_span(
            span,
            row.interest_rate,
            row.interest_per_unit,
            rule="INTEREST",
            text_key="interest_on_principal",
            number=row.number,
        )
        for span in row.interest_spans
    ]
    if row.carried_interest:
        lines.append(
            Line(
                amount=row.carried_interest.amount,
                rule="CARRIED_INTEREST",
                text_key="interest_from_before_the_plan",
                base=row.carried_interest,
                number=row.number,
            )
        )
    return _closed(lines, whole, row.number)


def _penalty_lines(row: InstallmentState, whole: Money) -> list[Line]:
    lines = [
        _line_of_span(
            span,
            row.penalty_rate,
            row.penalty_per_unit,
            rule="PENALTY",
            text_key="penalty_on_overdue_principal",
            number=row.number,
        )
        for span in row.penalty_spans
    ]
    if row.kept_penalty:
        lines.append(
            Line(
                amount=row.kept_penalty.amount,
                rule="KEPT_PENALTY",
                text_key="penalty_from_before_the_plan",
                base=row.kept_penalty,
                number=row.number,
            )
        )
    return _closed(lines, whole, row.number)


def _penalty_accrued(state: LoanState) -> list[Line]:
    lines: list[Line] = []
    for row in state.installments:
        if row.penalty_spans:
            own = row.due.penalty - row.kept_penalty
            lines += _closed(
                [line for line in _penalty_lines(row, row.due.penalty) if line.rule == "PENALTY"],
                own,
                row.number,
            )
    return lines


def _accrued_interest(state: LoanState) -> list[Line]:
    running = state.running
    if running is None:
        return []
    return _interest_lines_until(running, state)


def _interest_lines_until(row: InstallmentState, state: LoanState) -> list[Line]:
    lines = [
        _line_of_span(
            span,
            row.interest_rate,
            row.interest_per_unit,
            rule="INTEREST",
            text_key="interest_on_principal",
            number=row.number,
        )
        for span in row.interest_spans
        if span.end <= state.as_of
    ]
    return _closed(lines, state.accrued_interest, row.number)


def _billed_lines(rows: Iterable[InstallmentState]) -> list[Line]:
    return [line for row in rows for line in _bucket_lines(row.outstanding, row)]


def _bucket_lines(owed: Buckets, row: InstallmentState) -> list[Line]:
    parts = (
        ("PRINCIPAL", owed.principal),
        ("INTEREST", owed.interest),
        ("FEES", owed.fees),
        ("PENALTY", owed.penalty),
    )
    return [
        Line(
            amount=amount.amount,
            rule="BILLED",
            text_key=f"billed_{name.lower()}",
            base=amount,
            end=row.due_date,
            number=row.number,
        )
        for name, amount in parts
        if amount
    ]


def _due_now(state: LoanState) -> list[Line]:
    return _billed_lines(row for row in state.installments if row.billed)


def _overdue(state: LoanState) -> list[Line]:
    return _billed_lines(row for row in state.installments if row.billed and row.days_late)


def _payoff(state: LoanState) -> list[Line]:
    """Return what is billed, the principal to come, what has accrued, less money held."""
    lines = _due_now(state)
    lines += [
        Line(amount=part.amount, rule=rule, text_key=text_key, base=part)
        for part, rule, text_key in (
            (state.unbilled.principal, "UNBILLED_PRINCIPAL", "principal_not_due_yet"),
            (state.unbilled.fees, "CARRIED_FEES", "fees_from_before_the_plan"),
            (state.unbilled.penalty, "KEPT_PENALTY", "penalty_from_before_the_plan"),
        )
        if part
    ]
    carried = state.unbilled.interest - state.accrued_interest
    if carried:
        lines.append(
            Line(
                amount=carried.amount,
                rule="CARRIED_INTEREST",
                text_key="interest_from_before_the_plan",
                base=carried,
            )
        )
    lines += _accrued_interest(state)
    if state.prepaid:
        lines.append(
            Line(
                amount=-state.prepaid.amount,
                rule="PAID_AHEAD",
                text_key="money_paid_ahead",
                base=state.prepaid,
            )
        )
    return lines


_MAKERS: Final[dict[str, Callable[[LoanState], list[Line]]]] = {
    "payoff_amount": _payoff,
    "due_now": _due_now,
    "overdue": _overdue,
    "accrued_interest": _accrued_interest,
    "penalty_accrued": _penalty_accrued,
}
