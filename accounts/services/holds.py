"""Place and release reasons not to contact a person."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.engine.contact_rules import HoldReason
from accounts.models import ContactHold, User
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError


class UnableToPlaceHoldError(DomainError):
    """The hold would end before it starts."""


class UnableToReleaseHoldError(DomainError):
    """No open hold of this reason and reference exists."""


def place_hold(
    *,
    person: User,
    reason: HoldReason,
    until: datetime | None,
    actor: Actor,
    at: datetime,
    reference: str = "",
) -> ContactHold:
    """Stop contact with the person for `reason` until an instant, or until it is released.

    One hold is open for each reason and `reference` (the loan, plan or dispute): placing it again
    moves its end and keeps its start.
    """
    if until is not None and until <= at:
        raise UnableToPlaceHoldError(_("A hold must end after it starts."))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)
        hold = ContactHold.objects.filter(
            person=person, reason=reason, reference=reference, released_at__isnull=True
        ).first()
        if hold is None:
            return ContactHold.objects.create(
                person=person,
                reason=reason,
                reference=reference,
                until=until,
                placed_at=at,
                placed_by_id=actor.user_id,
                placed_by_label=actor.label,
            )
        hold.until = until
        hold.save(update_fields=["until"])
        return hold


def release_hold(
    *, person: User, reason: HoldReason, actor: Actor, at: datetime, reference: str = ""
) -> ContactHold:
    """End the open hold of this reason and reference. Raises UnableToReleaseHoldError."""
    with transaction.atomic():
        hold = (
            ContactHold.objects.select_for_update()
            .filter(person=person, reason=reason, reference=reference, released_at__isnull=True)
            .first()
        )
        if hold is None:
            raise UnableToReleaseHoldError(_("There is no such hold."))
        hold.released_at = at
        hold.released_by_id = actor.user_id
        hold.released_by_label = actor.label
        hold.save(update_fields=["released_at", "released_by", "released_by_label"])
        return hold
