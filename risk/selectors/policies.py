"""Which policy and which card decide on a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.utils.translation import gettext as _

from risk.engine.policy import Policy
from risk.engine.scorecard import Scorecard
from risk.models import PolicyVersion, ScorecardVersion
from zhixin.shared.errors import DomainError

DEFAULT_JURISDICTION = "cn"


class NoPolicyError(DomainError):
    """No policy is in force on the date: `manage.py load_policies` has not been run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policy and the card that decide, with the keys of their rows."""

    policy: Policy
    policy_id: int
    scorecard: Scorecard
    scorecard_id: int


def current_policy(on: date, *, jurisdiction: str = DEFAULT_JURISDICTION) -> Policy:
    """Return the policy in force on `on`; raise NoPolicyError when there is none."""
    return policy_of(_version_in_force(on, jurisdiction).sha256)


def policy_in_force(on: date, *, jurisdiction: str = DEFAULT_JURISDICTION) -> Rules:
    """Return the policy in force on `on` and its card; raise NoPolicyError when there is none."""
    version = _version_in_force(on, jurisdiction)
    policy = policy_of(version.sha256)
    card = ScorecardVersion.objects.defer("document").get(code=policy.scorecard)
    return Rules(
        policy=policy,
        policy_id=version.pk,
        scorecard=scorecard_of(card.sha256),
        scorecard_id=card.pk,
    )


def _version_in_force(on: date, jurisdiction: str) -> PolicyVersion:
    version = (
        PolicyVersion.objects.defer("document")
        .filter(jurisdiction=jurisdiction, effective_from__lte=on)
        .order_by("-effective_from")
        .first()
    )
    if version is None:
        raise NoPolicyError(
            _("No lending policy is in force on %(date)s, so nothing can be decided.")
            % {"date": on.isoformat()}
        )
    return version


# Rows never change and the key is the hash of what is read, so this memory cannot be stale.
@lru_cache(maxsize=16)
def policy_of(sha256: str) -> Policy:
    """Return the policy with this hash."""
    return Policy.from_json(PolicyVersion.objects.get(sha256=sha256).document)


@lru_cache(maxsize=16)
def scorecard_of(sha256: str) -> Scorecard:
    """Return the card with this hash."""
    return Scorecard.from_json(ScorecardVersion.objects.get(sha256=sha256).document)
