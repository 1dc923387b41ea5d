"""The only way a view gets somebody's object: a foreign id and a missing id answer alike.

Staff see the people whom their work is about. Who may open any loan sees anybody; for others
`settings.PEOPLE_OF_WORK` names, by permission, who knows the people of that work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils.module_loading import import_string
from rest_framework.request import Request

from accounts.models import IncomeProof, User

Row = TypeVar("Row", bound=Model)


def sees_anybody(user: User) -> bool:
    """Return whether the loans and the data of any borrower are open to the member of staff."""
    return user.is_staff and user.has_perm(settings.ANYBODY_PERMISSION)


def people_in_reach(user: User) -> QuerySet[User]:
    """Return the people whose data the work of the member of staff is about; never themselves."""
    if sees_anybody(user):
        return User.objects.all()
    reached = Q(pk__in=())
    for permission, name in settings.PEOPLE_OF_WORK.items():
        if user.is_staff and user.has_perm(permission):
            reached |= Q(pk__in=import_string(name)())
    return User.objects.filter(reached).exclude(pk=user.pk)


@dataclass(frozen=True, slots=True)
class AboutPeople:
    """Narrows rows to those about people in reach; `path` leads from a row to its person."""

    path: str

    def __call__(self, user: User, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return the rows that `user` may see; `rows` itself when that is all of them."""
        if sees_anybody(user):
            return rows
        return rows.filter(**{f"{self.path}__in": people_in_reach(user)})


class ProofsToCheck:
    """Narrows proofs of income to those about people in reach, and to one's work on proofs."""

    def __call__(self, user: User, rows: QuerySet[IncomeProof]) -> QuerySet[IncomeProof]:
        """Return, to who verifies income, also what waits for them and what they decided."""
        if sees_anybody(user):
            return rows
        reached = Q(user__in=people_in_reach(user))
        if user.has_perm("accounts.verify_incomeproof"):
            reached |= Q(decided_at__isnull=True) & ~Q(user=user) | Q(decided_by=user)
        return rows.filter(reached)


def access_income_proof(user: User | AnonymousUser, public_id: UUID) -> IncomeProof:
    """Return a proof to its owner, or to staff who may view it. Raises Http404."""
    proofs = IncomeProof.objects.select_related("user").filter(public_id=public_id)
    if not isinstance(user, User):
        raise Http404
    proof = proofs.filter(user=user).first()
    if proof is None and user.is_staff and user.has_perm("accounts.view_incomeproof"):
        proof = ProofsToCheck()(user, proofs).first()
    if proof is None:
        raise Http404
    return proof


def signed_in(request: HttpRequest | Request) -> User:
    """Return the signed-in person; the guard of the view has made sure that there is one."""
    if not isinstance(request.user, User):
        raise TypeError("This view is for people who are signed in.")
    return request.user
