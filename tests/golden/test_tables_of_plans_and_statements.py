"""The worked tables of docs/formulas that no command answers: a budget, its plans, a statement."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from collections_app.engine.budget import Budget, bearable
from collections_app.engine.hardship import Means, OfferKind, offers_for
from collections_app.engine.policy import POLICY
from loans.engine.events import Disbursed, Event, Repaid, Reversed
from loans.engine.servicing import replay
from loans.engine.statement import LineKind, StatementLine, statement
from loans.engine.terms import LoanTerms
from zhixin.shared.money import Money

PAGES = Path(__file__).parents[2] / "docs" / "formulas"


def table(page: str, first_column: str) -> list[list[str]]:
    """Return the rows below the header that begins with this column."""
    text = (PAGES / page).read_text() + "\n"
    header = rf"^\| {first_column} \|[^\n]*\n\|[-|]+\n"
    found = re.findall(header + r"((?:\|[^\n]*\n)+)", text, re.MULTILINE)
    assert len(found) == 1, f"{page} has {len(found)} tables that begin with {first_column}."
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()]


def case(page: str, kind: str) -> tuple[LoanTerms, list[Event], dt.date]:
    [text] = re.findall(rf"```json {kind}\n(.*?)\n```", (PAGES / page).read_text(), re.DOTALL)
    data = json.loads(text)
    terms = LoanTerms.from_json(data["terms"])
    events: list[Event] = [
        Disbursed(
            event_id="payout",
            effective_date=terms.disbursement_date,
            sequence=1,
            amount=terms.principal,
        )
    ]
    for number, row in enumerate(data["events"], start=2):
        events.append(event(row, sequence=number))
    return terms, events, dt.date.fromisoformat(data["as_of"])


def event(row: dict[str, Any], *, sequence: int) -> Event:
    on = dt.date.fromisoformat(row["date"])
    if row["type"] == "REVERSAL":
        return Reversed(event_id=row["id"], effective_date=on, sequence=sequence, of=row["of"])
    assert row["type"] == "REPAYMENT"
    amount = Money.parse(row["amount"])
    return Repaid(event_id=row["id"], effective_date=on, sequence=sequence, amount=amount)


def money(text: str) -> Money:
    return Money.parse(text.replace(",", ""))


def written(amount: Money, *, signed: bool = False) -> str:
    sign = "−" if amount < Money.zero() else "+" if signed else ""
    return f"{sign}{abs(amount.amount):,.2f}"


@pytest.mark.parametrize("row", table("hardship.md", "income"))
def test_what_a_budget_bears(row: list[str]) -> None:
    income, essentials, priority, here, elsewhere = map(money, row[:5])
    none = Money.zero()
    budget = Budget(
        income=income,
        home=essentials,
        food=none,
        transport=none,
        family=none,
        priority_debts=priority,
        other_debts=elsewhere,
    )
    found = bearable(budget=budget, income=income, owed_here=here, owed_elsewhere=elsewhere)
    assert [written(found.left_over), written(found.amount)] == row[5:]


NAMES = {
    OfferKind.DEFERRAL: "{months} month later",
    OfferKind.LONGER_TERM: "{months} payments",
    OfferKind.INTEREST_FREEZE: "{months} months without interest",
}


def test_the_plans_of_the_worked_case() -> None:
    terms, events, on = case("hardship.md", "hardship")
    offers, _ = offers_for(
        terms, events, on, means=Means(now=Money.parse("1000.00")), policy=POLICY
    )
    assert table("hardship.md", "plan \\| at most a month") == [
        [
            NAMES[offer.kind].format(months=offer.months),
            written(offer.comparison.new_installment),
            str(len(offer.schedule)),
            offer.change.first_due_date.isoformat(),
            written(offer.comparison.new_total),
            written(offer.comparison.difference, signed=True),
            f"{(offer.annual_rate_new * 100).normalize():f} %",
        ]
        for offer in offers
    ]
    [(before, to_pay, waived)] = table("hardship.md", "at most a month so far")
    for offer in offers:
        assert written(offer.old_installment) == before
        assert written(offer.comparison.old_total) == to_pay
        assert written(offer.waived_penalty) == waived


@pytest.mark.parametrize("row", table("hardship.md", "bearable"))
def test_the_plans_of_small_budgets(row: list[str]) -> None:
    terms, events, on = case("hardship.md", "hardship")
    offers, left_out = offers_for(terms, events, on, means=Means(now=money(row[0])), policy=POLICY)
    if not offers:
        [longest] = [option for option in left_out if option.kind is OfferKind.LONGER_TERM]
        assert longest.installment is not None
        assert ["none", "", written(longest.installment), ""] == row[1:]
        return
    [offer] = offers
    comparison = offer.comparison
    assert [
        NAMES[offer.kind].format(months=offer.months),
        str(len(offer.schedule)),
        written(comparison.new_installment),
        written(comparison.difference, signed=True),
    ] == row[1:]


def test_the_penalty_of_the_worked_case_is_that_of_the_loan() -> None:
    terms, events, on = case("hardship.md", "hardship")
    [(_before, _to_pay, waived)] = table("hardship.md", "at most a month so far")
    assert written(replay(terms, events, on).outstanding.penalty) == waived
    assert terms.annual_rate == Decimal("0.18")


def test_the_lines_of_the_worked_statement() -> None:
    terms, events, on = case("statement.md", "replay")
    found = statement(terms, events, start=terms.disbursement_date, end=on)
    assert table("statement.md", "date") == [
        [
            line.date.isoformat(),
            name(line),
            *(part(amount) for amount in (line.change.principal, line.change.interest)),
            part(line.change.penalty),
            written(line.balance.total),
        ]
        for line in found.lines
    ]


def name(line: StatementLine) -> str:
    if line.kind is LineKind.BILLED:
        return f"installment {line.number} due"
    if line.kind is LineKind.LATE_CHARGE:
        return "late charge"
    assert line.event is not None
    names = {"DISBURSEMENT": "payout", "REPAYMENT": "repayment", "REVERSAL": "reversal"}
    return names[line.event.kind]


def part(amount: Money) -> str:
    return written(amount, signed=True) if amount else ""
