"""The only way a view gets somebody's object: a foreign id and a missing id answer alike."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest
from rest_framework.request import Request

from accounts.models import IncomeProof, User


def access_income_proof(user: User | AnonymousUser, public_id: UUID) -> IncomeProof:
    """Return a proof to its owner, or to staff who may view proofs. Raises Http404."""
    proof = IncomeProof.objects.select_related("user").filter(public_id=public_id).first()
    if proof is None or not user.is_authenticated:
        raise Http404
    is_reader = user.is_staff and user.has_perm("accounts.view_incomeproof")
    if proof.user_id != user.pk and not is_reader:
        raise Http404
    return proof


def signed_in(request: HttpRequest | Request) -> User:
    """Return the signed-in person; the guard of the view has made sure that there is one."""
    if not isinstance(request.user, User):
        raise TypeError("This view is for people who are signed in.")
    return request.user
