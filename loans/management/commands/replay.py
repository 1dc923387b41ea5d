"""`manage.py replay FILE|-`: what a loan looks like after its events. Needs no database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loans.engine.cases import InvalidCaseError, answer_replay, answer_text
from loans.management.case_input import add_case_argument, read_case_text, write_answer


class Command(BaseCommand):
    """Answers cases of terms and events with installments, balances and explanations."""

    help = "Replay loans given as JSON cases (docs/formulas/cases.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file of cases."""
        add_case_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Print the answers, or one line that says what to mend (exit 2)."""
        try:
            text = answer_text(read_case_text(options["file"]), answer_replay)
        except InvalidCaseError as error:
            raise CommandError(str(error), returncode=2) from None
        write_answer(self.stdout, text)
