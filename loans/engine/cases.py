"""Cases in JSON, as `manage.py replay` and `manage.py annualized_cost` read and answer them.

The format is described in docs/formulas/cases.md.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Final

from loans.engine.annualized_cost import (
    AmbiguousAnnualizedCostError,
    CashFlow,
    CostMethod,
    CostSummary,
    NoAnnualizedCostError,
    annualized_cost,
    cost_of,
)
from loans.engine.codec import InvalidInputError, Reader, UnreadableNumber, shown, shown_key
from loans.engine.events import InvalidEventError, event_from_json
from loans.engine.explanation import (
    UnknownNumberError,
    explain,
    explain_signed_cost,
    main_keys,
    value_of,
)
from loans.engine.servicing import (
    Disbursed,
    Event,
    InstallmentState,
    Line,
    LoanState,
    Reversed,
    replay,
)
from loans.engine.state import Buckets
from loans.engine.terms import LoanTerms, Method
from zhixin.shared.money import Money, Rounding

Answer = dict[str, object]

_REMARKS: Final = ("source", "expected", "note", "notes", "description", "comment", "tolerance")
_ROUNDINGS: Final = (Rounding.HALF_EVEN, Rounding.HALF_UP)
_SIX_PLACES: Final = Decimal("0.000001")
_DAYS_A_YEAR: Final = 365
_SIGNED_COST: Final = "annualized_cost"
_MOST_PERIODS: Final = 1_000_000
_PLAIN_FRACTION: Final = re.compile(r"-?\d+(\.\d+|/\d+)?", re.ASCII)
_LONGEST_NAME: Final = 60
_LONGEST_HALF: Final = 500
_INSIDE_A_CASE: Final = 2
_MOST_DIGITS: Final = 30
_LONGEST_FRACTION: Final = 40


class InvalidCaseError(ValueError):
    """A case cannot be answered; the message is one line that names case, key and mend."""


def answer_text(text: str, answer_case: Callable[[object], Answer]) -> str:
    """Return the answer, as JSON, to a case alone or to {"cases": [...]}.

    Raises InvalidCaseError for the first case that cannot be read; then nothing is answered.
    """
    data = _parse(text)
    if isinstance(data, list):
        raise InvalidCaseError('input: is a list. Write {"cases": [...]}.')
    if not isinstance(data, dict) or "cases" not in data:
        return json.dumps(_answer(data, 1, answer_case), ensure_ascii=False, indent=1)
    cases = _read_cases(data)
    answers = [_answer(case, number, answer_case) for number, case in enumerate(cases, 1)]
    return json.dumps({"cases": answers}, ensure_ascii=False, indent=1)


def answer_replay(case: object) -> Answer:
    """Return the state of one loan as the format's keys."""
    reader = Reader(case, where="", error=InvalidInputError)
    _skip_remarks(reader)
    identity = reader.text("id")
    terms = _read_terms(reader)
    events = _read_events(reader, terms)
    as_of = reader.optional(reader.date, "as_of")
    asked = reader.optional(lambda key: _read_keys(reader, key), "explain")
    reader.finish()
    if as_of is None:
        dates = [event.effective_date for event in events]
        as_of = max(dates, default=terms.disbursement_date)
    state = _replay(terms, events, as_of)
    cost = _cost_of(terms)
    keys = (*main_keys(state), _SIGNED_COST) if asked is None else asked
    lines = _lines_of(reader, terms, state, keys)
    return {
        "id": identity,
        "as_of": as_of.isoformat(),
        "status": state.status.value,
        "installments": [_installment(row) for row in state.installments],
        "totals": _totals(state),
        "outstanding": state.outstanding.to_json(),
        "due_now": state.due_now.to_json(),
        "payable_now": str(state.payable_now),
        "overdue": state.overdue.to_json(),
        "payoff_amount": str(state.payoff_amount),
        "prepaid": str(state.prepaid),
        "overpaid": str(state.overpaid),
        "days_past_due": state.days_past_due,
        "bucket": state.bucket,
        "classification": state.classification.value,
        "penalty_accrued": str(state.penalty_accrued),
        "annualized_cost_pct": _percent(cost.effective_annualized_cost) if cost else None,
        "nominal_annualized_cost_pct": _percent(cost.nominal_annualized_cost) if cost else None,
        "without_effect": list(state.without_effect),
        "balances": {
            account.value: str(amount) for account, amount in state.balances.items() if amount
        },
        "explained": {
            key: f"{sum(line.amount for line in found):f}"
            if key == _SIGNED_COST
            else _number(value_of(state, key))
            for key, found in lines.items()
        },
        "lines": [{"of": key, **_line(line)} for key, found in lines.items() for line in found],
    }


