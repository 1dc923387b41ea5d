"""Help for people who cannot repay: the public page, the budget, the offers, the plan."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import signed_in
from accounts.models import User
from collections_app.access import access_offer, access_plan, access_request
from collections_app.forms import BudgetForm
from collections_app.selectors.help_pages import (
    budget_of,
    offer_page,
    offers_page,
    waits_for_person_since,
)
from collections_app.selectors.plan_pages import kept_plan_of, newest_plan_of, plan_page
from collections_app.services.contacts import ask_for_person
from collections_app.services.negotiation import accept_offer, request_help
from loans.access import access_loan
from loans.selectors.business_day import business_date
from loans.selectors.portfolio import event_count_of, owed_standings_of, standings_of
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import borrower_required, public

CONFLICT = 409
INVALID = 422


@require_safe
@public("Options and rights of people in trouble stand open to everybody (conduct HS-18).")
def help_page(request: HttpRequest) -> HttpResponse:
    """Tell what can be done, what it does to the record, and which rights everybody has."""
    standings = owed_standings_of(request.user) if isinstance(request.user, User) else []
    context = {"standings": standings, "business_date": business_date()}
    return render(request, "collections_app/help.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
def budget(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask for one month of the household; the same form sent twice is one request."""
    user = signed_in(request)
    loan = access_loan(user, public_id)
    today = business_date()
    standing = standings_of([loan.pk])[loan.pk]
    if not standing.is_open:
        return redirect("loans:loan", public_id=public_id)
    context = {"loan": loan, "standing": standing, "kept_plan": kept_plan_of(loan.pk)}
    if request.method != "POST":
        initial = {**budget_of(user, loan_id=loan.pk), "key": uuid4()}
        form = BudgetForm(initial=initial, business_date=today)
        return render(request, "collections_app/budget.html", {**context, "form": form})
    form = BudgetForm(request.POST, business_date=today)
    if form.is_valid():
        try:
            asked = request_help(
                loan_id=loan.pk,
                key=form.cleaned_data["key"],
                reason=form.cleaned_data["reason"],
                budget=form.budget(),
                later_income=form.cleaned_data["later_income"],
                later_from=form.cleaned_data["later_from"],
                business_date=today,
                actor=user.as_actor(),
                at=clock.now(),
            )
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            return redirect("collections:offers", request_id=asked.public_id)
    return render(request, "collections_app/budget.html", {**context, "form": form}, status=INVALID)


@require_safe
@borrower_required
def offers(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Show the plans that the budget bears side by side, and why any other is left out."""
    asked = access_request(signed_in(request), request_id)
    page = offers_page(
        asked, business_date=business_date(), event_count=event_count_of(asked.loan_id)
    )
    return render(request, "collections_app/offers.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
def offer(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    """Show one plan with everything that it means; accept it when the borrower says so."""
    user = signed_in(request)
    chosen = access_offer(user, offer_id)
    today = business_date()
    error = ""
    if request.method == "POST":
        try:
            plan = accept_offer(
                offer_id=chosen.pk, business_date=today, actor=user.as_actor(), at=clock.now()
            )
        except DomainError as refusal:
            error = str(refusal)
        else:
            return redirect("collections:plan", plan_id=plan.public_id)
    page = offer_page(
        chosen, business_date=today, event_count=event_count_of(chosen.request.loan_id)
    )
    return render(
        request,
        "collections_app/offer.html",
        {"page": page, "error": error},
        status=CONFLICT if error else 200,
    )


@require_safe
@borrower_required
def plan(request: HttpRequest, plan_id: UUID) -> HttpResponse:
    """Confirm the plan: what comes next, and when."""
    page = plan_page(access_plan(signed_in(request), plan_id))
    context = {"page": page, "business_date": business_date()}
    return render(request, "collections_app/plan.html", context)


@require_safe
@borrower_required
def loan_plan(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Lead from a loan to its newest plan, in force or ended; without one there is no page."""
    newest = newest_plan_of(access_loan(signed_in(request), public_id).pk)
    if newest is None:
        raise Http404
    return redirect("collections:plan", plan_id=newest.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@borrower_required
def person(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Let the borrower ask for a person, and show that we know."""
    user = signed_in(request)
    loan = access_loan(user, public_id)
    if request.method == "POST":
        ask_for_person(
            loan_id=loan.pk, actor=user.as_actor(), business_date=business_date(), at=clock.now()
        )
        return redirect("collections:person", public_id=public_id)
    context = {
        "loan": loan,
        "since": waits_for_person_since(loan.pk),
        "person": user,
        "standing": standings_of([loan.pk])[loan.pk],
    }
    return render(request, "collections_app/person.html", context)
