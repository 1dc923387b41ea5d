"""The outbox: queue a message with the fact it tells, then claim, send, record.

Sending is split so that no transaction spans the network: `claim_message` passes the contact gate
and marks the row, the task calls the carrier, `record_sent` or `record_failure` writes the outcome.
A worker lost in between leaves a claim that lapses after `CLAIM_LAPSES_AFTER`; the repetition
carries the same client reference, so that the carrier can tell it from a new message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.template import Context, TemplateDoesNotExist
from django.template.loader import select_template
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.engine.contact_rules import Channel, ContactPurpose
from accounts.models import Message, MessageState, User
from accounts.selectors.contact import judge_contact
from zhixin.shared.errors import DomainError
from zhixin.shared.jobs import enqueue_after_commit
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import plain_date

CLAIM_LAPSES_AFTER = timedelta(minutes=5)
MAX_ATTEMPTS = 5
# Codes are worthless soon; everything else waits longer for a carrier to come back.
RETRY_AFTER = timedelta(minutes=1)
SENDER_NAME = "智信 Zhixin"
_BLANK_LINES = re.compile(r"\n{3,}")


class UnableToQueueMessageError(DomainError):
    """The message has no address or no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a carrier needs: the same `reference` at every attempt of one message."""

    message_id: int
    reference: UUID
    purpose: ContactPurpose
    channel: Channel
    address: str
    subject: str
    body: str


def queue_message(
    *,
    recipient: User | None,
    kind: str,
    purpose: ContactPurpose | str,
    context: Mapping[str, object],
    at: datetime,
    channel: Channel | None = None,
    address: str | None = None,
    dedup_key: str | None = None,
) -> Message:
    """Write a message to the outbox in the caller's transaction; a task delivers it afterwards.

    The text is `templates/messages/<kind>.<channel>.txt`, rendered now in the recipient's
    language (the present one without a recipient); an e-mail's first line is its subject, and an
    e-mail without a text of its own takes that of the SMS. Money and dates of the context are
    written as the language does. The channel is SMS for people with a
    phone number. A `path` in the context becomes the absolute `link`. Of several calls with one
    `dedup_key` only the first queues; all return its message. Raises UnableToQueueMessageError
    when there is no address or no text.
    """
    if dedup_key is not None:
        queued = Message.objects.filter(dedup_key=dedup_key).first()
        if queued is not None:
            return queued
    purpose = ContactPurpose(purpose)
    channel = channel or _usual_channel(recipient, address)
    address = address or _own_address(recipient, channel)
    language = recipient.language if recipient else translation.get_language() or "en"
    subject, body = _render(
        kind=kind, channel=channel, language=language, purpose=purpose, context=context
    )
    message = Message(
        recipient=recipient,
        address=address,
        channel=channel,
        kind=kind,
        purpose=purpose,
        language=language,
        subject=subject,
        body=body,
        dedup_key=dedup_key,
        created_at=at,
    )
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:
        # Somebody else queued the same message between our look and our insert.
        return Message.objects.get(dedup_key=dedup_key)
    enqueue_after_commit("accounts.deliver_message", message_id=message.pk)
    return message


def claim_message(*, message_id: int, at: datetime) -> Delivery | None:
    """Take up a waiting message for sending, if the contact gate lets it pass.

    Returns None when nothing is to be sent: it was sent, is being sent by another worker, has to
    wait until `not_before`, or is refused. A refusal that time heals (quiet hours) leaves the
    message waiting; any other ends it with the id of the rule.
    """
    with transaction.atomic():
        message = (
            Message.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("recipient")
            .filter(_waiting(at), pk=message_id)
            .first()
        )
        if message is None:
            return None
        verdict = judge_contact(
            person=message.recipient,
            purpose=ContactPurpose(message.purpose),
            channel=Channel(message.channel),
            address=message.address,
            at=at,
        )
        if verdict.allowed:
            message.state = MessageState.SENDING
            message.attempts += 1
            message.claimed_at = at
        elif verdict.earliest_next is not None:
            message.state = MessageState.QUEUED
            message.not_before = verdict.earliest_next
        else:
            message.state = MessageState.REFUSED
        message.refusal_rule = "" if verdict.allowed else verdict.rule
        message.save(
            update_fields=["state", "attempts", "claimed_at", "not_before", "refusal_rule"]
        )
        return _delivery_of(message) if verdict.allowed else None


def record_sent(*, message_id: int, delivery_reference: str, at: datetime, keep_code: bool) -> None:
    """Record that the carrier took the message.

    `keep_code` False wipes the text of a code once it is on its way: nobody may read it here.
    """
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message_id)
        message.state = MessageState.SENT
        message.sent_at = at
        message.delivery_reference = delivery_reference
        message.latest_error = ""
        if message.purpose == ContactPurpose.AUTH and not keep_code:
            message.body = ""
        message.save(
            update_fields=["state", "sent_at", "delivery_reference", "latest_error", "body"]
        )


def record_failure(*, message_id: int, error: str, may_repeat: bool, at: datetime) -> MessageState:
    """Record that the carrier did not take the message, and return its state.

    A message that may be repeated waits for a minute, then two, four, eight; then it has FAILED.
    """
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message_id)
        message.latest_error = error[:200]
        if not may_repeat or message.attempts >= MAX_ATTEMPTS:
            message.state = MessageState.FAILED
        else:
            message.state = MessageState.QUEUED
            message.not_before = at + RETRY_AFTER * 2 ** (message.attempts - 1)
        message.save(update_fields=["state", "not_before", "latest_error"])
        return MessageState(message.state)


def waiting_message_ids(*, at: datetime, limit: int) -> list[int]:
    """Return the messages that could be sent now, oldest first: those whose task was lost."""
    waiting = Message.objects.filter(_waiting(at)).order_by("created_at", "pk")
    return list(waiting.values_list("pk", flat=True)[:limit])


def _waiting(at: datetime) -> Q:
    """Return the filter of messages to send: queued and due, or claimed by a lost worker."""
    due = Q(not_before__isnull=True) | Q(not_before__lte=at)
    return (Q(state=MessageState.QUEUED) & due) | Q(
        state=MessageState.SENDING, claimed_at__lte=at - CLAIM_LAPSES_AFTER
    )


def _delivery_of(message: Message) -> Delivery:
    return Delivery(
        message_id=message.pk,
        reference=message.public_id,
        purpose=ContactPurpose(message.purpose),
        channel=Channel(message.channel),
        address=message.address,
        subject=message.subject,
        body=message.body,
    )


def _usual_channel(recipient: User | None, address: str | None) -> Channel:
    """Return SMS for phone numbers and people who have one, otherwise e-mail."""
    if address is not None:
        return Channel.EMAIL if "@" in address else Channel.SMS
    return Channel.SMS if recipient is not None and recipient.phone else Channel.EMAIL


def _own_address(recipient: User | None, channel: Channel) -> str:
    """Return the recipient's address for the channel; raise UnableToQueueMessageError if none."""
    address = None
    if recipient is not None:
        address = recipient.phone if channel is Channel.SMS else recipient.email
    if not address:
        raise UnableToQueueMessageError(_("There is no address to send this message to."))
    return address


