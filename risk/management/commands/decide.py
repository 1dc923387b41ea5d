"""`manage.py decide FILE|-`: decisions on cases of facts and requests. Needs no database."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from risk.engine.cases import InvalidCaseError, answer_cases
from risk.engine.documents import DocumentError
from risk.engine.policy import Policy
from risk.engine.scorecard import Scorecard

RISK_DIR = Path(__file__).resolve().parents[2]
DEFAULT_POLICY = "cn-2026-01"


class Command(BaseCommand):
    """Decides by a policy that comes with the code; installments in twelfths of a year."""

    help = "Decide on cases given as JSON (docs/risk/facts.md). Needs no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file of cases and the policy's code."""
        parser.add_argument("file", help="a JSON file of {cases: [{facts, request}]}, or -")
        parser.add_argument("--policy", default=DEFAULT_POLICY, help="code of a shipped policy")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Print the decisions, or one line that says what to mend (exit 2)."""
        try:
            policy = Policy.from_json(_shipped("policies", options["policy"]))
            answers = answer_cases(
                _text(options["file"]),
                policy=policy,
                scorecard=Scorecard.from_json(_shipped("scorecards", policy.scorecard)),
            )
        except (InvalidCaseError, DocumentError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(json.dumps(answers, ensure_ascii=False, indent=2))


def _shipped(folder: str, code: str) -> object:
    files = {path.stem: path for path in (RISK_DIR / folder).glob("*.json")}
    if code not in files:
        raise InvalidCaseError(f"There is no {code!r} among {', '.join(sorted(files))}.")
    return json.loads(files[code].read_text(encoding="utf-8"))


def _text(name: str) -> str:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    return data.decode("utf-8-sig")
