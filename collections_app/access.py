"""The only way a view gets somebody's request, offer or plan; foreign and missing answer alike."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from accounts.models import User
from collections_app.models import HardshipOffer, HardshipPlan, HardshipRequest


class NotYoursError(Http404):
    """There is no such object, or it is somebody else's; Django answers 404 for both."""


def access_request(user: User, public_id: UUID) -> HardshipRequest:
    """Return the borrower's own request for help."""
    request = (
        HardshipRequest.objects.filter(loan__borrower=user, public_id=public_id)
        .select_related("loan__agreement")
        .first()
    )
    if request is None:
        raise NotYoursError
    return request


def access_offer(user: User, public_id: UUID) -> HardshipOffer:
    """Return an offer that was made to the borrower."""
    offer = (
        HardshipOffer.objects.filter(request__loan__borrower=user, public_id=public_id)
        .select_related("request__loan__agreement")
        .first()
    )
    if offer is None:
        raise NotYoursError
    return offer


def access_plan(user: User, public_id: UUID) -> HardshipPlan:
    """Return a plan that the borrower accepted."""
    plan = (
        HardshipPlan.objects.filter(loan__borrower=user, public_id=public_id)
        .select_related("offer__request", "loan__agreement", "loan_event")
        .first()
    )
    if plan is None:
        raise NotYoursError
    return plan
