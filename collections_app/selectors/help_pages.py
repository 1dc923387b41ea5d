"""What the pages of help show, in the reader's language."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, npgettext

from accounts.models import User
from accounts.selectors.profiles import profile_of
from collections_app.engine.hardship import CreditFileEffect, OfferKind, WhyNot
from collections_app.engine.states import PlanEnd, PlanState
from collections_app.models import (
    OFFER_KIND_LABELS,
    Case,
    HardshipOffer,
    HardshipPlan,
    HardshipRequest,
)
from collections_app.models.hardship import BUDGET_FIELDS
from collections_app.selectors.plans import end_of
from loans.selectors.portfolio import standings_of
from loans.selectors.reversals import is_reversed
from loans.selectors.servicing import loan_state
from zhixin.shared.money import Money, total
from zhixin.shared.rates import percent_text
from zhixin.shared.templatetags.zhixin import long_date, money, money_change, plain_date

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
PLAN_END_TEXTS = {
    PlanEnd.PAID_OFF: gettext_lazy("You have paid the loan off, and the plan with it. Well done."),
    PlanEnd.MISSED: gettext_lazy(
        "A payment stayed out for longer than the plan allows. The amounts and dates below still"
        " count, and you can look for another plan or talk to a person."
    ),
    PlanEnd.REPLACED: gettext_lazy("Another plan that you chose has taken its place."),
    PlanEnd.WRITTEN_OFF: gettext_lazy(
        "The loan was written off in our books. That does not end what is owed, but no more"
        " interest is added."
    ),
    PlanEnd.TAKEN_BACK: gettext_lazy(
        "The change was taken back, so this plan does not count any more. The loan's page shows"
        " what is to be paid now. If this surprises you, ask for a person: we explain it, and you"
        " can look for a plan again."
    ),
}
_TERMS_GONE = (PlanEnd.REPLACED, PlanEnd.WRITTEN_OFF, PlanEnd.TAKEN_BACK)
_ENDS_BY_STATE = {
    PlanState.COMPLETED: PlanEnd.PAID_OFF,
    PlanState.BROKEN: PlanEnd.MISSED,
    PlanState.REPLACED: PlanEnd.REPLACED,
    PlanState.WITHDRAWN: PlanEnd.TAKEN_BACK,
}
_SUMMARIES = {
    OfferKind.LONGER_TERM: gettext_lazy(
        "Smaller payments, for longer. The rate falls, so that time does not eat the relief."
    ),
    OfferKind.INTEREST_FREEZE: gettext_lazy(
        "Every yuan that you pay makes the debt smaller; the payments become a little smaller too."
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
    """The offers side by side; cheapest in all first."""

    request: HardshipRequest
    cards: tuple[OfferCard, ...]
    left_out: tuple[LeftOut, ...]
    budget_rows: tuple[dict[str, Any], ...]
    is_current: bool
    accepted: HardshipPlan | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPage:
    """One offer with everything that accepting it means (conduct HS-04, HS-16)."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPage:
    """An accepted plan: what comes next, or what ended it.

    `ended` is empty while the plan is in force, by the loan as it stands now and not only by what
    the last night found. The figures of a plan whose terms are not the loan's are not shown.
    """

    plan: HardshipPlan
    title: str
    first: PaymentRow
    schedule: tuple[PaymentRow, ...]
    totals: Totals
    rows: tuple[dict[str, Any], ...]
    is_kept: bool
    ended: str
    shows_figures: bool


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


def kept_plan_of(loan_id: int) -> HardshipPlan | None:
    """Return the plan of the loan that is in force, or None."""
    return HardshipPlan.objects.kept().filter(loan_id=loan_id).select_related("offer").first()


def newest_plan_of(loan_id: int) -> HardshipPlan | None:
    """Return the loan's last plan that was not taken back; its terms are those of the loan."""
    plans = HardshipPlan.objects.filter(loan_id=loan_id).select_related("loan_event")
    return next((plan for plan in plans.order_by("-pk") if not is_reversed(plan.loan_event)), None)


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
        accepted=HardshipPlan.objects.filter(offer__request=request).first(),
    )