def answer_annualized_cost(case: object) -> Answer:
    """Return the annualized cost of one set of flows, or the error in its place."""
    reader = Reader(case, where="", error=InvalidInputError)
    _skip_remarks(reader)
    identity = reader.text("id")
    method = reader.choice("method", CostMethod)
    per_year = reader.optional(lambda key: _fraction(reader, key), "periods_per_year")
    if per_year is not None and per_year <= 0:
        reader.fail("periods_per_year", f"{per_year} is not positive", "Write 12 for months")
    flows = _read_flows(reader, per_year)
    reader.finish()
    if method is CostMethod.NOMINAL and per_year is None:
        reader.fail("periods_per_year", "is missing", "Add it: 12 for months")
    try:
        rate = annualized_cost(flows, method=method, periods_per_year=per_year)
    except (NoAnnualizedCostError, AmbiguousAnnualizedCostError) as error:
        return {"id": identity, "error": f"case {identity[:_LONGEST_NAME]}: flows: {error}."}
    return {"id": identity, "annualized_cost_pct": _percent(rate)}


def _parse(text: str) -> object:
    if not text.strip():
        raise InvalidCaseError('input: is empty. Write {"cases": [...]}.')
    doubles: list[str] = []
    try:
        data: object = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=Decimal,
            object_pairs_hook=partial(_object, doubles),
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidCaseError(
            f"input: is not JSON at {where} ({error.msg}). Mend the text there."
        ) from None
    except RecursionError:
        raise InvalidCaseError("input: is nested too deeply. Write a flat case.") from None
    if doubles:
        _refuse_double_keys(data)
    return data


def _decimal(digits: str) -> Decimal | UnreadableNumber:
    try:
        return Decimal(digits)
    except ArithmeticError:  # An exponent beyond those of the decimal module.
        return UnreadableNumber(digits)


def _integer(digits: str) -> int | UnreadableNumber:
    try:
        return int(digits)
    except ValueError:  # More digits than Python turns into a number.
        return UnreadableNumber(digits)


class _Doubled(dict[str, object]):
    """An object of JSON in which the key `double` stands twice."""

    double = ""


