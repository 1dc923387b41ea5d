"""From "I can't repay" to a new plan: budget → offers → acceptance as an event on the loan."""

from __future__ import annotations

import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.engine.contact_rules import ContactPurpose
from accounts.services.messages import UnableToQueueMessageError, queue_message
from collections_app.engine import hardship
from collections_app.engine.budget import Bearable, Budget, bearable
from collections_app.engine.hardship import Means, NotOffered, PlannedInstallment, offers_for
from collections_app.engine.policy import POLICY
from collections_app.engine.states import CaseEvent, PlanEnd, PlanEvent, PlanState
from collections_app.models import (
    Case,
    HardshipOffer,
    HardshipPlan,
    HardshipReason,
    HardshipRequest,
)
from collections_app.models.hardship import BUDGET_FIELDS, RequestOutcome
from collections_app.services.cases import end_case
from collections_app.services.plans import end_plan, hold_contact
from loans.engine.events import PlanChanged, event_from_json
from loans.engine.servicing import replay
from loans.selectors.portfolio import LoanStanding, PlanBasis, lock_standing, plan_basis
from loans.services.modifications import change_plan
from zhixin.shared.actor import Actor
from zhixin.shared.calendar import add_months
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money


class UnableToHelpError(DomainError):
    """Nothing is owed on the loan, so that there is nothing to change."""


class UnableToAcceptOfferError(DomainError):
    """The offer cannot be accepted; the message says why and what to do."""


class FiguresChangedError(UnableToAcceptOfferError):
    """The offer was computed from another day or another state of the loan."""


