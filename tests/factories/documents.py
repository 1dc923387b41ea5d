"""A loan with a past: payments in time, one taken back, an installment that is late."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from django.db import transaction

from accounts.models import User
from loans.engine.events import Event, Repaid, Reversed
from loans.models import Loan, LoanEvent
from loans.selectors.servicing import loan_state
from loans.services.servicing import record_event, refresh_loan
from tests.factories.accounts import make_borrower
from tests.factories.funded import SIGNED_AT, funded_loan, set_business_date, terms
from zhixin.shared.actor import SYSTEM
from zhixin.shared.money import Money

Make = Callable[[str, int], Event]
RARE_NAME = "喆堃䶮"
RARE_NAME_BEYOND_BMP = "李𠅤"


def repay(loan: Loan, amount: Money, *, on: datetime.date) -> LoanEvent:
    """Record money that came on `on`, then the business date."""
    return _record(
        loan,
        on,
        lambda event_id, sequence: Repaid(
            event_id=event_id, effective_date=on, sequence=sequence, amount=amount
        ),
    )


def take_back(loan: Loan, payment: LoanEvent, *, on: datetime.date, reason: str = "") -> LoanEvent:
    """Record that the payment was never made, from `on`, then the business date."""
    return _record(
        loan,
        on,
        lambda event_id, sequence: Reversed(
            event_id=event_id, effective_date=on, sequence=sequence, of=str(payment.event_id)
        ),
        reason=reason,
    )


def pay_off(loan: Loan, *, on: datetime.date) -> LoanEvent:
    """Pay all that is owed on `on`, then the business date."""
    return repay(loan, loan_state(loan, as_of=on).payoff_amount, on=on)


def _record(loan: Loan, on: datetime.date, make_event: Make, *, reason: str = "") -> LoanEvent:
    set_business_date(on)
    with transaction.atomic():
        locked = Loan.objects.for_update().get(pk=loan.pk)
        row = record_event(
            loan=locked,
            make_event=make_event,
            business_date=on,
            actor=SYSTEM,
            at=SIGNED_AT,
            reason=reason,
        )
    loan.refresh_from_db()
    return row


def eventful_loan(
    *, borrower: User | None = None, count: int = 36, principal: str = "36000.00"
) -> Loan:
    """Return a loan of 16 June 2026 whose third installment is late on 25 September 2026.

    The payment of the second installment was taken back on 20 August and made again on the 25th.
    """
    person = borrower or make_borrower(full_name=RARE_NAME)
    loan = funded_loan(borrower=person, loan_terms=terms(count=count, principal=principal))
    day = datetime.date
    pay_due(loan, on=day(2026, 7, 16))
    second = pay_due(loan, on=day(2026, 8, 16))
    take_back(loan, second, on=day(2026, 8, 20), reason="Taken back by the bank")
    pay_due(loan, on=day(2026, 8, 25))
    carry(loan, through=day(2026, 9, 25))
    return loan


def pay_due(loan: Loan, *, on: datetime.date) -> LoanEvent:
    """Pay all that is due on `on`."""
    return repay(loan, loan_state(loan, as_of=on).due_now.total, on=on)


def carry(loan: Loan, *, through: datetime.date) -> None:
    """Make `through` the business date and book what the nights until then would have booked."""
    set_business_date(through)
    with transaction.atomic():
        refresh_loan(
            loan=Loan.objects.for_update().get(pk=loan.pk),
            as_of=through,
            reason="AGED",
            actor=SYSTEM,
            at=SIGNED_AT,
        )
    loan.refresh_from_db()
