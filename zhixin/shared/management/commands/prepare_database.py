"""Migrate, then bring what the code ships into the database."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

# In this order; each is safe to run again and keeps what people changed.
STEPS = ("sync_roles", "load_products", "load_lessons")


class Command(BaseCommand):
    """Makes the database ready for this version of the code; run at every start."""

    help = "Migrate, then bring roles, products and lessons into the database. Safe to run again."

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Run each step; the first that fails ends the command."""
        verbosity = options["verbosity"]
        call_command("migrate", interactive=False, verbosity=verbosity)
        for step in STEPS:
            call_command(step, verbosity=verbosity)
