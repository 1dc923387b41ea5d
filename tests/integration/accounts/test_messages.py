"""The outbox: queued once, sent once, never at night."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from accounts import tasks
from accounts.adapters import carriers
from accounts.adapters.sms import SmsAnswer, SmsError, SmsState
from accounts.engine.consent import ConsentPurpose
from accounts.engine.contact_rules import Channel, ContactPurpose, HoldReason
from accounts.models import Message, MessageState, User
from accounts.services import holds, messages
from accounts.services.consents import record_consent
from accounts.services.messages import Delivery, UnableToQueueMessageError, queue_message
from tests.factories.accounts import NOON, make_person
from zhixin.shared.actor import SYSTEM

# 22:00 and 08:00 in Shanghai.
TEN_PM = datetime(2026, 6, 16, 14, 0, tzinfo=UTC)
EIGHT_AM = datetime(2026, 6, 17, 0, 0, tzinfo=UTC)


def queue_reminder(
    person: User, *, purpose: str = "SERVICING", dedup_key: str | None = None
) -> Message:
    return queue_message(
        recipient=person,
        kind="payment_late",
        purpose=purpose,
        context={"amount": "888.49", "days": 3, "number": "ZX-1", "path": "/loans/1/"},
        dedup_key=dedup_key,
        at=NOON,
    )


@pytest.mark.django_db
def test_text_in_the_recipients_language_with_link_and_opt_out(settings: Settings) -> None:
    settings.SITE_URL = "https://zhixin.example"
    message = queue_reminder(make_person())
    assert message.channel == Channel.SMS
    assert message.subject == ""
    assert message.body == (
        "Zhixin, your lender, about your own loan: ¥888.49 has been due for 3 days. Pay, or see "
        "what it costs and change your plan: https://zhixin.example/loans/1/\n"
        "No more texts: reply R."
    )


@pytest.mark.django_db
def test_an_email_has_a_subject_and_no_escaped_signs() -> None:
    message = queue_message(
        recipient=make_person(channel=Channel.EMAIL),
        kind="payment_late",
        purpose="COLLECTION",
        context={"amount": "1.00", "days": 3, "number": "A&B'1", "path": "/"},
        at=NOON,
    )
    assert message.subject == "¥1.00 of your loan is late"
    assert "A&B'1" in message.body
    assert "No more e-mails like this: http://127.0.0.1:8000/me/privacy/" in message.body


@pytest.mark.django_db
def test_an_email_without_text_of_its_own_takes_that_of_the_sms() -> None:
    message = queue_message(
        recipient=make_person(channel=Channel.EMAIL),
        kind="repayment_received",
        purpose="SERVICING",
        context={"amount": "1.00", "path": "/"},
        at=NOON,
    )
    assert message.subject == "智信 Zhixin"
    assert message.body.startswith("Zhixin: thank you, ¥1.00 has arrived.")


@pytest.mark.django_db
def test_the_same_key_queues_once() -> None:
    person = make_person()
    first = queue_reminder(person, dedup_key="due:1")
    assert queue_reminder(person, dedup_key="due:1").pk == first.pk
    assert queue_reminder(person, dedup_key="due:2").pk != first.pk
    assert Message.objects.count() == 2


@pytest.mark.django_db
def test_no_address_or_no_text_is_refused() -> None:
    person = make_person()
    with pytest.raises(UnableToQueueMessageError):
        queue_message(
            recipient=person,
            kind="no_such_text",
            purpose="SERVICING",
            context={},
            at=NOON,
        )
    with pytest.raises(UnableToQueueMessageError):
        queue_message(
            recipient=person,
            kind="payment_late",
            purpose="SERVICING",
            channel=Channel.EMAIL,
            context={},
            at=NOON,
        )
    assert Message.objects.count() == 0


@pytest.mark.django_db
def test_the_task_sends_and_a_second_run_does_nothing() -> None:
    message = queue_message(
        recipient=make_person(),
        kind="verification_code",
        purpose="AUTH",
        context={"code": "123456"},
        at=NOON,
    )
    tasks.deliver_message(message_id=message.pk)
    message.refresh_from_db()
    assert message.state == MessageState.SENT
    assert message.attempts == 1
    assert message.delivery_reference == "outbox"
    sent_at = message.sent_at
    tasks.deliver_message(message_id=message.pk)
    message.refresh_from_db()
    assert (message.attempts, message.sent_at) == (1, sent_at)


@pytest.mark.django_db
def test_at_night_a_message_waits_for_the_morning() -> None:
    message = queue_reminder(make_person())
    assert messages.claim_message(message_id=message.pk, at=TEN_PM) is None
    message.refresh_from_db()
    assert message.state == MessageState.QUEUED
    assert message.refusal_rule == "CC-21"
    assert message.not_before == EIGHT_AM
    assert message.attempts == 0
    almost = EIGHT_AM - timedelta(microseconds=1)
    assert messages.waiting_message_ids(at=almost, limit=10) == []
    assert messages.waiting_message_ids(at=EIGHT_AM, limit=10) == [message.pk]
    delivery = messages.claim_message(message_id=message.pk, at=EIGHT_AM)
    assert delivery is not None
    assert delivery.reference == message.public_id
    message.refresh_from_db()
    assert (message.state, message.refusal_rule) == (MessageState.SENDING, "")


@pytest.mark.django_db
def test_a_hold_refuses_collection_with_its_rule() -> None:
    person = make_person()
    holds.place_hold(person=person, reason=HoldReason.PLAN_KEPT, until=None, actor=SYSTEM, at=NOON)
    late = queue_reminder(person, purpose="COLLECTION")
    about_loan = queue_reminder(person, purpose="SERVICING")
    assert messages.claim_message(message_id=late.pk, at=NOON) is None
    assert messages.claim_message(message_id=about_loan.pk, at=NOON) is not None
    late.refresh_from_db()
    assert (late.state, late.refusal_rule) == (MessageState.REFUSED, "CC-19")
    holds.release_hold(person=person, reason=HoldReason.PLAN_KEPT, actor=SYSTEM, at=NOON)
    assert messages.claim_message(message_id=late.pk, at=NOON) is None


@pytest.mark.django_db
def test_opting_out_and_an_unknown_time_zone_refuse() -> None:
    person = make_person()
    record_consent(
        user=person,
        purpose=ConsentPurpose.SERVICE_SMS,
        granted=False,
        actor=person.as_actor(),
        at=NOON,
    )
    opted_out = queue_reminder(person)
    nowhere = make_person()
    nowhere.time_zone = "Moon/Base"
    nowhere.save()
    unknown = queue_reminder(nowhere)
    for message, rule in ((opted_out, "CC-16"), (unknown, "CC-22")):
        assert messages.claim_message(message_id=message.pk, at=NOON) is None
        message.refresh_from_db()
        assert (message.state, message.refusal_rule) == (MessageState.REFUSED, rule)


@pytest.mark.django_db
def test_the_seventh_collection_message_of_a_day_waits() -> None:
    person = make_person()
    queued = [queue_reminder(person, purpose="COLLECTION") for _ in range(7)]
    for message in queued[:6]:
        assert messages.claim_message(message_id=message.pk, at=NOON) is not None
        messages.record_sent(message_id=message.pk, delivery_reference="x", at=NOON, keep_code=True)
    assert messages.claim_message(message_id=queued[6].pk, at=NOON) is None
    queued[6].refresh_from_db()
    assert queued[6].refusal_rule == "CC-03"
    assert queued[6].not_before == EIGHT_AM


@pytest.mark.django_db
def test_a_claim_lapses_and_keeps_its_reference() -> None:
    message = queue_reminder(make_person())
    first = messages.claim_message(message_id=message.pk, at=NOON)
    soon = NOON + timedelta(minutes=5) - timedelta(microseconds=1)
    assert messages.claim_message(message_id=message.pk, at=soon) is None
    second = messages.claim_message(message_id=message.pk, at=NOON + timedelta(minutes=5))
    assert first is not None
    assert second == first
    message.refresh_from_db()
    assert message.attempts == 2


def carrier_says(state: SmsState, purpose: ContactPurpose) -> bool:
    """Return whether a carrier's word leads to another attempt."""
    delivery = Delivery(
        message_id=1,
        reference=Message().public_id,
        purpose=purpose,
        channel=Channel.SMS,
        address="+8613800138000",
        subject="",
        body="x",
    )

    class Client:
        def send_text(self, **_: str) -> str:
            raise SmsError(SmsAnswer(state=state))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carriers.SmsClient, "from_settings", Client)
        with pytest.raises(carriers.CarrierError) as caught:
            carriers.deliver(delivery)
    return caught.value.may_repeat


