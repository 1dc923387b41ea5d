"""A payout that comes back after it was done: what staff do about it (docs/bank.md)."""

from __future__ import annotations

import datetime

import pytest

from loans.engine.lifecycle import LoanStatus
from loans.models import BankDifference, Loan
from loans.models.reconciliation import DifferenceKind
from loans.models.transfer import NoticeVerdict
from loans.services.reversals import UnableToReverseError, reverse_event
from loans.services.transfers import Outcome, settle_transfer
from tests.factories.corrections import assert_books_agree, how, make_servicer
from tests.factories.funded import SIGNED_AT, SIGNED_ON, funded_loan, set_business_date, word
from tests.integration.loans.servicing.test_corrections import booked, received
from zhixin.shared.money import Money

pytestmark = pytest.mark.django_db
BACK_ON = SIGNED_ON + datetime.timedelta(days=3)


def test_the_money_is_booked_as_of_the_payout_and_nothing_is_owed() -> None:
    loan = funded_loan()
    payout = loan.transfers.get()
    set_business_date(BACK_ON)
    verdict = settle_transfer(
        reference=str(payout.public_id), word=word(payout, Outcome.RETURNED), at=SIGNED_AT
    )
    assert verdict == NoticeVerdict.RETURNED
    assert BankDifference.objects.get().kind == DifferenceKind.RETURNED
    event_id = loan.events.get().event_id
    with pytest.raises(UnableToReverseError, match="A payout cannot be reversed"):
        reverse_event(loan_id=loan.pk, event_id=event_id, **how(make_servicer()))
    assert loan.events.count() == 1
    received(loan, "12000.00", on=SIGNED_ON)
    loan = Loan.objects.select_related("agreement").get(pk=loan.pk)
    assert loan.status == LoanStatus.PAID_OFF
    assert (loan.principal_outstanding, loan.overpaid_amount) == (Money.zero(), Money.zero())
    assert booked(loan) == {}
    assert_books_agree(loan)
