"""The engine's explanation lines in the reader's language: base × rate × days, rule, date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loans.engine.explanation import explained_keys
from loans.engine.state import Line, LoanState
from zhixin.shared.money import Money
from zhixin.shared.rates import percent_text

_LABELS = {
    "interest_on_principal": gettext_lazy("Interest on the principal"),
    "interest_from_before_the_plan": gettext_lazy("Interest from before the new plan"),
    "penalty_on_overdue_principal": gettext_lazy("Late charge on the principal that is late"),
    "penalty_from_before_the_plan": gettext_lazy("Late charge from before the new plan"),
    "fees_from_before_the_plan": gettext_lazy("Fees from before the new plan"),
    "principal_not_due_yet": gettext_lazy("Principal that is not due yet"),
    "money_paid_ahead": gettext_lazy("Money that you paid ahead"),
    "billed_principal": gettext_lazy("Principal of installment %(number)s"),
    "billed_interest": gettext_lazy("Interest of installment %(number)s"),
    "billed_fees": gettext_lazy("Fees of installment %(number)s"),
    "billed_penalty": gettext_lazy("Late charge on installment %(number)s"),
    "rounding": gettext_lazy("Rounding to the cent"),
}


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
    """

    label: str
    formula: str
    amount: Money | None
    exact: Decimal
    rule: str
    period: str
    event: str


def why(state: LoanState, key: str) -> tuple[WhyLine, ...]:
    """Return the lines behind the number `key`; none when the state does not have the number."""
    if key not in explained_keys(state):
        return ()
    return tuple(_line(line) for line in state.explain(key))


def in_words(lines: Iterable[Line]) -> tuple[WhyLine, ...]:
    """Return lines of the engine in the reader's language, such as those of a statement."""
    return tuple(_line(line) for line in lines)


def _line(line: Line) -> WhyLine:
    settled = _settled(line.amount)
    return WhyLine(
        label=str(_LABELS[line.text_key]) % {"number": line.number},
        formula=_formula(line, settled=settled is not None),
        amount=settled,
        exact=line.amount,
        rule=line.rule,
        period=_period(line),
        event="",
    )


def _settled(amount: Decimal) -> Money | None:
    """Return the amount as Money when it is a whole number of cents."""
    cents = amount * 100
    return Money(int(cents)) if cents == cents.to_integral_value() else None


def _formula(line: Line, *, settled: bool) -> str:
    if line.base is None or line.rate is None or line.days is None:
        return "" if settled else f"¥{line.amount:,.8f}"
    days = ngettext("%(days)d day", "%(days)d days", line.days) % {"days": line.days}
    text = f"¥{line.base.amount:,.2f} × {percent_text(line.rate)} × {days}"
    return text if settled else f"{text} = ¥{line.amount:,.6f}"


def _period(line: Line) -> str:
    if line.start is None or line.end is None:
        return ""
    return _("after %(start)s, through %(end)s") % {
        "start": line.start.isoformat(),
        "end": line.end.isoformat(),
    }
