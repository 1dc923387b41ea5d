"""`manage.py annualized_cost FILE|-`: the yearly cost of cash flows. Needs no database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loans.engine.cases import Answer, InvalidCaseError, answer_annualized_cost, answer_text
from loans.management.case_input import add_case_argument, read_case_text, write_answer


class Command(BaseCommand):
    """Answers cases of cash flows with the annualized cost in percent."""

    help = "Compute the annualized cost of JSON cases (docs/formulas/annualized_cost.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file of cases."""
        add_case_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Print the answers; flows without a single answer get an error there, and exit 2."""
        failures: list[str] = []

        def answer(case: object) -> Answer:
            result = answer_annualized_cost(case)
            if "error" in result:
                failures.append(str(result["error"]))
            return result

        try:
            text = answer_text(read_case_text(options["file"]), answer)
        except InvalidCaseError as error:
            raise CommandError(str(error), returncode=2) from None
        write_answer(self.stdout, text)
        if failures:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise CommandError(failures[0] + more, returncode=2)
