"""Brings the policies and cards that come with the code into the database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from risk.services.policies import UnableToLoadPoliciesError, load_policies
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM


class Command(BaseCommand):
    """Loads policies and cards; safe to run again."""

    help = "Load the lending policies and scorecards that come with the code. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Load and say what was done."""
        try:
            report = load_policies(actor=SYSTEM, at=clock.now())
        except UnableToLoadPoliciesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Policies and scorecards: {len(report.created)} created, "
            f"{len(report.unchanged)} unchanged."
        )
