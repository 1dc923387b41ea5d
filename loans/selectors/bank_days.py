"""Days compared with the bank, days that wait for it, and the queue of differences."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import Min, Prefetch

from loans.models import BankBill, BankDifference, BankTransfer, DifferenceStep
from loans.models.reconciliation import DifferenceStepKind
from zhixin.shared.money import Money
from zhixin.shared.signing import BANK_TIME_ZONE

_ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankDay:
    """A day of the bank: compared, with the sums of both sides, or still to be."""

    day: datetime.date
    bill: BankBill | None
    open_count: int

    @property
    def difference_in(self) -> Money:
        """Return how much more came in by the bank's bill than by our books."""
        return self.bill.bank_in - self.bill.our_in if self.bill else Money.zero()

    @property
    def difference_out(self) -> Money:
        """Return how much more went out by the bank's bill than by our books."""
        return self.bill.bank_out - self.bill.our_out if self.bill else Money.zero()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A difference that waits, and who has taken it on."""

    difference: BankDifference
    holder: DifferenceStep | None


def days_to_compare(*, through: datetime.date) -> list[datetime.date]:
    """Return the days up to `through` that were not compared, oldest first.

    They begin with the day of the first transfer that is with the bank; a day without any is
    compared too, because the bank may know of money that we do not.
    """
    with_bank = BankTransfer.objects.unsettled() | BankTransfer.objects.filter(
        bank_date__isnull=False
    )
    first = with_bank.aggregate(first=Min("created_at"))["first"]
    if first is None:
        return []
    day: datetime.date = first.astimezone(BANK_TIME_ZONE).date()
    done = set(BankBill.objects.filter(bill_date__gte=day).values_list("bill_date", flat=True))
    days = [day + number * _ONE_DAY for number in range((through - day).days + 1)]
    return [day for day in days if day not in done]


def bank_days(*, through: datetime.date, most: int = 31) -> list[BankDay]:
    """Return the newest days, newest first; a day's newest comparison counts."""
    since = through - most * _ONE_DAY
    bills = BankBill.objects.filter(bill_date__gt=since).defer("trade_file", "account_file")
    newest = {bill.bill_date: bill for bill in bills.order_by("bill_date", "run")}
    waiting: dict[datetime.date, int] = {}
    for day in BankDifference.objects.waiting().values_list("on_date", flat=True):
        waiting[day] = waiting.get(day, 0) + 1
    missing = [day for day in days_to_compare(through=through) if day > since]
    days = sorted({*newest, *missing}, reverse=True)
    return [BankDay(day=day, bill=newest.get(day), open_count=waiting.get(day, 0)) for day in days]


def difference_queue() -> list[QueueRow]:
    """Return the differences that nobody has settled, oldest first."""
    rows = list(
        BankDifference.objects.waiting()
        .select_related("transfer__loan__agreement")
        .prefetch_related(
            Prefetch("steps", DifferenceStep.objects.select_related("actor_user__profile"))
        )
    )
    return [QueueRow(difference=row, holder=_holder(list(row.steps.all()))) for row in rows]


def _holder(steps: list[DifferenceStep]) -> DifferenceStep | None:
    moves = (DifferenceStepKind.CLAIMED, DifferenceStepKind.RELEASED)
    last = max((step for step in steps if step.kind in moves), key=lambda one: one.pk, default=None)
    return last if last is not None and last.kind == DifferenceStepKind.CLAIMED else None
