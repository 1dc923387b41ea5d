"""May this person be contacted now, this way, for this purpose: every message passes here.

All times are local to the person:
CC-01 no collection contact between 22:00 and 08:00 (China Banking Association, guideline on
collecting personal consumer loans, 2026-01-30; GB/T 45251-2025); CC-03 at most 6 attempts a day;
CC-04 at most 3 conversations a day; CC-16 an opt-out of a channel is kept; CC-19 no collection
while an agreed plan is kept, a breathing space runs, a dispute is open, or death or fraud is
flagged; CC-21 reminders keep the same hours and opt-outs; CC-22 what cannot be judged is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum

QUIET_FROM = time(22, 0)
QUIET_UNTIL = time(8, 0)
MAX_ATTEMPTS_A_DAY = 6
MAX_CONVERSATIONS_A_DAY = 3


class ContactPurpose(StrEnum):
    """Why a person is contacted."""

    AUTH = "AUTH"
    SERVICING = "SERVICING"
    COLLECTION = "COLLECTION"


class Channel(StrEnum):
    """How a person is contacted."""

    SMS = "SMS"
    EMAIL = "EMAIL"
    PHONE = "PHONE"


class HoldReason(StrEnum):
    """Why a person may not be contacted for a while."""

    PLAN_KEPT = "PLAN_KEPT"
    BREATHING_SPACE = "BREATHING_SPACE"
    DISPUTE = "DISPUTE"
    DECEASED = "DECEASED"
    FRAUD = "FRAUD"


class ContactRule(StrEnum):
    """The rule that decided, by its id."""

    CODE_ASKED_FOR = "AUTH"
    QUIET_HOURS = "CC-01"
    ATTEMPTS_A_DAY = "CC-03"
    CONVERSATIONS_A_DAY = "CC-04"
    OPTED_OUT = "CC-16"
    ON_HOLD = "CC-19"
    QUIET_HOURS_OF_REMINDERS = "CC-21"
    CANNOT_JUDGE = "CC-22"
    NOTHING_AGAINST = "OK"


# Purposes that a hold stops. After a death or a fraud report even reminders would do harm.
HELD_PURPOSES: dict[HoldReason, frozenset[ContactPurpose]] = {
    HoldReason.PLAN_KEPT: frozenset({ContactPurpose.COLLECTION}),
    HoldReason.BREATHING_SPACE: frozenset({ContactPurpose.COLLECTION}),
    HoldReason.DISPUTE: frozenset({ContactPurpose.COLLECTION}),
    HoldReason.DECEASED: frozenset({ContactPurpose.COLLECTION, ContactPurpose.SERVICING}),
    HoldReason.FRAUD: frozenset({ContactPurpose.COLLECTION, ContactPurpose.SERVICING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactIntent:
    """One contact that somebody wants to make.

    `local_time` is the instant in the person's own time zone, or None when it is not known.
    """

    purpose: ContactPurpose
    channel: Channel
    local_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactHistory:
    """What happened already on the person's present local day, over all who contact for us.

    `attempts` counts contacts tried on the same address, `conversations` answered ones.
    """

    attempts: int
    conversations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPreferences:
    """What the person has asked for."""

    opted_out: Collection[Channel] = field(default=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the contact is allowed, by which rule, and when it would be.

    `earliest_next` is None when the contact is allowed, and when waiting alone will not help.
    """

    allowed: bool
    rule: ContactRule
    earliest_next: datetime | None = None


def judge(
    *,
    contact: ContactIntent,
    history: ContactHistory | None,
    holds: Collection[HoldReason],
    preferences: ContactPreferences,
) -> Verdict:
    """Return the verdict on `contact`; the strictest rule that applies decides.

    A code that the person asked for a moment ago is always allowed. `history` None means that
    it could not be read: then nothing but codes may be sent (CC-22).
    """
    if contact.purpose is ContactPurpose.AUTH:
        return Verdict(allowed=True, rule=ContactRule.CODE_ASKED_FOR)
    if any(contact.purpose in HELD_PURPOSES[reason] for reason in holds):
        return Verdict(allowed=False, rule=ContactRule.ON_HOLD)
    if contact.channel in preferences.opted_out:
        return Verdict(allowed=False, rule=ContactRule.OPTED_OUT)
    if contact.local_time is None or history is None:
        return Verdict(allowed=False, rule=ContactRule.CANNOT_JUDGE)
    return (
        _judge_hours(contact.purpose, contact.local_time)
        or _judge_frequency(contact.purpose, contact.local_time, history)
        or Verdict(allowed=True, rule=ContactRule.NOTHING_AGAINST)
    )


def _judge_hours(purpose: ContactPurpose, local_time: datetime) -> Verdict | None:
    """Return the refusal of a contact at night, or None: 22:00 is night, 08:00 is day."""
    if QUIET_UNTIL <= local_time.time() < QUIET_FROM:
        return None
    rule = (
        ContactRule.QUIET_HOURS
        if purpose is ContactPurpose.COLLECTION
        else ContactRule.QUIET_HOURS_OF_REMINDERS
    )
    days = 1 if local_time.time() >= QUIET_FROM else 0
    return Verdict(allowed=False, rule=rule, earliest_next=_morning(local_time, days=days))


def _judge_frequency(
    purpose: ContactPurpose, local_time: datetime, history: ContactHistory
) -> Verdict | None:
    """Return the refusal of one contact too many on this local day, or None."""
    if purpose is not ContactPurpose.COLLECTION:
        return None
    tomorrow = _morning(local_time, days=1)
    if history.attempts >= MAX_ATTEMPTS_A_DAY:
        return Verdict(allowed=False, rule=ContactRule.ATTEMPTS_A_DAY, earliest_next=tomorrow)
    if history.conversations >= MAX_CONVERSATIONS_A_DAY:
        return Verdict(allowed=False, rule=ContactRule.CONVERSATIONS_A_DAY, earliest_next=tomorrow)
    return None


def _morning(local_time: datetime, *, days: int) -> datetime:
    """Return the end of the quiet hours `days` local days after that of `local_time`."""
    day = local_time.date() + timedelta(days=days)
    return datetime.combine(day, QUIET_UNTIL, tzinfo=local_time.tzinfo)
