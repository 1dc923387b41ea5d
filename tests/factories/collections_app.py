"""Late loans, budgets and collectors for tests."""

from __future__ import annotations

import datetime
from uuid import UUID, uuid4

from django.contrib.auth.models import Permission

from accounts.engine.contact_rules import Channel
from accounts.models import User
from collections_app.engine.budget import Budget
from collections_app.models import HardshipReason, HardshipRequest
from collections_app.services.negotiation import request_help
from loans.models import BusinessDay, Loan
from loans.services.business_day import close_days
from tests.factories.accounts import make_person
from tests.factories.funded import SIGNED_AT, Clock, funded_loan, set_business_date
from zhixin.shared.actor import NIGHT, Actor
from zhixin.shared.money import Money

FIRST_DUE = datetime.date(2026, 7, 16)
FIRST_LATE = datetime.date(2026, 7, 17)


def instant(date: datetime.date, hour: int = 4) -> datetime.datetime:
    """Return an instant of the date; 4 o'clock UTC is noon in Shanghai."""
    return datetime.datetime.combine(date, datetime.time(hour), tzinfo=datetime.UTC)


def close_through(date: datetime.date) -> list[datetime.date]:
    """Close the days until `date` is the business date."""
    return close_days(
        through=date, actor=NIGHT, clock=Clock(instant(date)), progress=lambda _: None
    )


def late_loan(*, borrower: User | None = None, on: datetime.date = FIRST_LATE) -> Loan:
    """Return a loan whose first installment of 1,066.19 was missed, on the business date `on`."""
    loan = funded_loan(borrower=borrower)
    _pass_over_quiet_days()
    close_through(on)
    loan.refresh_from_db()
    return loan


def _pass_over_quiet_days() -> None:
    """Begin a week before the only loan's first due date: no night until then does anything."""
    begin = FIRST_DUE - datetime.timedelta(days=7)
    is_before = BusinessDay.objects.filter(current_date__lt=begin).exists()
    if is_before and Loan.objects.count() == 1:
        set_business_date(begin)


def make_budget(*, bears: str = "1100", other_debts: str = "0") -> Budget:
    """Return a budget that leaves `bears` a month."""
    essentials = Money.parse("4000")
    return Budget(
        income=essentials + Money.parse(bears),
        home=Money.parse("2000"),
        food=Money.parse("1200"),
        transport=Money.parse("300"),
        family=Money.parse("500"),
        priority_debts=Money.zero(),
        other_debts=Money.parse(other_debts),
    )


def asked(
    loan: Loan,
    *,
    on: datetime.date = FIRST_LATE,
    budget: Budget | None = None,
    key: UUID | None = None,
    later_income: str | None = None,
    later_from: datetime.date | None = None,
) -> HardshipRequest:
    """Return the borrower's request for help on the business date."""
    return request_help(
        loan_id=loan.pk,
        key=key or uuid4(),
        reason=HardshipReason.LESS_INCOME,
        budget=budget or make_budget(),
        later_income=Money.parse(later_income) if later_income else None,
        later_from=later_from,
        business_date=on,
        actor=borrower_of(loan),
        at=instant(on),
    )


def borrower_of(loan: Loan) -> Actor:
    """Return the borrower as the author of a change."""
    return loan.borrower.as_actor()


def make_staff(*permissions: str) -> User:
    """Return somebody who may open the admin and holds these permissions ("app.codename")."""
    user = make_person(channel=Channel.EMAIL, is_staff=True)
    for name in permissions:
        app_label, _, codename = name.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app_label, codename=codename)
        )
    return user


COLLECTOR_PERMISSIONS = (
    "collections_app.work_case",
    "collections_app.view_case",
    "collections_app.view_contactnote",
    "loans.view_loan",
)


def make_collector() -> User:
    """Return a collector."""
    return make_staff(*COLLECTOR_PERMISSIONS)


__all__ = [
    "FIRST_DUE",
    "FIRST_LATE",
    "SIGNED_AT",
    "asked",
    "borrower_of",
    "close_through",
    "instant",
    "late_loan",
    "make_budget",
    "make_collector",
    "make_staff",
]
