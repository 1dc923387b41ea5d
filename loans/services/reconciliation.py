"""The night's look at the books: trial balance, and the fold of a sample against what is kept.

A difference is an error in the log and a row that staff see. It never stops payments.
"""

from __future__ import annotations

import datetime
import logging
import random
from collections.abc import Callable

from django.db import transaction

from loans.models import BooksDifference, Loan
from loans.models.books import BooksCheck
from loans.selectors.trial_balance import LooseEnd, trial_balance
from loans.services.projection import Difference, compare_loan
from zhixin.shared.actor import Actor

logger = logging.getLogger(__name__)

# How many loans a night folds again: all that it touched, up to a limit, and some by chance.
MOST_TOUCHED = 1_000
SAMPLE_SIZE = 200


def check_books(
    *,
    business_date: datetime.date,
    actor: Actor,
    clock: Callable[[], datetime.datetime],
    report: Callable[[int, int], None],
) -> int:
    """Check the books for the day that begins; return how many loans were folded (a night step)."""
    found: list[tuple[int | None, Difference]] = [
        (end.loan_id, _difference(end)) for end in trial_balance().loose_ends
    ]
    keys = sorted({*_touched(business_date), *_by_chance(business_date)})
    for done, key in enumerate(keys, start=1):
        comparison = compare_loan(loan_id=key)
        found.extend((key, difference) for difference in comparison.differences)
        report(done, len(keys))
    if found:
        _keep(found, business_date=business_date, actor=actor, at=clock())
    return len(keys)


def _difference(end: LooseEnd) -> Difference:
    return Difference(
        check=BooksCheck.TRIAL_BALANCE,
        item=end.rule,
        held=str(end.held),
        expected=str(end.expected),
    )


def _touched(business_date: datetime.date) -> list[int]:
    """Return the loans that the night has carried to the day.

    Beyond the limit a sample stands for them, another one each night.
    """
    keys = list(
        Loan.objects.filter(projected_as_of=business_date)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if len(keys) <= MOST_TOUCHED:
        return keys
    return _chance(business_date).sample(keys, MOST_TOUCHED)


def _by_chance(business_date: datetime.date) -> list[int]:
    """Return about SAMPLE_SIZE loans by chance, the same ones when the night runs again."""
    first = Loan.objects.order_by("pk").values_list("pk", flat=True).first()
    newest = Loan.objects.order_by("-pk").values_list("pk", flat=True).first()
    if first is None or newest is None:
        return []
    everywhere = range(first, newest + 1)
    size = min(SAMPLE_SIZE, len(everywhere))
    chosen = _chance(business_date).sample(everywhere, size)
    return list(Loan.objects.filter(pk__in=chosen).values_list("pk", flat=True))


def _chance(business_date: datetime.date) -> random.Random:
    return random.Random(business_date.toordinal())  # noqa: S311 - A sample, no secret.


def _keep(
    found: list[tuple[int | None, Difference]],
    *,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> None:
    for key, difference in found:
        logger.error(
            "The books differ on %s, loan %s: %s %s is %s and should be %s.",
            business_date,
            key,
            difference.check,
            difference.item,
            difference.held,
            difference.expected,
        )
    with transaction.atomic():
        BooksDifference.objects.bulk_create(
            BooksDifference(
                business_date=business_date,
                loan_id=key,
                check_name=difference.check,
                item=difference.item,
                held=difference.held,
                expected=difference.expected,
                found_by=actor.label,
                found_at=at,
            )
            for key, difference in found
        )
