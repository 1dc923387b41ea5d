"""Close the lender's days: each missed one in order, each step once, safe to run again."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from loans.models import BusinessDay, NightStepRun
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError

# An advisory lock of the session, so that it dies with its owner. The number is arbitrary.
NIGHT_LOCK = 7_301_984_001

Clock = Callable[[], datetime.datetime]


class NightAlreadyRunningError(DomainError):
    """Another process is closing a day at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """What a step tells while it works: which day and step, and how far it is."""

    business_date: datetime.date
    step: str
    done: int
    total: int


Progress = Callable[[StepProgress], None]


def close_days(
    *, through: datetime.date, actor: Actor, clock: Clock, progress: Progress
) -> list[datetime.date]:
    """Advance the business date day by day until it is `through`; return the days that began.

    Every day runs the steps of `settings.NIGHT_STEPS` in order for the date that begins, and
    then becomes the business date. A step that is done for a date is not done again; a night
    that was killed goes on where it stopped. Returns an empty list when there is nothing to
    close. Raises NightAlreadyRunningError when another process is at it.
    """
    begun = []
    with _night_lock():
        day = BusinessDay.objects.get()
        while day.current_date < through:
            beginning = day.current_date + datetime.timedelta(days=1)
            for path in settings.NIGHT_STEPS:
                _run_step(path, beginning, actor, clock, progress)
            day.current_date = beginning
            day.advanced_at = clock()
            day.save()
            begun.append(beginning)
    return begun


def _run_step(
    path: str, date: datetime.date, actor: Actor, clock: Clock, progress: Progress
) -> None:
    if NightStepRun.objects.filter(business_date=date, step=path).exists():
        return
    started_at = clock()

    def report(done: int, total: int) -> None:
        progress(StepProgress(business_date=date, step=path, done=done, total=total))

    count = import_string(path)(business_date=date, actor=actor, clock=clock, report=report)
    with transaction.atomic():
        NightStepRun.objects.create(
            business_date=date,
            step=path,
            item_count=count,
            started_at=started_at,
            finished_at=clock(),
        )


@contextmanager
def _night_lock() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [NIGHT_LOCK])
        if not cursor.fetchone()[0]:
            raise NightAlreadyRunningError(_("A day is being closed by another process."))
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [NIGHT_LOCK])