def _object(doubles: list[str], pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; note in `doubles` the first of its keys that stands twice."""
    data = dict(pairs)
    if len(data) == len(pairs):
        return data
    seen: set[str] = set()
    doubled = _Doubled(data)
    for key, _ in pairs:
        if key in seen:
            doubled.double = key
            doubles.append(key)
            break
        seen.add(key)
    return doubled


def _refuse_double_keys(data: object) -> None:
    """Refuse the first object in which a key stands twice; name its case and its place."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), data)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _Doubled):
            where = _place_of(data, (*place, value.double))
            raise InvalidCaseError(f"{where}: stands twice in one object. Remove one.")
        inside: list[tuple[str | int, object]] = []
        if isinstance(value, dict):
            inside = list(value.items())
        elif isinstance(value, list):
            inside = list(enumerate(value))
        waiting += [((*place, part), each) for part, each in reversed(inside)]


def _place_of(data: object, place: Sequence[str | int]) -> str:
    """Return the case and the key, as `case a: terms.fees`, that a place in the text lies in."""
    case, number = data, 1
    if isinstance(data, dict) and "cases" in data:
        cases = data["cases"]
        if place[0] != "cases" or len(place) <= _INSIDE_A_CASE or not isinstance(cases, list):
            return f"input: {_joined(place)}"
        number = int(place[1]) + 1
        case, place = cases[number - 1], place[_INSIDE_A_CASE:]
    elif isinstance(data, list):
        return f"input: {_joined(place)}"
    doubled_id = isinstance(case, _Doubled) and case.double == "id"
    return f"case {number if doubled_id else _name_of(case, number)}: {_joined(place)}"


def _joined(place: Sequence[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{shown_key(part)}" for part in place)
    return _not_long("".join(parts).removeprefix("."))


def _read_cases(data: dict[str, object]) -> list[object]:
    """Return the cases of {"cases": [...]}; refuse other keys, and one id for two cases."""
    cases = data["cases"]
    if not isinstance(cases, list):
        raise InvalidCaseError('input: cases: is not a list. Write {"cases": [...]}.')
    reader = Reader(data, where="input", error=InvalidInputError)
    reader.has("cases")
    _skip_remarks(reader)
    try:
        reader.finish()
    except InvalidInputError as error:
        raise InvalidCaseError(f"input: {str(error).removeprefix('input.')}") from None
    places: dict[str, int] = {}
    for number, case in enumerate(cases, 1):
        name = case.get("id") if isinstance(case, dict) else None
        if isinstance(name, str) and places.setdefault(name, number) != number:
            raise InvalidCaseError(
                f"case {number}: id: {shown(name)} is the id of case {places[name]} too. "
                "Give each case an id of its own."
            )
    return cases


def _answer(case: object, number: int, answer_case: Callable[[object], Answer]) -> Answer:
    try:
        return answer_case(case)
    except InvalidInputError as error:
        message = _not_long(" ".join(str(error).lstrip(": ").split()))
        raise InvalidCaseError(f"case {_name_of(case, number)}: {message}") from None


def _name_of(case: object, number: int) -> str:
    """Return the id of a case as messages show it, else its number."""
    stated = case.get("id") if isinstance(case, dict) else None
    if isinstance(stated, str) and stated.strip() and stated.isprintable():
        return stated[:_LONGEST_NAME]
    return str(number)


def _not_long(message: str) -> str:
    """Return a message that somebody's names made long without its middle."""
    if len(message) <= 2 * _LONGEST_HALF:
        return message
    return f"{message[:_LONGEST_HALF]} ... {message[-_LONGEST_HALF:]}"


def _cost_of(terms: LoanTerms) -> CostSummary | None:
    """Return what the loan costs, None where the rate is too large to be stated."""
    try:
        return cost_of(terms)
    except NoAnnualizedCostError:
        return None


def _replay(terms: LoanTerms, events: Sequence[Event], as_of: dt.date) -> LoanState:
    """Return the state; an error names the event by its place in the case."""
    try:
        return replay(terms, events, as_of)
    except InvalidEventError as error:
        names = [event.event_id for event in events]
        if error.event_id not in names:
            raise
        raise error.placed(f"events[{names.index(error.event_id)}]") from None


def _skip_remarks(reader: Reader) -> None:
    for key in _REMARKS:
        reader.has(key)


def _read_terms(reader: Reader) -> LoanTerms:
    """Return the terms; refuse what the format does not allow, or what would have no effect."""
    data = reader.raw("terms")
    rounding = data.get("rounding") if isinstance(data, dict) else None
    if rounding is not None and rounding not in _ROUNDINGS:
        known = isinstance(rounding, str) and rounding in set(Rounding)
        reader.fail(
            "terms.rounding",
            f"{shown(rounding)} is " + ("not for interest and fees" if known else "unknown"),
            "Write one of " + ", ".join(_ROUNDINGS),
        )
    terms = LoanTerms.from_json(data)
    if terms.grace_principal_periods and terms.method is Method.BULLET:
        reader.fail(
            "terms.grace_principal_periods",
            "has no effect on BULLET, which has one installment",
            "Remove it",
        )
    return terms


def _read_events(reader: Reader, terms: LoanTerms) -> tuple[Event, ...]:
    """Return the events in their places; a payout that the case does not state comes last.

    An id that the case leaves out (a reversal's, or this payout's) is never one that it gives.
    """
    items = reader.listing("events") if reader.has("events") else []
    events = [
        event_from_json(item, sequence=number, where=f"events[{number - 1}]")
        for number, item in enumerate(items, 1)
    ]
    nameless = [isinstance(item, dict) and "id" not in item for item in items]
    _refuse_double_ids(events, nameless)
    given = {event.event_id for event, none in zip(events, nameless, strict=True) if not none}
    events = [
        replace(event, event_id=_unlike(event.event_id, given)) if none else event
        for event, none in zip(events, nameless, strict=True)
    ]
    if not any(isinstance(event, Disbursed) for event in events):
        payout = Disbursed(
            event_id=_unlike("disbursement", given),
            effective_date=terms.disbursement_date,
            sequence=0,
            amount=terms.principal,
        )
        events.append(payout)
    return tuple(events)


def _unlike(name: str, given: Collection[str]) -> str:
    """Return `name`, with the first number behind it that makes it none of the given ids."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(free for free in names if free not in given)


def _refuse_double_ids(events: Sequence[Event], nameless: Sequence[bool]) -> None:
    """Refuse one id for two events, and two reversals of one event that have no id."""
    places: dict[tuple[str, bool], int] = {}
    for place, (event, none) in enumerate(zip(events, nameless, strict=True)):
        first = places.setdefault((event.event_id, none), place)
        if first == place:
            continue
        problem = f"{shown(event.event_id)} is the id of events[{first}] too"
        if none and isinstance(event, Reversed):
            problem = f"{shown(event.of)} is reversed twice by reversals without an id of their own"
        raise InvalidEventError(
            key=f"events[{place}].id", problem=problem, mend="Give each event an id of its own"
        )


def _read_keys(reader: Reader, key: str) -> tuple[str, ...]:
    """Return the numbers that a case wants explained, each once, in its order."""
    keys: list[str] = []
    for index, item in enumerate(reader.listing(key)):
        if not isinstance(item, str):
            reader.fail(f"{key}[{index}]", f"{shown(item)} is not a text", 'Write "payoff_amount"')
        keys.append(item)
    return tuple(dict.fromkeys(keys))


def _lines_of(
    reader: Reader, terms: LoanTerms, state: LoanState, keys: Sequence[str]
) -> dict[str, tuple[Line, ...]]:
    """Return the lines behind each number asked for; refuse a number that there is not."""
    lines: dict[str, tuple[Line, ...]] = {}
    for key in keys:
        try:
            found = explain_signed_cost(terms) if key == _SIGNED_COST else explain(state, key)
        except UnknownNumberError as error:
            nearest = ", ".join(shown_key(each) for each in error.nearest)
            problem = f"{shown(key)} is no number of this loan"
            reader.fail("explain", problem, f"Write one of {nearest}")
        lines[key] = found
    return lines


def _read_flows(reader: Reader, per_year: Fraction | None) -> tuple[CashFlow, ...]:
    items = reader.listing("flows")
    flows: list[CashFlow] = []
    first: dt.date | None = None
    placed_by = ""
    for index, item in enumerate(items):
        flow = Reader(item, where=f"flows[{index}]", error=InvalidInputError)
        amount = flow.money("amount")
        kinds = [key for key in ("years", "date", "period") if flow.has(key)]
        if len(kinds) != 1 or (placed_by and kinds[0] != placed_by):
            flow.fail(
                kinds[0] if kinds else "years",
                "does not place every flow in the same one way",
                "Give each flow years, or date, or period",
            )
        placed_by = kinds[0]
        if placed_by == "date":
            day = flow.date("date")
            first = first or day
            years = Fraction((day - first).days, _DAYS_A_YEAR)
        elif placed_by == "period":
            number = flow.integer("period", least=0, most=_MOST_PERIODS)
            years = number / (per_year or Fraction(1))
        else:
            years = _fraction(flow, "years")
        flow.finish()
        flows.append(CashFlow(amount=amount, years=years))
    return tuple(flows)


def _fraction(reader: Reader, key: str) -> Fraction:
    value = reader.raw(key)
    mend = 'Write a fraction such as "1/12"'
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        reader.fail(key, f"{shown(value)} is not a fraction", mend)
    if len(str(value)) > _LONGEST_FRACTION:
        reader.fail(key, "is too long", mend)
    plain = not isinstance(value, str) or _PLAIN_FRACTION.fullmatch(value)
    if not plain or (isinstance(value, Decimal) and abs(value.adjusted()) > _MOST_DIGITS):
        reader.fail(key, f"{shown(value)} is not a fraction", mend)
    try:
        number = Fraction(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        reader.fail(key, f"{shown(value)} is not a fraction", mend)
    if abs(number) > _MOST_PERIODS:
        reader.fail(key, f"{shown(value)} is too large", mend)
    return number


def _percent(rate: Decimal) -> str:
    percent = (rate * 100).quantize(_SIX_PLACES)
    return f"{percent or abs(percent):f}"


def _installment(row: InstallmentState) -> Answer:
    return {
        "number": row.number,
        "plan": row.plan,
        "due_date": row.due_date.isoformat(),
        "payable_through": row.payable_through.isoformat(),
        "days": row.days,
        "principal": str(row.principal),
        "interest": str(row.interest),
        "fees": str(row.fees),
        "penalty": str(row.penalty),
        "total": str(row.total),
        "balance": str(row.balance),
        "paid": str(row.paid.total),
        "waived": str(row.waived.total),
        "moved": str(row.moved.total),
        "outstanding": str(row.outstanding.total),
        "days_late": row.days_late,
        "paid_on": None if row.paid_on is None else row.paid_on.isoformat(),
    }


def _totals(state: LoanState) -> Answer:
    outstanding = Money(sum(row.outstanding.total.cents for row in state.installments))
    scheduled: Buckets = state.totals.scheduled
    return {
        **scheduled.to_json(),
        "paid": str(state.totals.paid.total),
        "waived": str(state.totals.waived.total),
        "outstanding": str(outstanding),
    }


def _number(value: Money | Decimal) -> str:
    return str(value) if isinstance(value, Money) else f"{value:f}"


def _line(line: Line) -> Answer:
    return {
        "amount": f"{line.amount:f}",
        "rule": line.rule,
        "text": line.text_key,
        "base": None if line.base is None else str(line.base),
        "rate": None if line.rate is None else f"{line.rate:f}",
        "days": line.days,
        "time": " × ".join(f"{part}/{whole}" for part, whole in line.time) or None,
        "from": None if line.start is None else line.start.isoformat(),
        "to": None if line.end is None else line.end.isoformat(),
        "installment": line.number,
        "event": line.event_id,
    }
