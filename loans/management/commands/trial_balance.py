"""Print the trial balance."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from loans.models import Loan
from loans.selectors.trial_balance import TrialBalance, trial_balance
from zhixin.shared.money import Money

_LINE = "{:<22} {:>18} {:>18} {:>18}"


class Command(BaseCommand):
    """Prints debits, credits and balance of every account, and what does not tie."""

    help = (
        "Print debits, credits and balance of every account of the journal. Exits 1 when the "
        "journal, the loans' sub-ledgers, the projection and the events do not tie."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Print it; exit 1 when something does not tie."""
        books = trial_balance()
        numbers = _numbers(books)
        self._print(books)
        for end in books.loose_ends:
            where = numbers.get(end.loan_id, "all loans") if end.loan_id else "all loans"
            self.stdout.write(f"DOES NOT TIE  {where}: {end.rule}: {end.held}, not {end.expected}")
        if books.loose_ends:
            sys.exit(1)
        self.stdout.write("Everything ties.")

    def _print(self, books: TrialBalance) -> None:
        self.stdout.write(_LINE.format("account", "debits", "credits", "balance"))
        for each in books.accounts:
            amounts = (each.debits, each.credits, each.balance)
            self.stdout.write(_LINE.format(each.account.value, *map(_shown, amounts)))
        sums = (books.debits, books.credits, books.debits - books.credits)
        self.stdout.write(_LINE.format("", *map(_shown, sums)))


def _shown(amount: Money) -> str:
    return f"{amount.amount:,.2f}"


def _numbers(books: TrialBalance) -> dict[int, str]:
    keys = [end.loan_id for end in books.loose_ends if end.loan_id]
    loans = Loan.objects.filter(pk__in=keys).values_list("pk", "agreement__number")
    return dict(loans)
