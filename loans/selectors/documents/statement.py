"""The statement of account 对账单: each change with the balance after it, and why it is so."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Event,
    PlanChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import AllocationPart, Buckets
from loans.engine.statement import LineKind, Position, Statement, StatementLine, statement
from loans.models import Loan, LoanEvent
from loans.models.loan import EVENT_LABELS
from loans.selectors.disputed import ended_with_plan
from loans.selectors.documents.form import (
    Column,
    Document,
    Fact,
    Facts,
    Section,
    Table,
    TableRow,
    Text,
)
from loans.selectors.documents.letter import borrower_name, in_a_row, letter, parties
from loans.selectors.explanations import in_words, why
from loans.selectors.servicing import engine_event, terms_of
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import money, money_change, plain_date

_EVENT_NOTES: dict[type[Event], Promise] = {
    ChargedOff: gettext_lazy("Nothing grows any more; what is owed stays owed."),
}
_MONEY_EVENTS = (Repaid, Recovered, Refunded, Disbursed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """A statement with what the database knows beside it."""

    loan: Loan
    statement: Statement
    rows: Mapping[str, LoanEvent]


def statement_document(loan: Loan, *, start: datetime.date, end: datetime.date) -> Document:
    """Return the statement from `start` through `end`, both included.

    Raises ValueError when `end` is before `start`.
    """
    rows = list(loan.events.select_related("transfer").order_by("sequence"))
    events = [engine_event(row) for row in rows]
    account = _Account(
        loan=loan,
        statement=statement(terms_of(loan), events, start=start, end=end),
        rows={str(row.event_id): row for row in rows},
    )
    period = {"start": plain_date(start), "end": plain_date(end)}
    return letter(
        loan,
        title=_("Statement of account"),
        lead=_("%(start)s through %(end)s. All amounts in CNY.") % period,
        dated=end,
        sections=(
            Section(title="", blocks=(Facts(rows=_summary(account)),)),
            Section(title=_("What happened"), blocks=(_table(account), _how_to_read())),
            Section(title=_("Ending the loan"), blocks=(Facts(rows=_payoff(account)),)),
        ),
    )


def _summary(account: _Account) -> tuple[Fact, ...]:
    """Return opening, what was added and taken off, and closing; they add up."""
    found = account.statement
    billed = found.charged.interest + found.charged.fees
    paid_out, received = _sum_of(found, Disbursed), _sum_of(found, Repaid, Recovered)
    taken_back, refunded = _taken_back(account), _sum_of(found, Refunded)
    came_back = _came_back(account)
    named = paid_out + billed + found.charged.penalty + taken_back + refunded
    named -= received + came_back
    amounts = (
        (_("Paid out to you"), paid_out),
        (_("Payout that came back to us"), -came_back),
        (_("Interest and fees billed"), billed),
        (_("Late charges"), found.charged.penalty),
        (_("Received from you"), -received),
        (_("Taken back by the bank"), taken_back),
        (_("Returned to you"), refunded),
        (_("Waived"), found.closing.total - found.opening.total - named),
    )
    return (
        *parties(account.loan, name=borrower_name(account.loan)),
        Fact(label=_("Opening balance"), value=money(found.opening.total)),
        *(Fact(label=label, value=money_change(part)) for label, part in amounts if part),
        Fact(label=_("Closing balance"), value=money(found.closing.total), is_total=True),
    )


def _sum_of(found: Statement, *kinds: type[Disbursed | Repaid | Recovered | Refunded]) -> Money:
    """Return the sum of the events of these kinds, also of those that were taken back later."""
    return Money(
        sum(
            line.event.amount.cents
            for line in found.lines
            if line.kind is LineKind.EVENT and isinstance(line.event, kinds)
        )
    )


def _came_back(account: _Account) -> Money:
    payouts = [each for each in _reversed_in(account) if isinstance(each, Disbursed)]
    return Money(sum(payout.amount.cents for payout in payouts))


def _reversed_in(account: _Account) -> list[Event]:
    """Return the events that were reversed in these days."""
    return [
        _reversed_by(account, line.event)
        for line in account.statement.lines
        if isinstance(line.event, Reversed)
    ]


def _taken_back(account: _Account) -> Money:
    targets = _reversed_in(account)
    return Money(
        sum(target.amount.cents for target in targets if isinstance(target, Repaid | Recovered))
    )


def _reversed_by(account: _Account, event: Reversed) -> Event:
    return engine_event(account.rows[event.of])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Which buckets have a column: those that are not zero throughout."""

    buckets: tuple[str, ...]

    def cells(self, position: Position, *, change: bool) -> tuple[str, ...]:
        """Return the buckets of a position; of a change with signs, and nothing for zero."""
        amounts = [getattr(position, bucket) for bucket in self.buckets]
        if not change:
            return tuple(money(amount) for amount in amounts)
        return tuple(money_change(amount) if amount else "" for amount in amounts)


_BUCKETS = {
    "principal": gettext_lazy("Principal"),
    "interest": gettext_lazy("Interest"),
    "fees": gettext_lazy("Fees"),
    "penalty": gettext_lazy("Late charge"),
    "credit": gettext_lazy("Paid ahead"),
}
_ALWAYS = ("principal", "interest")


def _shape(found: Statement) -> _Shape:
    positions = [found.opening, found.closing, *(line.change for line in found.lines)]
    return _Shape(
        buckets=tuple(
            name
            for name in _BUCKETS
            if name in _ALWAYS or any(getattr(position, name) for position in positions)
        )
    )


