"""What the page of an accepted plan shows, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from collections_app.engine.states import PlanEnd, PlanState
from collections_app.models import HardshipPlan
from collections_app.selectors.offer_words import (
    PaymentRow,
    Totals,
    rate_text,
    schedule_of,
    title_of,
    totals_of,
)
from collections_app.selectors.plans import end_of
from loans.selectors.portfolio import standings_of
from loans.selectors.reversals import is_reversed
from zhixin.shared.templatetags.zhixin import long_date, plain_date

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


def kept_plan_of(loan_id: int) -> HardshipPlan | None:
    """Return the plan of the loan that is in force, or None."""
    return HardshipPlan.objects.kept().filter(loan_id=loan_id).select_related("offer").first()


def newest_plan_of(loan_id: int) -> HardshipPlan | None:
    """Return the loan's last plan that was not taken back; its terms are those of the loan."""
    plans = HardshipPlan.objects.filter(loan_id=loan_id).select_related("loan_event")
    return next((plan for plan in plans.order_by("-pk") if not is_reversed(plan.loan_event)), None)


def plan_page(plan: HardshipPlan) -> PlanPage:
    """Return what the confirmation of a plan shows."""
    offer = plan.offer
    schedule = schedule_of(offer)
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
        {"label": _("Interest a year"), "value": rate_text(offer)},
        {"label": _("Late charges waived"), "amount": offer.waived_penalty},
    ]
    return PlanPage(
        plan=plan,
        title=title_of(offer),
        first=schedule[0],
        schedule=schedule,
        totals=totals_of(schedule),
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
