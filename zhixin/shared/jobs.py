"""Hand work to Celery by name, after the caller's transaction is committed."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue_after_commit(task_name: str, **arguments: Any) -> None:  # noqa: ANN401 - JSON values.
    """Send the task `task_name` with `arguments` once the present transaction has committed.

    Names keep services free of imports of tasks; a test checks that every name is registered.
    A broker that is down loses the task and not the work: each such task is also found by a
    periodic sweep of the rows that it would have handled (see CELERY_BEAT_SCHEDULE).
    """

    def send() -> None:
        try:
            current_app.send_task(task_name, kwargs=arguments, retry=False)
        except OperationalError:
            logger.exception("The broker is away; %s is left to its sweep.", task_name)

    transaction.on_commit(send)
