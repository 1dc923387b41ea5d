"""May a borrower be called now: the contact gate, told of the calls of the day."""

from __future__ import annotations

import datetime

from accounts.engine.contact_rules import Channel, ContactPurpose, Verdict
from accounts.models import User
from accounts.selectors.contact import judge_contact, local_time_of
from collections_app.models import ContactChannel, ContactDirection, ContactNote
from collections_app.models.case import CONVERSATIONS


def judge_call(person: User, *, at: datetime.datetime) -> Verdict:
    """Return whether `person` may be called about a late payment at the instant `at`.

    Calls and conversations of their local day count over all cases and all staff (conduct CC-03,
    CC-04); collection texts to the same number are counted by the gate itself.
    """
    local = local_time_of(person, at)
    attempts = conversations = 0
    if local is not None:
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        today = ContactNote.objects.filter(
            case__loan__borrower=person,
            direction=ContactDirection.OUTBOUND,
            at__gte=midnight,
            at__lte=at,
        )
        attempts = today.filter(channel=ContactChannel.PHONE).count()
        conversations = today.filter(outcome__in=CONVERSATIONS).count()
    return judge_contact(
        person=person,
        purpose=ContactPurpose.COLLECTION,
        channel=Channel.PHONE,
        at=at,
        other_attempts=attempts,
        conversations=conversations,
    )
