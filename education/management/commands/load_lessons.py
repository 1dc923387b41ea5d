"""Brings the lessons that come with the code into the database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from education.services import LoadReport, UnableToLoadLessonsError, load_lessons


class Command(BaseCommand):
    """Loads lessons; safe to run again, keeps what editors changed."""

    help = "Load the lessons in education/content. Safe to run again; keeps editors' changes."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Load and say what was done."""
        try:
            report = load_lessons()
        except UnableToLoadLessonsError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_summary(report))


def _summary(report: LoadReport) -> str:
    """Return one line, and one more for texts that were left as edited."""
    line = (
        f"Lessons: {len(report.created)} created, {len(report.updated)} updated, "
        f"{len(report.unchanged)} unchanged."
    )
    if report.kept:
        line += "\nKept as edited: " + ", ".join(report.kept)
    return line
