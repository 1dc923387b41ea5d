"""Make the products and merchants of the catalog that are not there yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from loans.services.products import load_catalog


class Command(BaseCommand):
    """Load the catalog; safe to run at every start."""

    help = "Makes the products and merchants of the catalog that are not there yet."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Load and say what was made."""
        made = load_catalog()
        self.stdout.write(
            f"Products made: {made.products}, versions: {made.versions}, "
            f"merchants: {made.merchants}."
        )
