"""Which events were reversed, and by which."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from loans.engine.events import Reversed
from loans.models import LoanEvent


def reversals_of(event_ids: Collection[str]) -> QuerySet[LoanEvent]:
    """Return the reversals of the events with these ids; found by the index that keeps one each."""
    reversals = LoanEvent.objects.filter(kind=Reversed.kind)
    return reversals.alias(of=KeyTextTransform("of", "body")).filter(of__in=event_ids)
