"""The outbox: every message to a person is a row before it is sent."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.engine.contact_rules import Channel, ContactPurpose
from accounts.engine.masking import mask_email, mask_phone


class MessageState(models.TextChoices):
    """How far a message has come."""

    QUEUED = "QUEUED", _("Waiting")
    SENDING = "SENDING", _("Being sent")
    SENT = "SENT", _("Sent")
    FAILED = "FAILED", _("Failed")
    REFUSED = "REFUSED", _("Not allowed")


class MessageChannel(models.TextChoices):
    """The channels that carry messages."""

    SMS = Channel.SMS.value, _("Text message")
    EMAIL = Channel.EMAIL.value, _("E-mail")


class MessagePurpose(models.TextChoices):
    """Why a message is sent, for the contact gate."""

    AUTH = ContactPurpose.AUTH.value, _("Code")
    SERVICING = ContactPurpose.SERVICING.value, _("About the loan")
    COLLECTION = ContactPurpose.COLLECTION.value, _("Overdue")


class Message(models.Model):
    """One text to one address, rendered in the recipient's language when it was queued.

    `public_id` is the client reference that goes with every attempt, so that a carrier can tell
    a repetition. `not_before` is set when the contact gate or a failure has put it off.
    """

    public_id = models.UUIDField(
        unique=True, default=uuid.uuid4, editable=False, verbose_name=_("public id")
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="messages",
        null=True,
        blank=True,
        verbose_name=_("recipient"),
    )
    address = models.CharField(_("address"), max_length=254)
    channel = models.CharField(_("channel"), max_length=10, choices=MessageChannel.choices)
    kind = models.CharField(_("kind"), max_length=60)
    purpose = models.CharField(_("purpose"), max_length=12, choices=MessagePurpose.choices)
    language = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    state = models.CharField(
        _("state"), max_length=10, choices=MessageState.choices, default=MessageState.QUEUED
    )
    refusal_rule = models.CharField(_("rule against it"), max_length=10, blank=True)
    dedup_key = models.CharField(
        max_length=120, unique=True, null=True, blank=True, verbose_name=_("key against doubles")
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("queued at"))
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("taken up at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivery_reference = models.CharField(_("carrier's reference"), max_length=120, blank=True)
    latest_error = models.CharField(_("latest error"), max_length=200, blank=True)

    class Meta:
        """State and facts go together; the sweep finds what waits by an index of its own."""

        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering: ClassVar[list[str]] = ["-created_at", "-pk"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(state__in=["QUEUED", "SENDING"]),
                name="message_waiting",
            ),
            models.Index(fields=["address", "sent_at"], name="message_by_address"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(state="SENT", sent_at__isnull=False)
                | (~models.Q(state="SENT") & models.Q(sent_at__isnull=True)),
                name="message_sent_has_instant",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="REFUSED") | ~models.Q(refusal_rule=""),
                name="message_refused_names_rule",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="SENDING") | models.Q(claimed_at__isnull=False),
                name="message_sending_is_claimed",
            ),
        ]

    def __str__(self) -> str:
        """Return why it is sent and the masked address."""
        return f"{self.get_purpose_display()} → {self.masked_address}"

    @property
    def masked_address(self) -> str:
        """Return the address with its middle hidden."""
        mask = mask_phone if self.channel == MessageChannel.SMS else mask_email
        return mask(self.address)
