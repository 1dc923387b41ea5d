"""Fill an empty database with the demo book."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from accounts.models import User
from zhixin.demo import DAYS_BEFORE, STAFF, DemoBook, sign_ins
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
        if not settings.DEVELOPER_PAGES:
            raise CommandError("The demo data has a password that everybody knows; not here.")
        if not options["print_accounts"]:
            self._make_book()
        if User.objects.filter(phone=STAFF[0][0]).exists():
            text = "\n".join(sign_ins()) + "\n"
            (settings.DATA_DIR / "demo-accounts.txt").write_text(text, encoding="utf-8")
            self.stdout.write(text)

    def _make_book(self) -> None:
        if User.objects.exists():
            self.stdout.write("There are people already; the demo data is left as it is.")
            return
        bar = tqdm(total=DAYS_BEFORE, unit="day", leave=False, disable=None)
        try:
            DemoBook(today=clock.local_today(), progress=lambda _date: bar.update()).make()
        finally:
            bar.close()
