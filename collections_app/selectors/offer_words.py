"""What an offer is called, what it asks for and how it compares, in the reader's language."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, npgettext

from collections_app.engine.hardship import CreditFileEffect, OfferKind
from collections_app.models import HardshipOffer
from zhixin.shared.money import Money, total
from zhixin.shared.rates import percent_text
from zhixin.shared.templatetags.zhixin import money_change, plain_date

_SUMMARIES = {
    OfferKind.LONGER_TERM: gettext_lazy(
        "Smaller payments, for longer. The rate falls, so that time does not eat the relief."
    ),
    OfferKind.INTEREST_FREEZE: gettext_lazy(
        "Every yuan that you pay makes the debt smaller; the payments become a little smaller too."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment of a plan as `components/schedule_table.html` shows it."""

    number: int
    due_date: datetime.date
    principal: Money
    interest: Money
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The last line of a schedule."""

    principal: Money
    interest: Money
    total: Money


def title_of(offer: HardshipOffer) -> str:
    """Return what the offer is called."""
    if offer.kind == OfferKind.DEFERRAL:
        return npgettext(
            "offer", "Pay a month later", "Pay %(months)d months later", offer.months
        ) % {"months": offer.months}
    if offer.kind == OfferKind.INTEREST_FREEZE:
        return ngettext(
            "%(months)d month without interest", "%(months)d months without interest", offer.months
        ) % {"months": offer.months}
    return ngettext(
        "%(months)d payment at a lower rate", "%(months)d payments at a lower rate", offer.months
    ) % {"months": offer.months}


def summary_of(offer: HardshipOffer) -> str:
    """Return in a sentence or two what the plan does."""
    if offer.kind != OfferKind.DEFERRAL:
        return str(_SUMMARIES[OfferKind(offer.kind)])
    first = {"date": plain_date(offer.first_due_date)}
    if offer.credit_file_effect == CreditFileEffect.CHANGED_BEFORE_LATE:
        return (
            _(
                "Nothing to pay until %(date)s, a month later than planned. All remaining payments"
                " move with it, and interest runs on meanwhile."
            )
            % first
        )
    return (
        _(
            "Nothing to pay until %(date)s, a month after your next due date. What you missed and"
            " all remaining payments follow from then on, and interest runs on meanwhile."
        )
        % first
    )


def rate_text(offer: HardshipOffer) -> str:
    """Return the rate a year, and until when there is none."""
    rate = percent_text(offer.annual_rate_new)
    if offer.interest_free_until is None:
        return rate
    until = {"date": plain_date(offer.interest_free_until), "rate": rate}
    return _("none through %(date)s, then %(rate)s") % until


def rate_note(offer: HardshipOffer) -> str:
    """Return how the rate compares with the one so far."""
    if offer.interest_free_until is not None:
        return _("none through %(date)s") % {"date": plain_date(offer.interest_free_until)}
    if offer.annual_rate_new < offer.annual_rate_old:
        return _("so far %(rate)s") % {"rate": percent_text(offer.annual_rate_old)}
    return _("as before")


def difference_text(offer: HardshipOffer) -> str:
    """Return in words what the plan costs more, or less, in all."""
    difference = offer.difference
    if not difference:
        return _("costs the same")
    amount = money_change(difference).lstrip("+−")
    if difference.cents > 0:
        return _("costs %(amount)s more") % {"amount": amount}
    return _("costs %(amount)s less") % {"amount": amount}


def record_text(effect: CreditFileEffect) -> str:
    """Return what the plan does to the credit file, in few words."""
    if effect is CreditFileEffect.CHANGED_BEFORE_LATE:
        return _("nothing late")
    return _("no more late days")


def schedule_of(offer: HardshipOffer) -> tuple[PaymentRow, ...]:
    """Return the payments of the plan."""
    return tuple(
        PaymentRow(
            number=payment["number"],
            due_date=datetime.date.fromisoformat(payment["due_date"]),
            principal=Money.parse(payment["principal"]),
            interest=Money.parse(payment["interest"]),
            total=Money.parse(payment["total"]),
        )
        for payment in offer.schedule
    )


def totals_of(schedule: Sequence[PaymentRow]) -> Totals:
    """Return the sums of the payments."""
    return Totals(
        principal=total(row.principal for row in schedule),
        interest=total(row.interest for row in schedule),
        total=total(row.total for row in schedule),
    )