def _table(account: _Account) -> Table:
    found = account.statement
    shape = _shape(found)
    columns = (
        Column(label=_("Date"), share=15),
        Column(label=_("What"), share=19),
        *(Column(label=str(_BUCKETS[name]), share=11, is_number=True) for name in shape.buckets),
        Column(label=_("Balance"), share=12, is_number=True),
    )
    return Table(
        caption=_("Statement of account"),
        columns=columns,
        rows=(
            _balance_row(found.start, _("Opening balance"), found.opening, shape),
            *(_line_row(account, line, shape) for line in found.lines),
            _balance_row(found.end, _("Closing balance"), found.closing, shape),
        ),
    )


def _balance_row(day: datetime.date, label: str, position: Position, shape: _Shape) -> TableRow:
    return TableRow(
        cells=(
            plain_date(day),
            label,
            *shape.cells(position, change=False),
            money(position.total),
        ),
        kind="balance",
    )


def _line_row(account: _Account, line: StatementLine, shape: _Shape) -> TableRow:
    return TableRow(
        cells=(
            plain_date(line.date),
            _title(account, line),
            *shape.cells(line.change, change=True),
            money(line.balance.total),
        ),
        note=_note(account, line),
        why=in_words(line.because),
        kind="late" if line.kind is LineKind.LATE_CHARGE else "",
    )


def _title(account: _Account, line: StatementLine) -> str:
    titles = {
        LineKind.BILLED: _("Installment %(number)d due") % {"number": line.number or 0},
        LineKind.LATE_CHARGE: _("Late charge"),
        LineKind.UPFRONT_FEE: _("Up-front fee"),
        LineKind.CREDIT_USED: _("Money paid ahead, now used"),
        LineKind.INTEREST_TO_DATE: _("Interest for the days used"),
    }
    if line.kind in titles or line.event is None:
        return titles.get(line.kind, "")
    event = line.event
    label = account.rows[event.event_id].label
    if isinstance(event, _MONEY_EVENTS):
        return f"{label} {money(event.amount)}"
    return label


def _note(account: _Account, line: StatementLine) -> str:
    if line.kind is LineKind.BILLED and line.asked is not None:
        return _("To pay: %(amount)s (%(parts)s)") % {
            "amount": money(line.asked.total),
            "parts": _parts(line.asked),
        }
    if line.kind is not LineKind.EVENT or line.event is None:
        return ""
    row = account.rows[line.event.event_id]
    notes = [
        _about(account, line),
        ended_with_plan(account.statement.state, line.event.event_id),
        _where_it_went(line),
        str(_EVENT_NOTES.get(type(line.event), "")),
    ]
    if isinstance(line.event, PlanChanged | Waived | ChargedOff | Reversed):
        notes.insert(0, row.reason_text)
    return in_a_row(notes)


def _about(account: _Account, line: StatementLine) -> str:
    event = line.event
    if isinstance(event, Reversed):
        return _about_reversal(_reversed_by(account, event))
    transfer = account.rows[event.event_id].transfer if event is not None else None
    if transfer is None or not transfer.card_last_four:
        return ""
    said = {"card": transfer.card_last_four}
    if isinstance(event, Disbursed | Refunded):
        return _("To the account ending in %(card)s.") % said
    return _("From the account ending in %(card)s.") % said


def _about_reversal(target: Event) -> str:
    """Return what was taken back, and what follows from it."""
    if isinstance(target, Disbursed):
        return _("The payout came back: nothing is owed of it.")
    if isinstance(target, Repaid | Recovered):
        taken_back = _("The payment of %(amount)s of %(date)s was taken back.") % {
            "amount": money(target.amount),
            "date": plain_date(target.effective_date),
        }
        return in_a_row([taken_back, _("Counted since then as if it had never been paid.")])
    return in_a_row([_("Taken back: %(what)s") % {"what": EVENT_LABELS[target.kind]}])


def _where_it_went(line: StatementLine) -> str:
    allocation = line.allocation
    if allocation is None:
        return ""
    said = [_went_to(part) for part in allocation.parts]
    if allocation.credit:
        said.append(_("Held for you: %(amount)s.") % {"amount": money(allocation.credit)})
    return in_a_row(said)


def _went_to(part: AllocationPart) -> str:
    return _("Installment %(number)d: %(parts)s.") % {
        "number": part.number,
        "parts": _parts(part.amount),
    }


def _parts(amount: Buckets) -> str:
    """Return "principal ¥788.49, interest ¥100.00": the parts that are not zero."""
    named = (
        (_("principal %(amount)s"), amount.principal),
        (_("interest %(amount)s"), amount.interest),
        (_("fees %(amount)s"), amount.fees),
        (_("late charge %(amount)s"), amount.penalty),
    )
    return _(", ").join(text % {"amount": money(part)} for text, part in named if part)


def _how_to_read() -> Text:
    return Text(
        paragraphs=(
            _(
                "The balance is what is owed by what is billed, less money paid ahead. Principal "
                "is owed from the payout; an installment that is due adds its interest and fees."
            ),
        ),
        is_small=True,
    )


def _payoff(account: _Account) -> tuple[Fact, ...]:
    state = account.statement.state
    day = plain_date(state.as_of)
    if state.status in (LoanStatus.PAID_OFF, LoanStatus.OVERPAID):
        facts = [Fact(label=_("Owed on %(date)s") % {"date": day}, value=money(Money.zero()))]
        if state.overpaid:
            facts.append(Fact(label=_("To your credit"), value=money(state.overpaid)))
        return tuple(facts)
    return (
        Fact(label=_("Closing balance"), value=money(account.statement.closing.total)),
        Fact(
            label=_("Interest since the last due date, not billed yet"),
            value=money(state.accrued_interest),
            why=why(state, "accrued_interest"),
        ),
        Fact(
            label=_("To pay everything on %(date)s") % {"date": day},
            value=money(state.payoff_amount),
            is_total=True,
            why=why(state, "payoff_amount"),
        ),
    )
