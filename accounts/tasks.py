"""Send what waits in the outbox."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from accounts.adapters.carriers import CarrierError, codes_stay_readable, deliver
from accounts.services import messages
from zhixin.shared import clock

logger = logging.getLogger(__name__)
SWEEP_LIMIT = 500


@shared_task(name="accounts.deliver_message")
def deliver_message(*, message_id: int, **_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Send one message: claim it, call the carrier outside any transaction, record."""
    delivery = messages.claim_message(message_id=message_id, at=clock.now())
    if delivery is None:
        return
    try:
        reference = deliver(delivery)
    except CarrierError as error:
        logger.warning("Message %s was not taken: %s", delivery.reference, error)
        messages.record_failure(
            message_id=message_id,
            error=str(error),
            may_repeat=error.may_repeat,
            at=clock.now(),
        )
        return
    messages.record_sent(
        message_id=message_id,
        delivery_reference=reference,
        at=clock.now(),
        keep_code=codes_stay_readable(),
    )


@shared_task(name="accounts.deliver_waiting_messages")
def deliver_waiting_messages(**_later: Any) -> None:  # noqa: ANN401 - deploy skew.
    """Send what is due and has no task any more: put off, failed, or lost with the broker."""
    for message_id in messages.waiting_message_ids(at=clock.now(), limit=SWEEP_LIMIT):
        deliver_message(message_id=message_id)
