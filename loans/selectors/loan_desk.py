"""What staff see of a loan that they may have to correct: figures, history, what can be undone."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from loans.engine.events import Disbursed, Reversed
from loans.engine.ledger import LedgerAccount
from loans.engine.state import Buckets, LoanState
from loans.models import Loan, LoanEvent, ProposedCorrection
from loans.models.ledger import LEDGER_ACCOUNT_LABELS
from loans.models.loan import LOAN_STATUS_LABELS
from loans.models.received_money import MoneyChannel
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import NO_VALUE, money, plain_date

_NEVER_UNDONE = frozenset({Disbursed.kind, Reversed.kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One event in words, and the reversal that undid it."""

    event: LoanEvent
    details: str
    reversed_by: LoanEvent | None
    can_be_undone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One figure before and after a correction, as texts."""

    label: str
    before: str
    after: str
    is_total: bool = False

    @property
    def changes(self) -> bool:
        """Return whether the correction changes it."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """One line of the entry that a correction would book."""

    label: str
    debit: str
    credit: str


def history_of(loan: Loan) -> tuple[HistoryRow, ...]:
    """Return the loan's events in words, the newest first."""
    rows = list(_events(loan))
    by_id = {str(row.event_id): row for row in rows}
    reversals = {row.body["of"]: row for row in rows if row.kind == Reversed.kind}
    return tuple(
        HistoryRow(
            event=row,
            details=_details(row, by_id),
            reversed_by=reversals.get(str(row.event_id)),
            can_be_undone=row.kind not in _NEVER_UNDONE and str(row.event_id) not in reversals,
        )
        for row in reversed(rows)
    )


def _events(loan: Loan) -> QuerySet[LoanEvent]:
    return loan.events.select_related("received_money", "actor_user__profile").order_by("sequence")


def _details(row: LoanEvent, by_id: dict[str, LoanEvent]) -> str:
    """Return amounts, installment, date or what it is about, whichever the event has."""
    body: dict[str, Any] = row.body
    parts = []
    if "amount" in body:
        parts.append(money(Money.parse(body["amount"])))
    parts += [
        f"{label} {money(Money.parse(body[name]))}"
        for name, label in bucket_labels().items()
        if body.get(name, "0.00") != "0.00"
    ]
    if "number" in body:
        parts.append(_("Installment %(number)s") % {"number": body["number"]})
    if "payable_through" in body:
        day = plain_date(datetime.date.fromisoformat(body["payable_through"]))
        parts.append(_("to be paid by %(day)s") % {"day": day})
    about = by_id.get(str(body.get("of", "")))
    if about is not None:
        parts.append(f"{about.get_kind_display()} ({about.sequence})")
    receipt = getattr(row, "received_money", None)
    if receipt is not None:
        parts.append(f"{MoneyChannel(receipt.channel).label} {receipt.reference}")
    return " · ".join(parts)


def open_proposals(loan: Loan) -> list[ProposedCorrection]:
    """Return the corrections that wait for a second person, the oldest first."""
    waiting = ProposedCorrection.objects.filter(loan=loan, decision__isnull=True)
    return list(waiting.select_related("proposed_by").order_by("pk"))


def bucket_labels() -> dict[str, str]:
    """Return the names of the buckets of a debt, in the order of the tables."""
    return {
        "principal": _("Principal"),
        "interest": _("Interest"),
        "fees": _("Fees"),
        "penalty": _("Late charges"),
    }


def figures(before: LoanState, after: LoanState) -> tuple[FigureRow, ...]:
    """Return what people compare before and after: what is owed, how late, what comes next."""
    return (
        *_owed(before.outstanding, after.outstanding),
        FigureRow(
            label=_("Late in all"),
            before=money(before.overdue.total),
            after=money(after.overdue.total),
        ),
        FigureRow(
            label=_("Days late"), before=str(before.days_past_due), after=str(after.days_past_due)
        ),
        FigureRow(label=_("Next due"), before=_next_day(before), after=_next_day(after)),
        FigureRow(
            label=_("Next amount due"), before=_next_amount(before), after=_next_amount(after)
        ),
        FigureRow(label=_("Credit"), before=_credit(before), after=_credit(after)),
        FigureRow(
            label=_("Status"),
            before=str(LOAN_STATUS_LABELS[before.status]),
            after=str(LOAN_STATUS_LABELS[after.status]),
        ),
    )


def _owed(before: Buckets, after: Buckets) -> tuple[FigureRow, ...]:
    parts = (
        FigureRow(
            label=label, before=money(getattr(before, name)), after=money(getattr(after, name))
        )
        for name, label in bucket_labels().items()
    )
    whole = FigureRow(
        label=_("Pays everything today"),
        before=money(before.total),
        after=money(after.total),
        is_total=True,
    )
    return (*parts, whole)


def _next_day(state: LoanState) -> str:
    return NO_VALUE if state.next_due is None else plain_date(state.next_due.date)


def _next_amount(state: LoanState) -> str:
    return NO_VALUE if state.next_due is None else money(state.next_due.amount)


def _credit(state: LoanState) -> str:
    return money(-state.balances[LedgerAccount.BORROWER_CREDIT])


def journal_rows(changes: tuple[tuple[LedgerAccount, Money], ...]) -> tuple[JournalRow, ...]:
    """Return the lines of an entry: a positive change is a debit."""
    return tuple(
        JournalRow(
            label=str(LEDGER_ACCOUNT_LABELS[account]),
            debit=money(change) if change > Money.zero() else "",
            credit=money(-change) if change < Money.zero() else "",
        )
        for account, change in changes
    )
