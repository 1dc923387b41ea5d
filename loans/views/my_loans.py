"""The borrower's loans: the list, and each loan's own page."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import signed_in
from loans.access import access_loan
from loans.selectors.applications import application_cards
from loans.selectors.business_day import business_date
from loans.selectors.loan_pages import loan_cards, loan_page
from zhixin.shared.permissions import borrower_required


@require_safe
@borrower_required
def my_loans(request: HttpRequest) -> HttpResponse:
    """List the borrower's loans and what they have asked for."""
    user = signed_in(request)
    today = business_date()
    cards = loan_cards(user)
    context = {
        "cards": cards,
        "has_debt": any(card.is_open or card.is_written_off for card in cards),
        "applications": application_cards(user, on=today),
        "business_date": today,
    }
    return render(request, "loans/my_loans.html", context)


@require_safe
@borrower_required
def loan(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show what is due, what it costs, the schedule, the history and the documents."""
    own = access_loan(signed_in(request), public_id)
    page = loan_page(own, as_of=business_date())
    return render(request, "loans/loan.html", {"page": page, "business_date": page.as_of})
