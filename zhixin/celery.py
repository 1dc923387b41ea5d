"""The Celery application. The timetable stands in `zhixin.settings.base`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhixin.settings.local")

app = Celery("zhixin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
