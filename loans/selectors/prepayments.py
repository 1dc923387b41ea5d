"""The choices of early repayment, with what each would lead to, in the reader's language."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from django.utils.translation import gettext_lazy as _

from loans.engine.events import Event, Repaid
from loans.engine.prepayment import PrepaymentOption, compare_prepayments, has_choice
from loans.engine.servicing import replay
from loans.engine.state import LoanState
from loans.engine.terms import PrepaymentEffect
from loans.models import BankTransfer, Loan
from loans.selectors.repayments import in_flight_transfers
from loans.selectors.servicing import events_of, terms_of
from zhixin.shared.money import Money, total

EFFECT_TITLES = {
    PrepaymentEffect.NEXT_INSTALLMENTS: _("Pay the next installments ahead"),
    PrepaymentEffect.SHORTEN_TERM: _("Finish sooner"),
    PrepaymentEffect.LOWER_INSTALLMENT: _("Pay less each time"),
}
EFFECT_HINTS = {
    PrepaymentEffect.NEXT_INSTALLMENTS: _("You pause until the money is used up."),
    PrepaymentEffect.SHORTEN_TERM: _("The installments stay; there are fewer of them."),
    PrepaymentEffect.LOWER_INSTALLMENT: _("The end stays; each installment is smaller."),
}
# The same choices when the money is too little to leave out a whole installment.
_HINT_OF_WHAT_COMES_NEXT = _("You pay just what comes next, ahead of its day.")
_HINTS_OF_LITTLE = {
    PrepaymentEffect.NEXT_INSTALLMENTS: _("Your next payment is smaller."),
    PrepaymentEffect.SHORTEN_TERM: _("The installments stay; the last one gets smaller."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRow:
    """A choice as the page of paying shows it."""

    option: PrepaymentOption
    title: str
    hint: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentChoice:
    """What can be done with the part of `amount` that exceeds everything due."""

    amount: Money
    surplus: Money
    rows: tuple[OptionRow, ...]


def prepayment_choice(
    loan: Loan,
    *,
    amount: Money,
    as_of: datetime.date,
    chosen: PrepaymentEffect | None = None,
    state: LoanState | None = None,
    in_flight: Sequence[BankTransfer] | None = None,
) -> PrepaymentChoice | None:
    """Return the choices for a repayment of `amount` today, None when nothing is to be chosen.

    What is on its way counts as paid. The one that saves most comes first, and none is chosen
    until the borrower does; but who pays exactly what the next installments ask means these, so
    that choice comes first and is chosen. `state` and `in_flight` spare reading them again.
    """
    waiting = in_flight_transfers(loan) if in_flight is None else in_flight
    terms, events = terms_of(loan), events_of(loan)
    known = (*events, *_as_if_received(waiting, events))
    state = state or replay(terms, events, as_of)
    on_its_way = total(transfer.amount for transfer in waiting)
    if not has_choice(state, amount, on_its_way=on_its_way):
        return None
    options = compare_prepayments(terms, known, amount=amount, on=as_of)
    surplus = amount - max(state.due_before_choice - on_its_way, Money.zero())
    coming = _coming(replay(terms, known, as_of) if waiting else state)
    likely = PrepaymentEffect.NEXT_INSTALLMENTS if surplus in coming else None
    return PrepaymentChoice(
        amount=amount,
        surplus=surplus,
        rows=tuple(
            OptionRow(
                option=option,
                title=str(EFFECT_TITLES[option.effect]),
                hint=str(_HINT_OF_WHAT_COMES_NEXT)
                if option.effect == likely
                else _hint(option, options),
                is_chosen=option.effect == (chosen or likely),
            )
            for option in sorted(
                options, key=lambda option: (option.effect != likely, -option.interest_saved)
            )
        ),
    )


def _coming(state: LoanState) -> list[Money]:
    """Return what the next installment asks, the next two together, and so on."""
    rows = [row for row in state.installments if not row.billed and not row.suspended]
    asked = [row.outstanding.total.cents for row in rows]
    return [Money(cents) for cents in accumulate(cents for cents in asked if cents)]


def _hint(option: PrepaymentOption, options: Iterable[PrepaymentOption]) -> str:
    """Return what a choice means; beside the one that leaves out no date, does it leave out one?"""
    (whole,) = (each for each in options if each.effect is PrepaymentEffect.LOWER_INSTALLMENT)
    dates = {
        PrepaymentEffect.NEXT_INSTALLMENTS: option.next_date == whole.next_date,
        PrepaymentEffect.SHORTEN_TERM: option.last_date == whole.last_date,
    }
    hints = _HINTS_OF_LITTLE if dates.get(option.effect) else EFFECT_HINTS
    return str(hints[option.effect])


def _as_if_received(waiting: Sequence[BankTransfer], events: Sequence[Event]) -> list[Event]:
    last = max((event.sequence for event in events), default=0)
    return [
        Repaid(
            event_id=f"on-its-way-{transfer.pk}",
            effective_date=transfer.effective_date,
            sequence=last + number,
            amount=transfer.amount,
            prepayment=PrepaymentEffect(transfer.prepayment) if transfer.prepayment else None,
        )
        for number, transfer in enumerate(waiting, start=1)
    ]
