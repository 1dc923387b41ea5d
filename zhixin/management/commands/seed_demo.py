"""Fill an empty database with the demo book."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from accounts.models import User
from zhixin.demo import DAYS_BEFORE, DemoBook
from zhixin.shared import clock


class Command(BaseCommand):
    """Makes a dozen borrowers with their loans, and the staff who look after them."""

    help = "Make the demo data in an empty database; does nothing when people are there already."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to print the sign-ins."""
        parser.add_argument(
            "--print-accounts", action="store_true", help="print the sign-ins and do nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Make the book in one transaction, so that there is never half of it."""
        accounts_file = settings.DATA_DIR / "demo-accounts.txt"
        if options["print_accounts"]:
            if accounts_file.is_file():
                self.stdout.write(accounts_file.read_text(encoding="utf-8"))
            return
        if not settings.DEVELOPER_PAGES:
            raise CommandError("The demo data has a password that everybody knows; not here.")
        if User.objects.exists():
            self.stdout.write("There are people already; the demo data is left as it is.")
            return
        bar = tqdm(total=DAYS_BEFORE, unit="day", leave=False, disable=None)
        try:
            lines = DemoBook(today=clock.local_today(), say=lambda _: bar.update() and None).make()
        finally:
            bar.close()
        accounts_file.parent.mkdir(parents=True, exist_ok=True)
        accounts_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.stdout.write("\n".join(lines))
