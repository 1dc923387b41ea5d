"""The contact gate, at its exact boundaries."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

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

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOTHING_YET = ContactHistory(attempts=0, conversations=0)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def judged(
    purpose: ContactPurpose,
    local_time: datetime | None,
    *,
    history: ContactHistory | None = NOTHING_YET,
    holds: frozenset[HoldReason] = frozenset(),
    opted_out: frozenset[Channel] = frozenset(),
) -> Verdict:
    return judge(
        contact=ContactIntent(purpose=purpose, channel=Channel.SMS, local_time=local_time),
        history=history,
        holds=holds,
        preferences=ContactPreferences(opted_out=opted_out),
    )


@pytest.mark.parametrize(
    ("purpose", "rule"),
    [
        (ContactPurpose.COLLECTION, ContactRule.QUIET_HOURS),
        (ContactPurpose.SERVICING, ContactRule.QUIET_HOURS_OF_REMINDERS),
    ],
)
@pytest.mark.parametrize(
    ("clock", "allowed", "next_day"),
    [
        ("21:59:59.999999", True, None),
        ("22:00:00", False, "2026-06-17T08:00"),
        ("23:59:59", False, "2026-06-17T08:00"),
        ("00:00:00", False, "2026-06-16T08:00"),
        ("07:59:59.999999", False, "2026-06-16T08:00"),
        ("08:00:00", True, None),
    ],
)
def test_quiet_hours(
    purpose: ContactPurpose,
    rule: ContactRule,
    clock: str,
    allowed: bool,
    next_day: str | None,
) -> None:
    verdict = judged(purpose, local(f"2026-06-16T{clock}"))
    assert verdict == Verdict(
        allowed=allowed,
        rule=ContactRule.NOTHING_AGAINST if allowed else rule,
        earliest_next=local(next_day) if next_day else None,
    )


def test_a_code_that_was_asked_for_always_comes() -> None:
    verdict = judged(
        ContactPurpose.AUTH,
        None,
        history=None,
        holds=frozenset(HoldReason),
        opted_out=frozenset(Channel),
    )
    assert verdict == Verdict(allowed=True, rule=ContactRule.CODE_ASKED_FOR)


@pytest.mark.parametrize("purpose", [ContactPurpose.SERVICING, ContactPurpose.COLLECTION])
def test_without_time_zone_or_history_nothing_is_sent(purpose: ContactPurpose) -> None:
    refused = Verdict(allowed=False, rule=ContactRule.CANNOT_JUDGE)
    assert judged(purpose, None) == refused
    assert judged(purpose, local("2026-06-16T12:00"), history=None) == refused


@pytest.mark.parametrize("purpose", [ContactPurpose.SERVICING, ContactPurpose.COLLECTION])
def test_an_opted_out_channel_stays_silent(purpose: ContactPurpose) -> None:
    noon = local("2026-06-16T12:00")
    refused = Verdict(allowed=False, rule=ContactRule.OPTED_OUT)
    assert judged(purpose, noon, opted_out=frozenset({Channel.SMS})) == refused
    assert judged(purpose, noon, opted_out=frozenset({Channel.EMAIL})).allowed is True


@pytest.mark.parametrize(
    ("reason", "servicing_allowed"),
    [
        (HoldReason.PLAN_KEPT, True),
        (HoldReason.BREATHING_SPACE, True),
        (HoldReason.DISPUTE, True),
        (HoldReason.DECEASED, False),
        (HoldReason.FRAUD, False),
    ],
)
def test_holds(reason: HoldReason, servicing_allowed: bool) -> None:
    noon = local("2026-06-16T12:00")
    held = frozenset({reason})
    assert judged(ContactPurpose.COLLECTION, noon, holds=held) == Verdict(
        allowed=False, rule=ContactRule.ON_HOLD
    )
    assert judged(ContactPurpose.SERVICING, noon, holds=held).allowed is servicing_allowed


@pytest.mark.parametrize(
    ("attempts", "conversations", "rule"),
    [
        (5, 2, ContactRule.NOTHING_AGAINST),
        (6, 0, ContactRule.ATTEMPTS_A_DAY),
        (0, 3, ContactRule.CONVERSATIONS_A_DAY),
    ],
)
def test_collection_frequency(attempts: int, conversations: int, rule: ContactRule) -> None:
    noon = local("2026-06-16T12:00")
    history = ContactHistory(attempts=attempts, conversations=conversations)
    verdict = judged(ContactPurpose.COLLECTION, noon, history=history)
    assert verdict.rule is rule
    expected = None if verdict.allowed else local("2026-06-17T08:00")
    assert verdict.earliest_next == expected
    assert judged(ContactPurpose.SERVICING, noon, history=history).allowed is True


def test_morning_over_a_change_of_clocks() -> None:
    """Berlin, night to 2026-03-29: the clocks go forward, and 08:00 is still 08:00 there."""
    berlin = ZoneInfo("Europe/Berlin")
    verdict = judged(ContactPurpose.COLLECTION, local("2026-03-28T22:30", berlin))
    assert verdict.earliest_next == datetime.fromisoformat("2026-03-29T08:00+02:00")
