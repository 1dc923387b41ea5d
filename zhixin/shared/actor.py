"""Who does a thing: a person with an account, or a part of the system with a name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The author of a change: `user_id` for a person, and a label that stays when they go."""

    user_id: int | None
    label: str


NIGHT = Actor(user_id=None, label="night")
BANK = Actor(user_id=None, label="bank")
SYSTEM = Actor(user_id=None, label="system")
DEMO = Actor(user_id=None, label="demo data")
