"""A stored assessment for tests of what comes after it."""

from __future__ import annotations

import datetime
from decimal import Decimal

from accounts.models import User
from risk.engine.decision import Outcome
from risk.models import Assessment, PolicyVersion, ScorecardVersion
from zhixin.shared.money import Money

AT = datetime.datetime(2026, 6, 16, 4, 0, tzinfo=datetime.UTC)


def make_assessment(*, subject: User) -> Assessment:
    """Return an approval with a policy and a card of the tests' own."""
    policy, _ = PolicyVersion.objects.get_or_create(
        code="test-policy",
        defaults={
            "jurisdiction": "test",
            "effective_from": datetime.date(2026, 1, 1),
            "document": {},
            "sha256": "1" * 64,
            "loaded_at": AT,
            "actor_label": "test",
        },
    )
    card, _ = ScorecardVersion.objects.get_or_create(
        code="test-card",
        defaults={"document": {}, "sha256": "2" * 64, "loaded_at": AT, "actor_label": "test"},
    )
    return Assessment.objects.create(
        subject=subject,
        facts={},
        request={},
        policy=policy,
        scorecard=card,
        decision={},
        outcome=Outcome.APPROVE,
        score=620,
        grade="B",
        limit=Money.parse("200000"),
        approved_amount=Money.parse("12000"),
        annual_rate=Decimal("0.12"),
        decision_date=datetime.date(2026, 6, 16),
        decided_at=AT,
        actor_label="test",
    )
