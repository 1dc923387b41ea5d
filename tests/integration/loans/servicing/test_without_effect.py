"""An event that would change nothing is refused, and nothing of it stays."""

from __future__ import annotations

import datetime

import pytest
from django.db import transaction

from loans.engine.events import ChargedOff, Event
from loans.models import JournalEntry, Loan, LoanEvent
from loans.services.servicing import UnableToRecordEventError, record_event
from tests.factories.funded import funded_loan
from zhixin.shared.actor import SYSTEM

DAY = datetime.date(2026, 7, 1)
AT = datetime.datetime(2026, 7, 1, 4, 0, tzinfo=datetime.UTC)


def charge_off(loan: Loan) -> LoanEvent:
    def make_event(event_id: str, sequence: int) -> Event:
        return ChargedOff(event_id=event_id, sequence=sequence, effective_date=DAY)

    with transaction.atomic():
        return record_event(
            loan=Loan.objects.for_update().select_related("agreement").get(pk=loan.pk),
            make_event=make_event,
            business_date=DAY,
            actor=SYSTEM,
            at=AT,
        )


@pytest.mark.django_db
def test_a_second_charge_off_is_refused_and_leaves_nothing() -> None:
    loan = funded_loan()
    charge_off(loan)
    before = (LoanEvent.objects.count(), JournalEntry.objects.count())
    with pytest.raises(UnableToRecordEventError, match="Nothing is left"):
        charge_off(loan)
    assert (LoanEvent.objects.count(), JournalEntry.objects.count()) == before
