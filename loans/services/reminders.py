"""Reminders of the night: before the due date, on it, and after a missed one.

Evidence: a message just before the due date raises on-time payment (conduct EV-01). Every sending
passes the contact gate of `accounts`; a plan that is kept or a hold stops them there.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from django.db.models import Exists, OuterRef, QuerySet

from accounts.engine.contact_rules import ContactPurpose
from accounts.models import MessageState
from accounts.services.messages import queue_message
from loans.models import AutopayNotice, Installment, Loan
from loans.models.loan import OPEN_STATUSES
from loans.selectors.repayments import asked_today
from loans.selectors.servicing import loan_state
from zhixin.shared.actor import Actor
from zhixin.shared.money import Money

# Days from the last day in time to the message: negative before it, positive once late.
BEFORE_DUE_DAYS = (3, 0)
AFTER_DUE_DAYS = (1, 7, 30)

Clock = Callable[[], datetime.datetime]
Report = Callable[[int, int], None]


def queue_reminders(
    *, business_date: datetime.date, actor: Actor, clock: Clock, report: Report
) -> int:
    """Queue what is to be said on `business_date`; each message once, by its key."""
    upcoming = list(_upcoming(business_date))
    late = list(_late(business_date))
    count = len(upcoming) + len(late)
    for done, installment in enumerate(upcoming, start=1):
        _queue_upcoming(installment, business_date, clock())
        report(done, count)
    for done, loan in enumerate(late, start=len(upcoming) + 1):
        _queue_late(loan, clock())
        report(done, count)
    return count


def _upcoming(business_date: datetime.date) -> QuerySet[Installment]:
    dates = [business_date + datetime.timedelta(days=days) for days in BEFORE_DUE_DAYS]
    return (
        Installment.objects.filter(
            payable_through__in=dates, paid_on__isnull=True, loan__status__in=OPEN_STATUSES
        )
        .exclude(Exists(_announced_by_autopay()))
        .select_related("loan__borrower", "loan__agreement")
        .order_by("pk")
    )


def _announced_by_autopay() -> QuerySet[AutopayNotice]:
    """Return the notices of an installment that autopay will collect: they remind enough."""
    return AutopayNotice.objects.filter(
        mandate__loan=OuterRef("loan"),
        mandate__end__isnull=True,
        installment_number=OuterRef("number"),
    ).exclude(message__state__in=[MessageState.FAILED, MessageState.REFUSED])


def _late(business_date: datetime.date) -> QuerySet[Loan]:
    return (
        Loan.objects.open()
        .filter(days_past_due__in=AFTER_DUE_DAYS, projected_as_of=business_date)
        .select_related("borrower", "agreement")
        .order_by("pk")
    )


def _queue_upcoming(
    installment: Installment, business_date: datetime.date, at: datetime.datetime
) -> None:
    loan = installment.loan
    amount = _amount_of(installment, business_date)
    if not amount:
        return
    queue_message(
        recipient=loan.borrower,
        kind="due_soon",
        purpose=ContactPurpose.SERVICING,
        context={
            "amount": amount,
            "due_date": installment.payable_through,
            "days_left": (installment.payable_through - business_date).days,
            "number": loan.agreement.number,
            "path": f"/loans/{loan.public_id}/",
        },
        dedup_key=f"due:{loan.pk}:{installment.due_date}:{business_date}",
        at=at,
    )


def _amount_of(installment: Installment, business_date: datetime.date) -> Money:
    """Return what has to be paid by the installment's last day in time, said once for a day.

    Of a loan that is late that is also what is late, which money pays first. An installment before
    which another one is due asks for itself alone; nobody is asked for one that is suspended.
    """
    loan, day = installment.loan, installment.payable_through
    if loan.next_due_date == day:
        of_the_day = loan.installments.filter(payable_through=day, paid_on__isnull=True)
        if of_the_day.filter(number__lt=installment.number).exists():
            return Money.zero()
        if loan.overdue_amount:
            return loan_state(loan, as_of=day).payable_now
        known: Money = loan.next_due_amount
        return known
    state = loan_state(loan, as_of=business_date)
    row = next((each for each in state.installments if each.number == installment.number), None)
    return Money.zero() if row is None or row.suspended else row.outstanding.total


def _queue_late(loan: Loan, at: datetime.datetime) -> None:
    queue_message(
        recipient=loan.borrower,
        kind="payment_late",
        purpose=ContactPurpose.COLLECTION,
        context={
            "amount": asked_today(loan),
            "days": loan.days_past_due,
            "number": loan.agreement.number,
            "path": f"/loans/{loan.public_id}/",
        },
        dedup_key=f"late:{loan.pk}:{loan.overdue_since}:{loan.days_past_due}",
        at=at,
    )
