"""What the pages of help show, in the reader's language."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.selectors.profiles import profile_of
from collections_app.engine.hardship import CreditFileEffect, OfferKind, WhyNot
from collections_app.models import (
    OFFER_KIND_LABELS,
    Case,
    HardshipOffer,
    HardshipPlan,
    HardshipRequest,
)
from collections_app.models.hardship import BUDGET_FIELDS
from collections_app.selectors.offer_words import (
    PaymentRow,
    Totals,
    difference_text,
    rate_note,
    rate_text,
    record_text,
    schedule_of,
    summary_of,
    title_of,
    totals_of,
)
from loans.selectors.disputed import DisputeNews, dispute_news
from loans.selectors.servicing import loan_state
from zhixin.shared.money import Money, total
from zhixin.shared.rates import percent_text
from zhixin.shared.templatetags.zhixin import money, money_change, plain_date

CREDIT_FILE_TEXTS = {
    CreditFileEffect.CHANGED_BEFORE_LATE: gettext_lazy(
        "Nothing is late, so no late payment is added. The record says that the plan was changed"
        " by agreement."
    ),
    CreditFileEffect.CHANGED_AFTER_LATE: gettext_lazy(
        "The days that are late already stay. No more are added while you keep the plan. The"
        " record says that the plan was changed by agreement."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCard:
    """An offer as `components/offer_card.html` shows it."""

    title: str
    summary: str
    badge: str
    badge_tone: str
    installment: Money
    installment_label: str
    installment_note: str
    rows: tuple[dict[str, Any], ...]
    url: str
    submit_label: str
    method: str = "get"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An option that is not offered, and why."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OffersPage:
    """The offers side by side; cheapest in all first.

    `dispute` is what is in dispute while none is accepted: a plan would end it.
    """

    request: HardshipRequest
    cards: tuple[OfferCard, ...]
    left_out: tuple[LeftOut, ...]
    budget_rows: tuple[dict[str, Any], ...]
    is_current: bool
    accepted: HardshipPlan | None
    dispute: DisputeNews | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPage:
    """One offer with everything that accepting it means (conduct HS-04, HS-16).

    `dispute` is what is in dispute while none is accepted: this plan would end it.
    """

    offer: HardshipOffer
    title: str
    summary: str
    compared: tuple[dict[str, Any], ...]
    owed_rows: tuple[dict[str, Any], ...]
    schedule: tuple[PaymentRow, ...]
    totals: Totals
    credit_file: str
    is_current: bool
    accepted: HardshipPlan | None
    dispute: DisputeNews | None


def budget_of(user: User, *, loan_id: int) -> dict[str, Money | str | None]:
    """Return what is known of the person's month: the last budget, or else the profile."""
    latest = HardshipRequest.objects.filter(loan_id=loan_id).order_by("-pk").first()
    if latest is not None:
        known = {name: getattr(latest, name) for name in BUDGET_FIELDS}
        return {**known, "reason": latest.reason}
    profile = profile_of(user)
    if profile is None or profile.monthly_income is None:
        return {}
    return {
        "income": profile.monthly_income + (profile.other_income or Money.zero()),
        "home": profile.housing_cost,
        "food": profile.living_costs,
        "other_debts": profile.debt_total,
    }


def waits_for_person_since(loan_id: int) -> datetime.datetime | None:
    """Return since when the borrower waits for a person, or None."""
    asked = Case.objects.open().filter(loan_id=loan_id, person_asked_at__isnull=False)
    return asked.values_list("person_asked_at", flat=True).first()


def offers_page(
    request: HardshipRequest, *, business_date: datetime.date, event_count: int
) -> OffersPage:
    """Return the offers of a request; `is_current` tells whether they may still be accepted."""
    offers = sorted(request.offers.all(), key=lambda offer: (offer.new_total, offer.pk))
    is_current = request.business_date == business_date and request.event_count == event_count
    accepted = HardshipPlan.objects.filter(offer__request=request).first()
    cheapest = offers[0].pk if len(offers) > 1 else None
    lowest = min(offers, key=lambda offer: offer.new_installment).pk if len(offers) > 1 else None
    return OffersPage(
        request=request,
        cards=tuple(
            _card(
                offer,
                is_cheapest=offer.pk == cheapest,
                is_lowest=offer.pk == lowest,
                is_current=is_current,
            )
            for offer in offers
        ),
        left_out=tuple(_left_out(option) for option in request.not_offered),
        budget_rows=tuple(_budget_rows(request)),
        is_current=is_current,
        accepted=accepted,
        dispute=None if accepted else _in_dispute(request, business_date),
    )


def offer_page(
    offer: HardshipOffer, *, business_date: datetime.date, event_count: int
) -> OfferPage:
    """Return everything that accepting the offer means."""
    request = offer.request
    schedule = schedule_of(offer)
    accepted = HardshipPlan.objects.filter(offer__request=request).first()
    return OfferPage(
        offer=offer,
        title=title_of(offer),
        summary=summary_of(offer),
        compared=_compared(offer),
        owed_rows=tuple(_owed_rows(offer)),
        schedule=schedule,
        totals=totals_of(schedule),
        credit_file=str(CREDIT_FILE_TEXTS[CreditFileEffect(offer.credit_file_effect)]),
        is_current=offer.valid_on == business_date and request.event_count == event_count,
        accepted=accepted,
        dispute=None if accepted else _in_dispute(request, business_date),
    )


