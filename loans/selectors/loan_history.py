"""What has happened to a loan, told to its borrower: the history and the plan in force."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from loans.engine.events import (
    ChargedOff,
    Disbursed,
    Disputed,
    DisputeResolved,
    DueDateMoved,
    Event,
    PlanChanged,
    Recovered,
    Refunded,
    Repaid,
    Reversed,
    Waived,
)
from loans.engine.state import LoanState
from loans.models import BankTransfer, LoanEvent
from loans.models.loan import EVENT_LABELS, PLAN_CHANGE_LABELS
from loans.selectors.disputed import ended_with_plan
from loans.selectors.documents.letter import in_a_row
from loans.selectors.explanations import WhyLine, why
from loans.selectors.servicing import engine_event
from zhixin.shared.money import Money, total
from zhixin.shared.templatetags.zhixin import plain_date


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Something that happened to the loan; `why` says where a payment of `amount` went.

    `taken_back_on` is set where it counts no more.
    """

    title: str
    when: datetime.date
    text: str
    tone: str
    icon: str
    receipt: BankTransfer | None
    amount: Money
    why: tuple[WhyLine, ...]
    taken_back_on: datetime.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInForce:
    """The plan that took the agreement's place; `free_until` is set while interest rests."""

    since: datetime.date
    text: str
    free_until: datetime.date | None


def plan_in_force(rows: Sequence[LoanEvent], as_of: datetime.date) -> PlanInForce | None:
    """Return the newest plan change that was not taken back."""
    events = [engine_event(row) for row in rows]
    taken_back = {event.of for event in events if isinstance(event, Reversed)}
    changes = [
        event
        for event in events
        if isinstance(event, PlanChanged) and event.event_id not in taken_back
    ]
    if not changes:
        return None
    last = changes[-1]
    free_until = last.interest_free_until
    return PlanInForce(
        since=last.effective_date,
        text=_plan_text(last.reason),
        free_until=free_until if free_until is not None and as_of <= free_until else None,
    )


def history_of(state: LoanState, rows: Sequence[LoanEvent], *, paid_to: str) -> list[HistoryEntry]:
    """Return what happened to the loan, newest first; `paid_to` is the merchant's name, if any."""
    known = {event.event_id: event for event in state.events}
    undone = {
        event.of: event.effective_date for event in known.values() if isinstance(event, Reversed)
    }
    entries = [
        HistoryEntry(
            title=title,
            when=row.effective_date,
            text=in_a_row([text, ended_with_plan(state, event.event_id)]),
            tone="" if event.event_id in undone else tone,
            icon=icon,
            receipt=row.transfer if row.kind in (Repaid.kind, Recovered.kind) else None,
            amount=amount,
            why=why(state, f"repayment.{event.event_id}"),
            taken_back_on=undone.get(event.event_id),
        )
        for row in rows
        for event in [engine_event(row)]
        for amount in [_amount_of(event, state)]
        for title, text, tone, icon in [_tell(event, row, paid_to, known, amount)]
    ]
    return entries[::-1]


def _tell(
    event: Event, row: LoanEvent, paid_to: str, known: Mapping[str, Event], amount: Money
) -> tuple[str, str, str, str]:
    """Return title, text, tone and icon of an event; `paid_to` is the merchant's name, if any."""
    said = {"amount": f"¥{amount.amount:,.2f}"}
    card = row.transfer.card_last_four if row.transfer else ""
    texts = {
        Disbursed: (_("%(amount)s paid out") % said, _paid_to(paid_to, card), "", "bank"),
        Repaid: (_("%(amount)s repaid") % said, _from_card(card), "good", ""),
        Refunded: (_("%(amount)s returned to you") % said, _to_card(card), "", ""),
        Recovered: (_("%(amount)s repaid") % said, _from_card(card), "good", ""),
        Reversed: (_taken_back(event, known), row.reason, "late", ""),
        Waived: (_("%(amount)s was waived") % said, row.reason, "good", ""),
        PlanChanged: (_("Your new repayment plan began"), _plan_text(row.reason), "good", ""),
        # What staff note of a write-off is for the books; the page itself explains it.
        ChargedOff: (
            _("The loan was written off"),
            _("In our books. It is still owed, but nothing is added any more."),
            "",
            "file",
        ),
        Disputed: (
            _("Installment %(number)d is in dispute") % {"number": getattr(event, "number", 0)},
            _("Until it is answered it costs no late charge and does not count as late."),
            "",
            "",
        ),
        DisputeResolved: (
            _("You withdrew the dispute") if row.is_withdrawal else _("The dispute was answered"),
            _("The installment is asked for again.") if row.is_withdrawal else row.reason,
            "",
            "",
        ),
        DueDateMoved: (_("You have more time for an installment"), _more_time(event), "good", ""),
    }
    return texts.get(type(event), (_("The loan changed"), row.reason, "", ""))


def _amount_of(event: Event, state: LoanState) -> Money:
    """Return how much an event is about: what came or went, or what a waiver forgave."""
    if not isinstance(event, Waived):
        return getattr(event, "amount", Money.zero())
    forgiven = total(part.amount.total for part in state.waivers if part.event_id == event.event_id)
    # One that was taken back forgave nothing, but is told as it was ordered.
    return forgiven or total((event.principal, event.interest, event.fees, event.penalty))


def _taken_back(event: Event, known: Mapping[str, Event]) -> str:
    target = known.get(getattr(event, "of", ""))
    if isinstance(target, Disbursed):
        return _("The payout came back: nothing is owed of it")
    if isinstance(target, Repaid | Recovered):
        amount: Money = target.amount
        return _("The payment of %(amount)s was taken back") % {"amount": f"¥{amount.amount:,.2f}"}
    label = EVENT_LABELS[target.kind] if target is not None else _("An entry")
    return _("Taken back: %(what)s") % {"what": label}


def _more_time(event: Event) -> str:
    if not isinstance(event, DueDateMoved):
        return ""
    return _("Installment %(number)d can be paid through %(day)s, at no extra cost.") % {
        "number": event.number,
        "day": plain_date(event.payable_through),
    }


def _paid_to(merchant: str, card: str) -> str:
    return _("To %(merchant)s.") % {"merchant": merchant} if merchant else _to_card(card)


def _to_card(card: str) -> str:
    return _("To the account ending in %(card)s.") % {"card": card} if card else ""


def _from_card(card: str) -> str:
    return _("From the account ending in %(card)s.") % {"card": card} if card else ""


def _plan_text(reason: str) -> str:
    return str(PLAN_CHANGE_LABELS.get(reason.partition(" ")[0], ""))
