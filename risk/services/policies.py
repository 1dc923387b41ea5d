"""Brings the policies and cards that come with the code into the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from risk.engine.documents import DocumentError, fingerprint
from risk.engine.policy import Policy
from risk.engine.scorecard import Scorecard
from risk.models import PolicyVersion, ScorecardVersion
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError

RISK_DIR = Path(__file__).resolve().parents[1]


class UnableToLoadPoliciesError(DomainError):
    """A file is broken, or differs from the version that is in force under its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The codes that were created, and those that were there already."""

    created: tuple[str, ...]
    unchanged: tuple[str, ...]


def load_policies(
    *,
    actor: Actor,
    at: datetime,
    policy_dir: Path = RISK_DIR / "policies",
    scorecard_dir: Path = RISK_DIR / "scorecards",
) -> LoadReport:
    """Load every `*.json` of both folders; what is there with the same hash stays as it is.

    Raises UnableToLoadPoliciesError, and loads nothing, when a document is not valid, a policy
    names a card that is not there, or a code exists with another content: a version never changes,
    so a change needs a new code.
    """
    created: list[str] = []
    unchanged: list[str] = []
    with transaction.atomic():
        for path in sorted(scorecard_dir.glob("*.json")):
            card = _valid(path, Scorecard.from_json)
            known = ScorecardVersion.objects.filter(code=card.code).first()
            if _is_new(known, _document(path), card.code):
                ScorecardVersion.objects.create(code=card.code, **_row(path, actor, at))
            (created if known is None else unchanged).append(card.code)
        for path in sorted(policy_dir.glob("*.json")):
            policy = _valid(path, Policy.from_json)
            _check_card(policy)
            before = PolicyVersion.objects.filter(code=policy.code).first()
            if _is_new(before, _document(path), policy.code):
                PolicyVersion.objects.create(
                    code=policy.code,
                    jurisdiction=policy.jurisdiction,
                    effective_from=policy.effective_from,
                    **_row(path, actor, at),
                )
            (created if before is None else unchanged).append(policy.code)
    return LoadReport(created=tuple(created), unchanged=tuple(unchanged))


def _document(path: Path) -> object:
    """Return the JSON of a file; rates and amounts stand in it as text or whole numbers."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_float=_refuse_point)
    except ValueError as error:
        raise UnableToLoadPoliciesError(
            _("%(file)s cannot be read: %(error)s") % {"file": path.name, "error": error}
        ) from error


def _refuse_point(text: str) -> object:
    raise ValueError(f"{text} must stand in quotation marks.")


def _valid(path: Path, read: Any) -> Any:  # noqa: ANN401 - a policy or a card, as `read` makes it.
    try:
        return read(_document(path))
    except DocumentError as error:
        raise UnableToLoadPoliciesError(f"{path.name}: {error}") from error


def _is_new(known: PolicyVersion | ScorecardVersion | None, document: object, code: str) -> bool:
    if known is None:
        return True
    if known.sha256 != fingerprint(document):
        raise UnableToLoadPoliciesError(
            _("%(code)s is in the database with another content. Give the change a new code.")
            % {"code": code}
        )
    return False


def _check_card(policy: Policy) -> None:
    if not ScorecardVersion.objects.filter(code=policy.scorecard).exists():
        raise UnableToLoadPoliciesError(
            _("Policy %(policy)s names the card %(card)s, which is not there.")
            % {"policy": policy.code, "card": policy.scorecard}
        )


def _row(path: Path, actor: Actor, at: datetime) -> dict[str, Any]:
    document = _document(path)
    return {
        "document": document,
        "sha256": fingerprint(document),
        "loaded_at": at,
        "actor_user_id": actor.user_id,
        "actor_label": actor.label,
    }
