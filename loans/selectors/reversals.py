"""Which events were reversed, and by which."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from loans.engine.events import Reversed
from loans.models import LoanEvent


def reversals_of(event_ids: Collection[str]) -> QuerySet[LoanEvent]:
    """Return the reversals of the events with these ids; found by the index that keeps one each."""
    reversals = LoanEvent.objects.filter(kind=Reversed.kind)
    return reversals.alias(of=KeyTextTransform("of", "body")).filter(of__in=event_ids)


def reversals_recorded(since: datetime.datetime, until: datetime.datetime) -> QuerySet[LoanEvent]:
    """Return the reversals that were recorded from `since` on and before `until`."""
    return LoanEvent.objects.filter(
        kind=Reversed.kind, recorded_at__gte=since, recorded_at__lt=until
    )


def is_reversed(event: LoanEvent) -> bool:
    """Return whether the event was taken back."""
    return reversals_of([str(event.event_id)]).exists()


def loans_with_reversed(loan_ids: Collection[int], *, kind: str) -> set[int]:
    """Return which of the loans have an event of the kind that was taken back."""
    of_the_kind = LoanEvent.objects.filter(kind=kind, loan_id__in=loan_ids)
    event_ids = [str(each) for each in of_the_kind.values_list("event_id", flat=True)]
    return set(reversals_of(event_ids).values_list("loan_id", flat=True))


def with_reversals(events: QuerySet[LoanEvent]) -> QuerySet[LoanEvent]:
    """Return the events with `reversed_by_sequence`, None where nothing has undone them."""
    reversals = (
        LoanEvent.objects.filter(kind=Reversed.kind, loan=OuterRef("loan"))
        .alias(of=KeyTextTransform("of", "body"))
        .filter(of=Cast(OuterRef("event_id"), CharField()))
    )
    return events.annotate(reversed_by_sequence=Subquery(reversals.values("sequence")[:1]))