def _readable(value: object) -> object:
    """Return an amount or a date as people write it in the language in force."""
    if isinstance(value, Money):
        return f"{value.amount:,.2f}"
    return plain_date(value) if isinstance(value, date) else value


def _render(
    *,
    kind: str,
    channel: Channel,
    language: str,
    purpose: ContactPurpose,
    context: Mapping[str, object],
) -> tuple[str, str]:
    """Return subject and body; a text message has no subject."""
    names = [f"messages/{kind}.{ending}.txt" for ending in ("email", "sms")]
    if channel is Channel.SMS:
        names = names[1:]
    with translation.override(language):
        facts = {name: _readable(value) for name, value in context.items()}
    values = {
        **facts,
        "link": f"{settings.SITE_URL}{context.get('path', '')}",
        "opt_out_link": f"{settings.SITE_URL}{reverse('accounts:privacy')}",
        "opt_out": purpose is not ContactPurpose.AUTH,
        "is_sms": channel is Channel.SMS,
    }
    with translation.override(language):
        try:
            template = select_template(names)
        except TemplateDoesNotExist as error:
            raise UnableToQueueMessageError(
                _("There is no text for messages of the kind “%(kind)s”.") % {"kind": kind}
            ) from error
        # Texts are plain: escaping for HTML would put &#39; into them.
        text = template.template.render(Context(values, autoescape=False))
    text = _BLANK_LINES.sub("\n\n", text.strip())
    if channel is Channel.SMS:
        return "", text
    if str(template.origin.template_name).endswith(".sms.txt"):
        return SENDER_NAME, text
    subject, _separator, body = text.partition("\n")
    return subject.strip(), body.strip()
