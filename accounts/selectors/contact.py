"""What the contact gate needs to know about a person, and its answers in words."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext_lazy as _

from accounts.engine.consent import ConsentPurpose
from accounts.engine.contact_rules import (
    Channel,
    ContactHistory,
    ContactIntent,
    ContactPreferences,
    ContactPurpose,
    ContactRule,
    HoldReason,
    Verdict,
    judge,
)
from accounts.models import ContactHold, Message, MessageState, User
from accounts.selectors.consents import has_consent

RULE_TEXTS = {
    ContactRule.CODE_ASKED_FOR: _("The person asked for this code."),
    ContactRule.QUIET_HOURS: _("No collection contact between 22:00 and 08:00 where they live."),
    ContactRule.QUIET_HOURS_OF_REMINDERS: _("No messages between 22:00 and 08:00 where they live."),
    ContactRule.ATTEMPTS_A_DAY: _("Six attempts a day are the most."),
    ContactRule.CONVERSATIONS_A_DAY: _("Three conversations a day are the most."),
    ContactRule.OPTED_OUT: _("The person does not want this channel."),
    ContactRule.ON_HOLD: _("Contact is on hold: a plan, a dispute or another reason stands."),
    ContactRule.CANNOT_JUDGE: _("Their local time is not known, so nothing is sent."),
    ContactRule.NOTHING_AGAINST: _("Nothing stands against it."),
}
_CHANNEL_CONSENTS = {
    Channel.SMS: ConsentPurpose.SERVICE_SMS,
    Channel.EMAIL: ConsentPurpose.SERVICE_EMAIL,
}


def judge_contact(
    *,
    person: User | None,
    purpose: ContactPurpose,
    channel: Channel,
    at: datetime,
    address: str | None = None,
    other_attempts: int = 0,
    conversations: int = 0,
) -> Verdict:
    """Return whether `person` may be contacted at the instant `at`.

    Messages of this local day to `address` (the person's own for the channel when None) are
    counted here; a caller that also phones passes `other_attempts` and `conversations` of the
    day. Without a person only codes may be sent.
    """
    local_time = None if person is None else local_time_of(person, at)
    history = None
    if person is not None and local_time is not None:
        sent = _collection_messages_today(
            address or _address_of(person, channel), local_time=local_time
        )
        history = ContactHistory(attempts=sent + other_attempts, conversations=conversations)
    return judge(
        contact=ContactIntent(purpose=purpose, channel=channel, local_time=local_time),
        history=history,
        holds=active_holds(person, at),
        preferences=ContactPreferences(opted_out=_opted_out(person)),
    )


def local_time_of(person: User, at: datetime) -> datetime | None:
    """Return `at` on the person's clock, or None when their time zone is not known."""
    if not person.time_zone:
        return None
    try:
        return at.astimezone(ZoneInfo(person.time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        return None


def active_holds(person: User | None, at: datetime) -> frozenset[HoldReason]:
    """Return the reasons that keep the person from being contacted at `at`."""
    if person is None:
        return frozenset()
    reasons = ContactHold.objects.active(at).filter(person=person)
    return frozenset(HoldReason(reason) for reason in reasons.values_list("reason", flat=True))


def rule_text(rule: ContactRule) -> str:
    """Return what the rule says, in the reader's language."""
    return str(RULE_TEXTS[rule])


def _opted_out(person: User | None) -> frozenset[Channel]:
    """Return the channels that the person has switched off."""
    if person is None:
        return frozenset()
    return frozenset(
        channel
        for channel, purpose in _CHANNEL_CONSENTS.items()
        if not has_consent(user=person, purpose=purpose)
    )


def _address_of(person: User, channel: Channel) -> str:
    """Return where the channel reaches the person; empty when it does not."""
    return (person.email if channel is Channel.EMAIL else person.phone) or ""


def _collection_messages_today(address: str, *, local_time: datetime) -> int:
    """Return the collection messages sent to `address` on the local day of `local_time`."""
    midnight = datetime.combine(local_time.date(), time.min, tzinfo=local_time.tzinfo)
    return Message.objects.filter(
        address=address,
        purpose=ContactPurpose.COLLECTION,
        state=MessageState.SENT,
        sent_at__gte=midnight,
        sent_at__lt=midnight + timedelta(days=1),
    ).count()
