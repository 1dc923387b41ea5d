"""Compare projections and journal with the events, and repair them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from loans.models import Loan
from loans.services.projection import LoanComparison, compare_loan, loan_keys, repair_loan
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM


class Command(BaseCommand):
    """Recomputes every loan from its events."""

    help = (
        "Recompute every loan from its events and repair its projection; book what the journal "
        "lacks. --check only reports, and exits 1 when something differs. Works while payments "
        "happen: one loan is locked at a time. Safe to stop and to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to repair, and which loans."""
        parser.add_argument("--check", action="store_true", help="report and change nothing")
        parser.add_argument(
            "--loan", nargs="+", default=[], metavar="NUMBER", help="only these contract numbers"
        )

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Compare loan by loan, with a bar; exit 1 when --check found a difference."""
        numbers: list[str] = options["loan"]
        _refuse_unknown(numbers)
        total = len(set(numbers)) if numbers else Loan.objects.count()
        compared = differing = unrepaired = 0
        for key in tqdm(loan_keys(numbers), total=total, unit="loan", leave=False, disable=None):
            if options["check"]:
                found = compare_loan(loan_id=key)
            else:
                found = repair_loan(loan_id=key, actor=SYSTEM, at=clock.now())
            compared += 1
            differing += bool(found.differences)
            unrepaired += bool(found.differences) and not found.repaired
            self._report(found)
        done = "differ" if options["check"] else "differed and were repaired"
        self.stdout.write(f"{compared} loans compared, {differing} {done}.")
        if unrepaired and not options["check"]:
            self.stdout.write(f"{unrepaired} of them cannot be folded and stay as they are.")
        if unrepaired:
            sys.exit(1)

    def _report(self, found: LoanComparison) -> None:
        for each in found.differences:
            with tqdm.external_write_mode():
                self.stdout.write(
                    f"{found.number}  {each.check.value}  {each.item}: "
                    f"{each.held}, by the events {each.expected}"
                )


def _refuse_unknown(numbers: list[str]) -> None:
    known = Loan.objects.filter(agreement__number__in=numbers)
    missing = set(numbers) - set(known.values_list("agreement__number", flat=True))
    if missing:
        raise CommandError(f"There is no loan {', '.join(sorted(missing))}.")
