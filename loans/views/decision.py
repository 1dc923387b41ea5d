"""The answer to an application, and what the person can do with it.

Refused forms answer under the address that they were sent to; opened again, it leads to the answer.
"""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from loans.access import access_application
from loans.engine.lifecycle import ApplicationState
from loans.forms.apply import TakeForm
from loans.models import LoanApplication
from loans.selectors.agreements import agreement_of, contract_quote
from loans.selectors.applications import review_due_date
from loans.selectors.business_day import business_date
from loans.services.applications import (
    UnableToChangeApplicationError,
    ask_for_review,
    choose_amount,
    offer_has_lapsed,
    offer_lapses_on,
    withdraw_application,
)
from risk.selectors.assessments import DecisionExplanation, explain_assessment
from zhixin.shared import clock
from zhixin.shared.permissions import borrower_required

# More reasons are not read (conduct DP-08: up to four is practice).
MOST_REASONS = 4


@require_safe
@borrower_required
@never_cache
def decision(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the answer in one sentence, why, what would change it, and the next step."""
    application = access_application(signed_in(request), public_id)
    return _decision_page(request, application, TakeForm(initial=_usual_amount(application)))


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def review(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Put the machine's decline before a person."""
    if request.method != "POST":
        return redirect("loans:decision", public_id=public_id)
    user = signed_in(request)
    application = access_application(user, public_id)
    try:
        ask_for_review(
            application_id=application.pk, borrower=user, at=clock.now(), actor=user.as_actor()
        )
    except UnableToChangeApplicationError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("A person will look at your application."))
    return redirect("loans:decision", public_id=public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def take(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take the offer, or less of it, and go on to the cost sheet."""
    if request.method != "POST":
        return redirect("loans:decision", public_id=public_id)
    user = signed_in(request)
    application = access_application(user, public_id)
    form = TakeForm(request.POST)
    if form.is_valid():
        try:
            choose_amount(
                application_id=application.pk,
                borrower=user,
                amount=form.cleaned_data["amount"],
                business_date=business_date(),
            )
        except UnableToChangeApplicationError as refusal:
            form.add_error("amount", str(refusal))
        else:
            return redirect("loans:cost_sheet", public_id=public_id)
    return _decision_page(request, application, form)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
@never_cache
def withdraw(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Give up the application or the offer."""
    if request.method != "POST":
        return redirect("loans:decision", public_id=public_id)
    user = signed_in(request)
    application = access_application(user, public_id)
    try:
        withdraw_application(
            application_id=application.pk, borrower=user, at=clock.now(), actor=user.as_actor()
        )
    except UnableToChangeApplicationError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Withdrawn. Nothing is owed."))
    return redirect("loans:decision", public_id=public_id)


def _usual_amount(application: LoanApplication) -> dict[str, str]:
    """Return what stands in the box: what was chosen before, else the whole offer."""
    amount = application.contract_amount
    return {} if amount is None else {"amount": str(amount).removesuffix(".00")}


def _reasons(explanation: DecisionExplanation | None, state: str) -> list[dict[str, str]]:
    """Return at most four reasons: of a yes what helped first, otherwise what stood against it."""
    if explanation is None:
        return []
    helpful = [{"tone": "good", "text": text} for text in explanation.helpful]
    adverse = [{"tone": "soon", "text": text} for text in explanation.adverse]
    if state == ApplicationState.APPROVED:
        return [*helpful[: MOST_REASONS - min(len(adverse), 2)], *adverse][:MOST_REASONS]
    return [*adverse, *helpful][:MOST_REASONS]


def _changes(
    explanation: DecisionExplanation | None, application: LoanApplication
) -> tuple[str, ...]:
    """Return what would change the answer, without the smaller amount that is offered already."""
    if explanation is None or application.assessment is None:
        return ()
    counterfactual = application.assessment.decision["counterfactual"] or {}
    offered = counterfactual.get("amount") == str(application.approved_amount)
    return explanation.changes[1:] if offered else explanation.changes


def _decision_page(
    request: HttpRequest, application: LoanApplication, form: TakeForm
) -> HttpResponse:
    today = business_date()
    explanation = explain_assessment(application.assessment) if application.assessment else None
    context: dict[str, Any] = {
        "application": application,
        "product": application.product_version.product,
        "explanation": explanation,
        "changes": _changes(explanation, application),
        "reasons": _reasons(explanation, application.state),
        "form": form,
        "agreement": agreement_of(application),
        **_offer(application, today),
        **_waiting(application),
        "can_ask_review": (
            application.state == ApplicationState.DECLINED and application.decided_by_id is None
        ),
    }
    name = PAGE_OF_STATE[ApplicationState(application.state)]
    status = 422 if form.is_bound and form.errors else 200
    return render(request, f"loans/decision/{name}.html", context, status=status)


PAGE_OF_STATE = {
    ApplicationState.DRAFT: "closed",
    ApplicationState.SUBMITTED: "referred",
    ApplicationState.REFERRED: "referred",
    ApplicationState.APPROVED: "approved",
    ApplicationState.DECLINED: "declined",
    ApplicationState.SIGNED: "signed",
    ApplicationState.WITHDRAWN: "closed",
    ApplicationState.EXPIRED: "closed",
}


def _offer(application: LoanApplication, today: datetime.date) -> dict[str, Any]:
    """Return what the offer would cost if it were paid out today, and until when it stands."""
    if application.state != ApplicationState.APPROVED:
        return {}
    return {
        "quote": contract_quote(application, business_date=today),
        "lapses_on": offer_lapses_on(application),
        "has_lapsed": offer_has_lapsed(application, today),
    }


def _waiting(application: LoanApplication) -> dict[str, Any]:
    """Return by when a person answers."""
    if application.state != ApplicationState.REFERRED:
        return {}
    return {"answer_by": review_due_date(application)}