def test_only_what_cannot_arrive_twice_is_repeated(settings: Settings) -> None:
    settings.MESSAGE_DELIVERY = "carriers"
    assert carrier_says(SmsState.THROTTLED, ContactPurpose.SERVICING) is True
    assert carrier_says(SmsState.REFUSED, ContactPurpose.AUTH) is False
    assert carrier_says(SmsState.UNKNOWN, ContactPurpose.AUTH) is True
    assert carrier_says(SmsState.UNKNOWN, ContactPurpose.SERVICING) is False


@pytest.mark.django_db
def test_failures_wait_longer_and_then_end() -> None:
    message = queue_reminder(make_person())
    at = NOON
    for minutes in (1, 2, 4, 8):
        assert messages.claim_message(message_id=message.pk, at=at) is not None
        messages.record_failure(message_id=message.pk, error="busy", may_repeat=True, at=at)
        message.refresh_from_db()
        assert message.state == MessageState.QUEUED
        assert message.not_before == at + timedelta(minutes=minutes)
        at = message.not_before
    assert messages.claim_message(message_id=message.pk, at=at) is not None
    state = messages.record_failure(message_id=message.pk, error="busy", may_repeat=True, at=at)
    assert state == MessageState.FAILED
    assert messages.waiting_message_ids(at=at + timedelta(days=9), limit=10) == []


@pytest.mark.django_db
def test_carriers_leave_no_code_behind() -> None:
    message = queue_message(
        recipient=make_person(),
        kind="verification_code",
        purpose="AUTH",
        context={"code": "123456"},
        at=NOON,
    )
    messages.claim_message(message_id=message.pk, at=NOON)
    messages.record_sent(message_id=message.pk, delivery_reference="b", at=NOON, keep_code=False)
    message.refresh_from_db()
    assert message.body == ""


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = queue_message(
        recipient=make_person(),
        kind="verification_code",
        purpose="AUTH",
        context={"code": "123456"},
        at=NOON,
    )
    sent: list[str] = []
    start = threading.Barrier(4)

    def carrier(delivery: Delivery) -> str:
        sent.append(str(delivery.reference))
        return "carrier-1"

    monkeypatch.setattr(tasks, "deliver", carrier)

    def work() -> None:
        start.wait()
        try:
            tasks.deliver_message(message_id=message.pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    message.refresh_from_db()
    assert sent == [str(message.public_id)]
    assert (message.state, message.attempts) == (MessageState.SENT, 1)


@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_two_threads_queues_once() -> None:
    person = make_person()
    start = threading.Barrier(4)
    found: list[int] = []

    def work() -> None:
        start.wait()
        try:
            found.append(queue_reminder(person, dedup_key="due:1").pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    assert set(found) == {Message.objects.get().pk}
