"""The engine's explanation lines in the reader's language: base × rate × days, rule, date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

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
from loans.engine.explanation import UnknownNumberError
from loans.engine.explanation_billed import billed_by_day, paid_by_day
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import Line, LoanState
from zhixin.shared.money import Money
from zhixin.shared.rates import percent_text
from zhixin.shared.templatetags.zhixin import MINUS, plain_date

_LABELS = {
    "interest_on_principal": gettext_lazy("Interest on the principal"),
    "interest_from_before_the_plan": gettext_lazy("Interest from before the new plan"),
    "rest_of_interest": gettext_lazy("Rounding of all installments, which the last one takes"),
    "penalty_on_overdue_principal": gettext_lazy("Late charge on the principal that is late"),
    "penalty_from_before_the_plan": gettext_lazy("Late charge from before the new plan"),
    "fees_from_before_the_plan": gettext_lazy("Fees from before the new plan"),
    "fee_of_agreement": gettext_lazy("Fee by the agreement"),
    "principal_not_due_yet": gettext_lazy("Principal that is not due yet"),
    "principal_that_fell_due": gettext_lazy("Principal of installment %(number)s, which fell due"),
    "principal_paid_early": gettext_lazy("Principal that you repaid early"),
    "principal_before": gettext_lazy("Principal before this installment"),
    "level_installment": gettext_lazy("The same amount each time"),
    "less_its_interest": gettext_lazy("Less the interest in it"),
    "equal_principal": gettext_lazy("The same principal each time"),
    "rest_of_principal": gettext_lazy("The principal that is left"),
    "money_paid_ahead": gettext_lazy("Money that you paid ahead"),
    "held_for_later": gettext_lazy("Paid ahead, for the next installments"),
    "paid_out": gettext_lazy("Paid out"),
    "lent_again": gettext_lazy("Returned to you, and owed again"),
    "paid": gettext_lazy("Paid"),
    "received": gettext_lazy("Received"),
    "refunded": gettext_lazy("Returned to you"),
    "taken_back": gettext_lazy("Taken back, so it paid nothing"),
    "waived": gettext_lazy("Waived"),
    "moved_to_plan": gettext_lazy("Moved into the new plan"),
    "installment_total": gettext_lazy("Installment %(number)s"),
    "installment_principal": gettext_lazy("Principal"),
    "installment_interest": gettext_lazy("Interest"),
    "installment_fees": gettext_lazy("Fees"),
    "installment_penalty": gettext_lazy("Late charge"),
    "billed_principal": gettext_lazy("Principal of installment %(number)s"),
    "billed_interest": gettext_lazy("Interest of installment %(number)s"),
    "billed_fees": gettext_lazy("Fees of installment %(number)s"),
    "billed_penalty": gettext_lazy("Late charge on installment %(number)s"),
    "to_principal": gettext_lazy("Principal of installment %(number)s"),
    "to_interest": gettext_lazy("Interest of installment %(number)s"),
    "to_fees": gettext_lazy("Fees of installment %(number)s"),
    "to_penalty": gettext_lazy("Late charge on installment %(number)s"),
    "still_to_pay": gettext_lazy("Still to pay"),
    "principal_no_longer_paid": gettext_lazy("Principal of installment %(number)s, no longer paid"),
    "interest_no_longer_paid": gettext_lazy("Interest of installment %(number)s, no longer paid"),
    "fees_no_longer_paid": gettext_lazy("Fees of installment %(number)s, no longer paid"),
    "penalty_no_longer_paid": gettext_lazy("Late charge on installment %(number)s, no longer paid"),
    "principal_paid_instead": gettext_lazy(
        "Principal of installment %(number)s, which another payment pays now"
    ),
    "interest_paid_instead": gettext_lazy(
        "Interest of installment %(number)s, which another payment pays now"
    ),
    "fees_paid_instead": gettext_lazy(
        "Fees of installment %(number)s, which another payment pays now"
    ),
    "penalty_paid_instead": gettext_lazy(
        "Late charge on installment %(number)s, which another payment pays now"
    ),
    "interest_as_before": gettext_lazy("Interest of installment %(number)s, as it was before"),
    "fees_as_before": gettext_lazy("Fees of installment %(number)s, as they were before"),
    "penalty_as_before": gettext_lazy("Late charge on installment %(number)s, as it was before"),
    "no_longer_waived": gettext_lazy("No longer waived, installment %(number)s"),
    "back_from_plan": gettext_lazy("Back from the new plan, installment %(number)s"),
    "payout_undone": gettext_lazy("The payout, which came back"),
    "no_longer_held": gettext_lazy("Held for you before, and no longer"),
    "held_for_you": gettext_lazy("Held for you"),
    "other_changes": gettext_lazy("What else follows from it"),
    "rounding": gettext_lazy("Rounding to the cent"),
}
_BY_DAY = ("interest", "penalty")
_DAYS_OF_YEAR_OF_MONTHS = 360

# What set a line's base, and the event that a line itself is.
_CAUSES: dict[type[Event], Promise] = {
    Disbursed: gettext_lazy("since the payout of %(day)s"),
    Repaid: gettext_lazy("after your payment of %(day)s"),
    Recovered: gettext_lazy("after your payment of %(day)s"),
    Refunded: gettext_lazy("after the refund of %(day)s"),
    Waived: gettext_lazy("after the waiver of %(day)s"),
    PlanChanged: gettext_lazy("since your new plan of %(day)s"),
    ChargedOff: gettext_lazy("since the loan was written off on %(day)s"),
}
_ITSELF: dict[type[Event], Promise] = {
    Disbursed: gettext_lazy("payout of %(day)s"),
    Repaid: gettext_lazy("your payment of %(day)s"),
    Recovered: gettext_lazy("your payment of %(day)s"),
    Refunded: gettext_lazy("refund of %(day)s"),
    Waived: gettext_lazy("waiver of %(day)s"),
    PlanChanged: gettext_lazy("new plan of %(day)s"),
    Reversed: gettext_lazy("on %(day)s"),
}
_RULES_OF_THE_EVENT = frozenset(
    {
        "ALLOCATION",
        "LENT_AGAIN",
        "MOVED",
        "PAID_AHEAD",
        "PAID_EARLY",
        "PAYOUT",
        "RECEIVED",
        "REFUND",
        "REVERSED",
        "WAIVER",
    }
)
_LEAST_SHOWN = Decimal("1e-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyLine:
    """A line behind a number, ready for the component "why?" and for a statement.

    Attributes:
        label: what the line is.
        formula: base × rate × days, and the unrounded result where it is not whole cents.
        amount: the settled amount; None where the line is unrounded.
        exact: the amount as the fold has it; Σ exact is the number.
        rule: the rule's code (docs/formulas/explanation.md).
        period: the days that the line counts.
        event: what set the line's base, such as "after your payment of 3 May 2026".
        parts: the lines behind this line, by days, where it is interest or a late charge of an
            installment; Σ exact of the parts is `exact`.
    """

    label: str
    formula: str
    amount: Money | None
    exact: Decimal
    rule: str
    period: str
    event: str
    parts: tuple[WhyLine, ...] = ()


def why(state: LoanState, key: str) -> tuple[WhyLine, ...]:
    """Return the lines behind the number `key`; none when the state does not have the number."""
    try:
        lines = _all_due(state, state.explain(key))
    except UnknownNumberError:
        return ()
    words = (
        in_words([line], events=state.events, told=key.removeprefix("repayment.")) for line in lines
    )
    return tuple(
        replace(word, parts=_parts(state, line))
        for line, said in zip(lines, words, strict=True)
        for word in said
    )


def _all_due(state: LoanState, lines: Iterable[Line]) -> list[Line]:
    """Return the lines; what a written-off loan owes beside what is billed was returned before."""
    if state.status != LoanStatus.CHARGED_OFF:
        return list(lines)
    return [
        replace(line, rule="LENT_AGAIN", text_key="lent_again")
        if line.rule == "UNBILLED_PRINCIPAL"
        else line
        for line in lines
    ]


def why_paid(state: LoanState, event_id: str, name: str) -> tuple[WhyLine, ...]:
    """Return what the repayment `event_id` paid of a bucket, by installment, with its days."""
    lines = state.explain(f"repayment.{event_id}")
    return tuple(
        replace(word, parts=_parts(state, line))
        for line in lines
        if line.text_key == f"to_{name}"
        for word in in_words([line])
    )


def _parts(state: LoanState, line: Line) -> tuple[WhyLine, ...]:
    """Return the days behind interest or a late charge that is billed, or that was paid."""
    what, _between, name = line.text_key.partition("_")
    if line.number is None or name not in _BY_DAY:
        return ()
    if line.rule == "BILLED" and what == "billed":
        lines = billed_by_day(state, number=line.number, name=name)
    elif line.rule == "ALLOCATION" and what == "to" and line.event_id:
        lines = paid_by_day(state, number=line.number, name=name, event_id=line.event_id)
    else:
        return ()
    return in_words(lines, events=state.events)


def in_words(
    lines: Iterable[Line], *, events: Iterable[Event] = (), told: str = ""
) -> tuple[WhyLine, ...]:
    """Return lines of the engine in the reader's language, such as those of a statement.

    `events` are those that the lines may name, as `LoanState.events` has them. The event `told` is
    not named again. What rounding leaves below the eighth decimal is not shown.
    """
    known = {event.event_id: event for event in events if event.event_id != told}
    return tuple(
        _line(line, known.get(line.event_id or ""))
        for line in lines
        if line.rule != "ROUNDING" or abs(line.amount) >= _LEAST_SHOWN
    )


def on_its_way(amount: Money) -> tuple[WhyLine, ...]:
    """Return the line of payments whose outcome is not known yet; none for 0.00."""
    if not amount:
        return ()
    line = WhyLine(
        label=_("Your payment on its way"),
        formula="",
        amount=-amount,
        exact=-amount.amount,
        rule="ON_ITS_WAY",
        period="",
        event="",
    )
    return (line,)


def not_announced(amount: Money) -> tuple[WhyLine, ...]:
    """Return the line of what is due and was not announced, so is not collected; none for 0.00."""
    if not amount:
        return ()
    line = WhyLine(
        label=_("Not announced to you, so not collected"),
        formula="",
        amount=-amount,
        exact=-amount.amount,
        rule="NOT_ANNOUNCED",
        period="",
        event="",
    )
    return (line,)


def _line(line: Line, event: Event | None) -> WhyLine:
    settled = _settled(line.amount)
    return WhyLine(
        label=str(_LABELS[line.text_key]) % {"number": line.number},
        formula=_formula(line, settled=settled is not None),
        amount=settled,
        exact=line.amount,
        rule=line.rule,
        period=_period(line),
        event="" if event is None else _event(event, line.rule),
    )


def _event(event: Event, rule: str) -> str:
    texts = _ITSELF if rule in _RULES_OF_THE_EVENT else _CAUSES
    text = texts.get(type(event))
    return "" if text is None else str(text) % {"day": plain_date(event.effective_date)}


def _settled(amount: Decimal) -> Money | None:
    """Return the amount as Money when it is a whole number of cents."""
    cents = amount * 100
    return Money(int(cents)) if cents == cents.to_integral_value() else None


def _formula(line: Line, *, settled: bool) -> str:
    """Return base × rate × part of a year, and what it makes where that is not whole cents."""
    result = "" if settled else _yuan(line.amount)
    if line.base is None or line.rate is None or line.days is None:
        return result
    factors = [_yuan(line.base.amount, places=2), percent_text(line.rate)]
    factors += [f"{part}/{whole}" for part, whole in line.time] or [_days(line.days)]
    text = " × ".join(factors)
    return f"{text} = {result}" if result else text


def _yuan(amount: Decimal, places: int = 8) -> str:
    """Return the amount with `places` decimals, but with no zeros after the second."""
    whole, _point, decimals = f"{abs(amount):,.{places}f}".partition(".")
    decimals = decimals[:2] + decimals[2:].rstrip("0")
    return f"{MINUS if amount < 0 else ''}¥{whole}.{decimals}"


def _days(days: int) -> str:
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}


def _period(line: Line) -> str:
    if line.start is None or line.end is None or line.days is None:
        return ""
    period = _("after %(start)s, through %(end)s: %(days)s") % {
        "start": plain_date(line.start),
        "end": plain_date(line.end),
        "days": _days(line.days),
    }
    if any(year == _DAYS_OF_YEAR_OF_MONTHS and part != line.days for part, year in line.time):
        return _("%(period)s; each month counts as 30 days") % {"period": period}
    return period
