"""The loans' steps of the night. Each touches only loans to which something happens."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from django.db import transaction
from django.db.models import QuerySet

from loans.models import Loan
from loans.services.servicing import refresh_loan
from zhixin.shared.actor import Actor

Clock = Callable[[], datetime.datetime]
Report = Callable[[int, int], None]


def bill_due_installments(
    *, business_date: datetime.date, actor: Actor, clock: Clock, report: Report
) -> int:
    """Bill the installments that fall due on `business_date`; return the number of loans.

    An installment that was paid ahead counts too: the money that was held for it is its now.
    """
    due = Loan.objects.open().filter(installments__due_date=business_date)
    return _refresh_each(
        due,
        business_date=business_date,
        reason="BILLED",
        actor=actor,
        clock=clock,
        report=report,
    )


def age_overdue_loans(
    *, business_date: datetime.date, actor: Actor, clock: Clock, report: Report
) -> int:
    """Count the day on loans with an unpaid installment past its last day; return their number.

    Days past due, bucket, class and penalty interest are of the fold; this writes what the
    new day changed of them.
    """
    late = Loan.objects.open().filter(
        installments__payable_through__lt=business_date, installments__paid_on__isnull=True
    )
    return _refresh_each(
        late,
        business_date=business_date,
        reason="AGED",
        actor=actor,
        clock=clock,
        report=report,
    )


def _refresh_each(
    loans: QuerySet[Loan],
    *,
    business_date: datetime.date,
    reason: str,
    actor: Actor,
    clock: Clock,
    report: Report,
) -> int:
    keys = sorted(set(loans.values_list("pk", flat=True)))
    for done, key in enumerate(keys, start=1):
        with transaction.atomic():
            loan = Loan.objects.for_update().select_related("agreement").get(pk=key)
            refresh_loan(loan=loan, as_of=business_date, reason=reason, actor=actor, at=clock())
        report(done, len(keys))
    return len(keys)
