"""May a borrower be called now: the contact gate, told of the calls of the day."""

from __future__ import annotations

import datetime

from accounts.engine.contact_rules import Channel, ContactPurpose, Verdict
from accounts.models import User
from accounts.selectors.contact import judge_contact, local_time_of
from collections_app.models import ContactChannel, ContactDirection, ContactNote
from collections_app.models.case import CONVERSATIONS


def judge_call(person: User, *, at: datetime.datetime, was_asked_for: bool = False) -> Verdict:
    """Return whether `person` may be called at the instant `at`.

    About a late payment, or because they asked for a call: that is no collection, and a plan that
    is kept does not stand against it. Calls and conversations of their local day count over all
    cases and all staff (conduct CC-03, CC-04); collection texts are counted by the gate itself.
    """
    attempts, conversations = calls_today(person, at=at)
    return judge_contact(
        person=person,
        purpose=ContactPurpose.SERVICING if was_asked_for else ContactPurpose.COLLECTION,
        channel=Channel.PHONE,
        at=at,
        other_attempts=attempts,
        conversations=conversations,
    )


def calls_today(person: User, *, at: datetime.datetime) -> tuple[int, int]:
    """Return our calls and the conversations among all contacts of the person's local day."""
    local = local_time_of(person, at)
    if local is None:
        return 0, 0
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    today = ContactNote.objects.filter(
        case__loan__borrower=person,
        direction=ContactDirection.OUTBOUND,
        at__gte=midnight,
        at__lte=at,
    )
    return (
        today.filter(channel=ContactChannel.PHONE).count(),
        today.filter(outcome__in=CONVERSATIONS).count(),
    )
