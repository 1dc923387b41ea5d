"""The project itself as an app: it has Celery ready before a task is declared."""

from __future__ import annotations

from django.apps import AppConfig


class ZhixinConfig(AppConfig):
    """Loads the Celery application when Django starts, so that shared tasks belong to it."""

    name = "zhixin"

    def ready(self) -> None:
        """Import the application; the sandbox's processes, which need no Django, never do."""
        import zhixin.calendar_check  # noqa: PLC0415 - registers a check, so not earlier.
        import zhixin.celery  # noqa: F401, PLC0415 - it needs the settings, so not earlier.
