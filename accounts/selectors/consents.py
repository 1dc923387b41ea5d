"""What a person has agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.engine.consent import CONSENT_TEXTS, ConsentPurpose, ConsentText
from accounts.models import Consent, PersonalDataAccess, User


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """A purpose and where the person stands; `chosen_at` is None before any choice."""

    text: ConsentText
    granted: bool
    chosen_at: datetime | None


def has_consent(*, user: User, purpose: ConsentPurpose) -> bool:
    """Return the person's latest answer; before any answer, what the registry says."""
    latest = (
        Consent.objects.filter(user=user, purpose=purpose)
        .order_by("-at", "-pk")
        .values_list("granted", flat=True)
        .first()
    )
    return CONSENT_TEXTS[purpose].unless_asked if latest is None else latest


def consent_states(user: User) -> tuple[ConsentState, ...]:
    """Return every purpose of the registry with the person's present answer."""
    latest = {
        consent.purpose: consent
        for consent in Consent.objects.filter(user=user).order_by("at", "pk")
    }
    return tuple(
        ConsentState(
            text=text,
            granted=latest[purpose].granted if purpose in latest else text.unless_asked,
            chosen_at=latest[purpose].at if purpose in latest else None,
        )
        for purpose, text in CONSENT_TEXTS.items()
    )


def latest_accesses(user: User, *, count: int = 50) -> list[PersonalDataAccess]:
    """Return the latest reads of the person's data by others, newest first."""
    return list(PersonalDataAccess.objects.filter(subject=user)[:count])
