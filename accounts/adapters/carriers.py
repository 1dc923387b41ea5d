"""Hand a message to what carries it: the SMS gateway, SMTP, or nobody in development."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage

from accounts.adapters.sms import SmsClient, SmsError, SmsState
from accounts.engine.contact_rules import Channel, ContactPurpose
from accounts.services.messages import Delivery

KEPT_IN_OUTBOX = "outbox"


class CarrierError(Exception):
    """The carrier did not say that it took the message.

    `may_repeat` is False when trying again is no use, and when it could reach a person twice: a
    second code does no harm, a second reminder does.
    """

    def __init__(self, message: str, *, may_repeat: bool) -> None:
        super().__init__(message)
        self.may_repeat = may_repeat


def codes_stay_readable() -> bool:
    """Return whether sent codes may be looked at: only where nothing real is sent."""
    return bool(settings.MESSAGE_DELIVERY == KEPT_IN_OUTBOX)


def deliver(delivery: Delivery) -> str:
    """Hand over one message and return the carrier's reference. Raises CarrierError."""
    if settings.MESSAGE_DELIVERY == KEPT_IN_OUTBOX:
        return KEPT_IN_OUTBOX
    if delivery.channel is Channel.SMS:
        return _send_sms(delivery)
    return _send_email(delivery)


def _send_sms(delivery: Delivery) -> str:
    try:
        return SmsClient.from_settings().send_text(
            reference=str(delivery.reference), phone=delivery.address, text=delivery.body
        )
    except SmsError as error:
        state = error.answer.state
        may_repeat = state is SmsState.THROTTLED or (
            state is SmsState.UNKNOWN and delivery.purpose is ContactPurpose.AUTH
        )
        raise CarrierError(str(error), may_repeat=may_repeat) from error
    except ValueError as error:
        raise CarrierError(str(error), may_repeat=False) from error


def _send_email(delivery: Delivery) -> str:
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    message_id = f"<{delivery.reference}@{domain}>"
    message = EmailMessage(
        subject=delivery.subject,
        body=delivery.body,
        to=[delivery.address],
        headers={"Message-ID": message_id},
    )
    try:
        message.send()
    except OSError as error:  # smtplib's errors are OSErrors.
        raise CarrierError(str(error), may_repeat=True) from error
    return message_id