def offer_page(
    offer: HardshipOffer, *, business_date: datetime.date, event_count: int
) -> OfferPage:
    """Return everything that accepting the offer means."""
    request = offer.request
    schedule = _schedule(offer)
    return OfferPage(
        offer=offer,
        title=_title(offer),
        summary=_summary(offer),
        compared=_compared(offer),
        owed_rows=tuple(_owed_rows(offer)),
        schedule=schedule,
        totals=_totals(schedule),
        credit_file=str(CREDIT_FILE_TEXTS[CreditFileEffect(offer.credit_file_effect)]),
        is_current=offer.valid_on == business_date and request.event_count == event_count,
        accepted=HardshipPlan.objects.filter(offer__request=request).first(),
    )


def plan_page(plan: HardshipPlan) -> PlanPage:
    """Return what the confirmation of a plan shows."""
    offer = plan.offer
    schedule = _schedule(offer)
    end = _end_of(plan)
    rows: list[dict[str, Any]] = [
        {"label": _("First payment"), "value": long_date(offer.first_due_date)},
        {"label": _("Largest payment"), "amount": offer.new_installment},
        {
            "label": _("Payments"),
            "value": _("%(count)s, the last on %(end)s")
            % {"count": offer.new_count, "end": plain_date(offer.new_end)},
        },
        {"label": _("Still to pay in all"), "amount": offer.new_total, "is_total": True},
        {"label": _("Interest a year"), "value": _rate_text(offer)},
        {"label": _("Late charges waived"), "amount": offer.waived_penalty},
    ]
    return PlanPage(
        plan=plan,
        title=_title(offer),
        first=schedule[0],
        schedule=schedule,
        totals=_totals(schedule),
        rows=tuple(rows),
        is_kept=end is None,
        ended="" if end is None else str(PLAN_END_TEXTS[end]),
        shows_figures=end not in _TERMS_GONE,
    )


def _end_of(plan: HardshipPlan) -> PlanEnd | None:
    if plan.state == PlanState.KEPT:
        return end_of(plan, standings_of([plan.loan_id])[plan.loan_id])
    # Plans that ended before reasons were kept have their state to tell it.
    return PlanEnd(plan.end_reason) if plan.end_reason else _ENDS_BY_STATE[PlanState(plan.state)]


def _card(
    offer: HardshipOffer, *, is_cheapest: bool, is_lowest: bool, is_current: bool
) -> OfferCard:
    badge = _("Costs least in all") if is_cheapest else _("Least each month") if is_lowest else ""
    return OfferCard(
        title=_title(offer),
        summary=_summary(offer),
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
            "note": _rate_note(offer),
        },
        {"label": _("Late charges waived"), "amount": offer.waived_penalty},
        {
            "label": _("Your record"),
            "value": _record_text(CreditFileEffect(offer.credit_file_effect)),
            "note": _("noted: changed by agreement"),
        },
    ]


def difference_text(offer: HardshipOffer) -> str:
    """Return in words what the plan costs more, or less, in all."""
    difference = offer.difference
    if not difference:
        return _("costs the same")
    amount = money_change(difference).lstrip("+−")
    if difference.cents > 0:
        return _("costs %(amount)s more") % {"amount": amount}
    return _("costs %(amount)s less") % {"amount": amount}


def _record_text(effect: CreditFileEffect) -> str:
    if effect is CreditFileEffect.CHANGED_BEFORE_LATE:
        return _("nothing late")
    return _("no more late days")


def _title(offer: HardshipOffer) -> str:
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


def _summary(offer: HardshipOffer) -> str:
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


def _rate_text(offer: HardshipOffer) -> str:
    rate = percent_text(offer.annual_rate_new)
    if offer.interest_free_until is None:
        return rate
    until = {"date": plain_date(offer.interest_free_until), "rate": rate}
    return _("none through %(date)s, then %(rate)s") % until


def _rate_note(offer: HardshipOffer) -> str:
    if offer.interest_free_until is not None:
        return _("none through %(date)s") % {"date": plain_date(offer.interest_free_until)}
    if offer.annual_rate_new < offer.annual_rate_old:
        return _("so far %(rate)s") % {"rate": percent_text(offer.annual_rate_old)}
    return _("as before")


def _compared(offer: HardshipOffer) -> tuple[dict[str, Any], ...]:
    """Return the rows of "so far" against "with this plan"."""
    old_rate, new_rate = percent_text(offer.annual_rate_old), _rate_text(offer)
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


def _schedule(offer: HardshipOffer) -> tuple[PaymentRow, ...]:
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


def _totals(schedule: Sequence[PaymentRow]) -> Totals:
    return Totals(
        principal=total(row.principal for row in schedule),
        interest=total(row.interest for row in schedule),
        total=total(row.total for row in schedule),
    )


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