def request_help(
    *,
    loan_id: int,
    key: UUID,
    reason: HardshipReason | str,
    budget: Budget,
    later_income: Money | None,
    later_from: datetime.date | None,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> HardshipRequest:
    """Keep the borrower's budget and the plans that it bears; once for each `key`.

    `later_income` from `later_from` on replaces the income of the budget; both or neither. Raises
    UnableToHelpError when nothing is owed.
    """
    with transaction.atomic():
        lock_standing(loan_id)
        known = HardshipRequest.objects.filter(loan_id=loan_id, key=key).first()
        if known is not None:
            return known
        basis = plan_basis(loan_id)
        if not basis.is_open:
            raise UnableToHelpError(_("Nothing is owed on this loan."))
        now, later = _bearable(basis, budget, later_income, business_date)
        means = Means(
            now=now.amount,
            later=later.amount if later else None,
            later_from=later_from if later else None,
        )
        too_many = plans_within_a_year(loan_id, business_date) >= POLICY.plans_a_year
        offers: tuple[hardship.HardshipOffer, ...] = ()
        left_out: tuple[NotOffered, ...] = ()
        if not too_many:
            offers, left_out = offers_for(
                basis.terms, basis.events, business_date, means=means, policy=POLICY
            )
        request = HardshipRequest.objects.create(
            loan_id=loan_id,
            key=key,
            reason=HardshipReason(reason),
            **{name: getattr(budget, name) for name in BUDGET_FIELDS},
            later_income=later_income if later else None,
            later_from=means.later_from,
            left_over=now.left_over,
            bearable=now.amount,
            bearable_later=means.later,
            outcome=_outcome(too_many=too_many, offers=offers),
            not_offered=[_left_out_json(option) for option in left_out],
            policy_version=POLICY.version,
            event_count=basis.event_count,
            business_date=business_date,
            actor_user_id=actor.user_id,
            actor_label=actor.label,
            created_at=at,
        )
        for offer in offers:
            _store_offer(request, offer, at)
        return request


def accept_offer(
    *, offer_id: int, business_date: datetime.date, actor: Actor, at: datetime.datetime
) -> HardshipPlan:
    """Make the offer the loan's plan: the event, the hold on collection, the message, at once.

    Accepting the same offer again returns the first result. Raises FiguresChangedError when the day
    or the loan is another one than the offer was made for, UnableToAcceptOfferError when two plans
    were agreed within twelve months, and what `change_plan` raises. Then nothing has changed.
    """
    with transaction.atomic():
        offer = HardshipOffer.objects.select_related("request").get(pk=offer_id)
        loan_id = offer.request.loan_id
        standing = lock_standing(loan_id)
        accepted = HardshipPlan.objects.filter(offer=offer).first()
        if accepted is not None:
            return accepted
        basis = plan_basis(loan_id)
        _check_acceptable(offer, basis, business_date)
        event = change_plan(
            loan_id=loan_id,
            change=_plan_of(offer),
            business_date=business_date,
            actor=actor,
            at=at,
        )
        _end_what_went_before(loan_id, business_date, actor, at)
        plan = HardshipPlan.objects.create(
            offer=offer,
            loan_id=loan_id,
            loan_event=event,
            accepted_on=business_date,
            accepted_at=at,
            actor_user_id=actor.user_id,
            actor_label=actor.label,
        )
        hold_contact(person=basis.borrower, standing=standing, actor=actor, at=at)
        _tell_accepted(plan, basis, standing, at)
        return plan


def plans_within_a_year(loan_id: int, business_date: datetime.date) -> int:
    """Return how many plans of the loan were accepted in the twelve months up to the date.

    One that was taken back does not count: it was not the borrower's doing.
    """
    since = add_months(business_date, -12)
    accepted = HardshipPlan.objects.filter(loan_id=loan_id, accepted_on__gt=since)
    return accepted.exclude(state=PlanState.WITHDRAWN).count()


def _bearable(
    basis: PlanBasis,
    budget: Budget,
    later_income: Money | None,
    business_date: datetime.date,
) -> tuple[Bearable, Bearable | None]:
    """Return what can be borne now and with the later income, split by what is owed to whom."""
    owed_here = replay(basis.terms, basis.events, business_date).outstanding.total
    elsewhere = budget.other_debts + basis.owed_on_other_loans
    now, later = (
        bearable(budget=budget, income=income, owed_here=owed_here, owed_elsewhere=elsewhere)
        if income is not None
        else None
        for income in (budget.income, later_income)
    )
    if now is None:
        raise AssertionError("A budget always has an income.")
    return now, later


def _outcome(*, too_many: bool, offers: tuple[hardship.HardshipOffer, ...]) -> RequestOutcome:
    if too_many:
        return RequestOutcome.PERSON_TOO_MANY
    return RequestOutcome.OFFERS if offers else RequestOutcome.PERSON_NO_FIT


def _store_offer(
    request: HardshipRequest, offer: hardship.HardshipOffer, at: datetime.datetime
) -> None:
    figures = offer.comparison
    HardshipOffer.objects.create(
        request=request,
        kind=offer.kind,
        months=offer.months,
        bearable=offer.bearable,
        old_installment=offer.old_installment,
        new_installment=figures.new_installment,
        old_end=figures.old_end,
        new_end=figures.new_end,
        first_due_date=offer.change.first_due_date,
        old_total=figures.old_total,
        new_total=figures.new_total,
        old_count=figures.old_months,
        new_count=figures.new_months,
        annual_rate_old=offer.annual_rate_old,
        annual_rate_new=offer.annual_rate_new,
        interest_free_until=offer.change.interest_free_until,
        waived_penalty=offer.waived_penalty,
        credit_file_effect=offer.credit_file,
        plan=offer.change.to_json(),
        schedule=[_payment_json(payment) for payment in offer.schedule],
        valid_on=request.business_date,
        created_at=at,
    )


def _payment_json(payment: PlannedInstallment) -> dict[str, object]:
    return {
        "number": payment.number,
        "due_date": payment.due_date.isoformat(),
        "principal": str(payment.principal),
        "interest": str(payment.interest),
        "fees": str(payment.fees),
        "penalty": str(payment.penalty),
        "total": str(payment.total),
    }


def _left_out_json(option: NotOffered) -> dict[str, object]:
    return {
        "kind": option.kind.value,
        "reason": option.reason.value,
        "installment": None if option.installment is None else str(option.installment),
    }


def _plan_of(offer: HardshipOffer) -> PlanChanged:
    event = event_from_json(offer.plan)
    if not isinstance(event, PlanChanged):
        raise TypeError("An offer keeps a plan change.")
    return event


def _check_acceptable(offer: HardshipOffer, basis: PlanBasis, business_date: datetime.date) -> None:
    if HardshipPlan.objects.filter(offer__request=offer.request).exists():
        raise UnableToAcceptOfferError(_("You have already chosen another of these plans."))
    if offer.valid_on != business_date or offer.request.event_count != basis.event_count:
        raise FiguresChangedError(
            _("The figures have changed since you looked. Look at them again, then choose.")
        )
    if plans_within_a_year(basis.loan_id, business_date) >= POLICY.plans_a_year:
        raise UnableToAcceptOfferError(
            _("You changed your plan twice in twelve months. Let us talk about what helps now.")
        )


def _end_what_went_before(
    loan_id: int, business_date: datetime.date, actor: Actor, at: datetime.datetime
) -> None:
    case = Case.objects.open().for_update().filter(loan_id=loan_id).first()
    if case is not None:
        end_case(
            case=case,
            event=CaseEvent.AGREE_PLAN,
            business_date=business_date,
            reason="PLAN_ACCEPTED",
            actor=actor,
            at=at,
        )
    previous = (
        HardshipPlan.objects.kept().select_for_update(of=("self",)).filter(loan_id=loan_id).first()
    )
    if previous is not None:
        end_plan(
            plan=previous,
            event=PlanEvent.REPLACE,
            reason=PlanEnd.REPLACED,
            business_date=business_date,
            actor=actor,
            at=at,
        )


def _tell_accepted(
    plan: HardshipPlan, basis: PlanBasis, standing: LoanStanding, at: datetime.datetime
) -> None:
    offer = plan.offer
    first = offer.schedule[0]
    try:
        queue_message(
            recipient=basis.borrower,
            kind="plan_accepted",
            purpose=ContactPurpose.SERVICING,
            context={
                "amount": Money.parse(first["total"]),
                "due_date": datetime.date.fromisoformat(first["due_date"]),
                "count": offer.new_count,
                "total": offer.new_total,
                "number": standing.number,
                "path": f"/help/plans/{plan.public_id}/",
            },
            dedup_key=f"plan:{plan.public_id}",
            at=at,
        )
    except UnableToQueueMessageError:
        # The page confirms it too; a missing address must not undo the plan.
        return
