"""Record what people agree to, and who reads their data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import get_language

from accounts.engine.consent import CONSENT_TEXTS, ConsentPurpose
from accounts.models import Consent, PersonalDataAccess, User
from zhixin.shared.actor import Actor


def record_consent(
    *, user: User, purpose: ConsentPurpose, granted: bool, actor: Actor, at: datetime
) -> Consent:
    """Record the person's answer to a purpose, with the version and language of the text.

    An answer equal to the present one is recorded again: it is a new act of the person.
    """
    return Consent.objects.create(
        user=user,
        purpose=purpose,
        granted=granted,
        text_version=CONSENT_TEXTS[purpose].version,
        language=get_language() or "en",
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        at=at,
    )


def record_access(
    *, actor: Actor, subject: User, fields: Sequence[str], purpose: str, at: datetime
) -> PersonalDataAccess | None:
    """Record that `actor` read these fields of `subject`; their own data is no access by others.

    `purpose` is the reason in English, marked by `gettext_noop`: the person reads it translated.
    Returns None for one's own data.
    """
    if actor.user_id == subject.pk:
        return None
    return PersonalDataAccess.objects.create(
        subject=subject,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
        fields=sorted(fields),
        purpose=purpose,
        at=at,
    )