def _in_dispute(request: HardshipRequest, business_date: datetime.date) -> DisputeNews | None:
    state = loan_state(request.loan, as_of=business_date)
    return dispute_news(state, on_its_way=Money.zero())


def _card(
    offer: HardshipOffer, *, is_cheapest: bool, is_lowest: bool, is_current: bool
) -> OfferCard:
    badge = _("Costs least in all") if is_cheapest else _("Least each month") if is_lowest else ""
    return OfferCard(
        title=title_of(offer),
        summary=summary_of(offer),
        badge=badge,
        badge_tone="good" if badge else "",
        installment=offer.new_installment,
        installment_label=_("Each month at most"),
        installment_note=_("so far %(amount)s") % {"amount": money(offer.old_installment)},
        rows=tuple(_offer_rows(offer)),
        url=reverse("collections:offer", args=[offer.public_id]) if is_current else "",
        submit_label=_("Look at this one closely"),
    )


def _offer_rows(offer: HardshipOffer) -> list[dict[str, Any]]:
    return [
        {"label": _("First payment"), "value": plain_date(offer.first_due_date)},
        {
            "label": _("Until"),
            "value": plain_date(offer.new_end),
            "note": _("so far %(date)s") % {"date": plain_date(offer.old_end)},
        },
        {
            "label": _("Still to pay in all"),
            "amount": offer.new_total,
            "note": _("so far %(amount)s") % {"amount": money(offer.old_total)},
            "is_total": True,
        },
        {"label": _("Difference"), "value": difference_text(offer)},
        {
            "label": _("Interest a year"),
            "value": percent_text(offer.annual_rate_new),
            "note": rate_note(offer),
        },
        {"label": _("Late charges waived"), "amount": offer.waived_penalty},
        {
            "label": _("Your record"),
            "value": record_text(CreditFileEffect(offer.credit_file_effect)),
            "note": _("noted: changed by agreement"),
        },
    ]


def _compared(offer: HardshipOffer) -> tuple[dict[str, Any], ...]:
    """Return the rows of "so far" against "with this plan"."""
    old_rate, new_rate = percent_text(offer.annual_rate_old), rate_text(offer)
    return (
        {
            "label": _("Each month at most"),
            "old": money(offer.old_installment),
            "new": money(offer.new_installment),
        },
        {"label": _("Payments"), "old": offer.old_count, "new": offer.new_count},
        {"label": _("Until"), "old": plain_date(offer.old_end), "new": plain_date(offer.new_end)},
        {"label": _("Interest a year"), "old": old_rate, "new": new_rate},
        {
            "label": _("Still to pay in all"),
            "old": money(offer.old_total),
            "new": money(offer.new_total),
        },
    )


def _owed_rows(offer: HardshipOffer) -> list[dict[str, Any]]:
    """Return what is owed on the day of the offer and what becomes of each part (HS-04)."""
    owed = loan_state(offer.request.loan, as_of=offer.valid_on).outstanding
    return [
        {"label": _("Principal"), "amount": owed.principal},
        {
            "label": _("Interest up to today"),
            "amount": owed.interest,
            "note": _("spread over the payments; bears no interest itself"),
        },
        {
            "label": _("Late charges"),
            "amount": owed.penalty,
            "note": _("waived by this plan") if owed.penalty else "",
        },
        {"label": _("Owed today"), "amount": owed.total, "is_total": True},
    ]


def _left_out(option: dict[str, Any]) -> LeftOut:
    return LeftOut(title=str(OFFER_KIND_LABELS[OfferKind(option["kind"])]), text=_why_not(option))


def _why_not(option: dict[str, Any]) -> str:
    reason = WhyNot(option["reason"])
    if reason is WhyNot.ABOVE_BUDGET and option["installment"]:
        return _(
            "It would still ask for %(amount)s a month, more than your budget bears. We do not"
            " offer a plan that you could not keep."
        ) % {"amount": money(Money.parse(option["installment"]))}
    if reason is WhyNot.NOT_NEEDED:
        return _(
            "Your budget bears your payments as they are, so the price stays as agreed. If it is"
            " not like that, change the budget or talk to a person."
        )
    if reason is WhyNot.NO_INTEREST:
        return _("Your loan bears no interest, so there is none to stop.")
    return _("Your plan cannot be changed in this way any more.")


def _budget_rows(request: HardshipRequest) -> list[dict[str, Any]]:
    essentials = total((request.home, request.food, request.transport, request.family))
    rows: list[dict[str, Any]] = [
        {"label": _("Comes in"), "amount": request.income},
        {"label": _("Needed to live"), "value": money_change(-essentials)},
    ]
    if request.priority_debts:
        rows.append(
            {"label": _("Must be paid first"), "value": money_change(-request.priority_debts)}
        )
    rows.append({"label": _("Left over"), "amount": request.left_over})
    note = ""
    if request.bearable != request.left_over:
        share = Decimal(request.bearable.cents) / Decimal(request.left_over.cents)
        note = _("%(share)s of what is left; the rest is for your other debts") % {
            "share": percent_text(share, places=0)
        }
    rows.append(
        {
            "label": _("For this loan each month"),
            "amount": request.bearable,
            "note": note,
            "is_total": True,
        }
    )
    if request.later_from is not None:
        rows.append(
            {
                "label": _("From %(date)s") % {"date": plain_date(request.later_from)},
                "amount": request.bearable_later,
            }
        )
    return rows
