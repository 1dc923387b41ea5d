"""Idempotency: a money command runs once for its key, and the key is bound to its body."""

from __future__ import annotations

import datetime
import hashlib
import json

from django.db import connection
from django.utils.translation import gettext as _

from loans.models import MoneyCommand
from zhixin.shared.errors import DomainError

KEY_LENGTH_MAX = 80
# One statement, which waits for another use of the key and leaves this transaction whole.
_CLAIM = """
    INSERT INTO loans_moneycommand (owner_id, key, kind, fingerprint, recorded_at)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT (owner_id, key) DO NOTHING RETURNING id
"""


class KeyReusedError(DomainError):
    """The idempotency key was used before for something else."""


class MissingKeyError(DomainError):
    """A money command came without a usable idempotency key."""


def fingerprint_of(body: dict[str, str]) -> str:
    """Return the SHA-256 of the canonical JSON of `body`."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def claim_command(
    *, owner_id: int, key: str, kind: str, body: dict[str, str], at: datetime.datetime
) -> tuple[MoneyCommand, bool]:
    """Return the command of this key and whether it is new.

    Runs in the caller's transaction, under the caller's row lock. Raises KeyReusedError when the
    key was used with another body, MissingKeyError when there is none.
    """
    if not key or len(key) > KEY_LENGTH_MAX:
        raise MissingKeyError(_("This request has no valid key. Reload the page and try again."))
    fingerprint = fingerprint_of({"kind": kind, **body})
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [owner_id, key, kind, fingerprint, at])
        claimed = cursor.fetchone()
    if claimed:
        command = MoneyCommand(
            pk=claimed[0],
            owner_id=owner_id,
            key=key,
            kind=kind,
            fingerprint=fingerprint,
            recorded_at=at,
        )
        return command, True
    command = MoneyCommand.objects.get(owner_id=owner_id, key=key)
    if command.fingerprint != fingerprint:
        raise KeyReusedError(
            _("This form was already sent with other figures. Reload the page and try again.")
        )
    return command, False
