"""Bring a database to what this version of the product needs."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

# An advisory lock of the session; the number is arbitrary.
PREPARATION_LOCK = 7_301_984_002

# In the order in which they need each other; each may run again at any time.
COMMANDS = ("migrate", "sync_roles", "load_policies", "load_products", "load_lessons")


class Command(BaseCommand):
    """Runs the migrations and loads what ships with the product; one process at a time."""

    help = (
        "Bring the database up to date: migrations, roles of staff, policies and scorecards, "
        "products, lessons. Safe to run at every start, and by several machines at once."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Run the commands under a lock that dies with the session."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [PREPARATION_LOCK])
            try:
                for name in COMMANDS:
                    call_command(name, verbosity=0, stdout=self.stdout)
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [PREPARATION_LOCK])
