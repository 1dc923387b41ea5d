"""Messages, as they were queued."""

from __future__ import annotations

from accounts.models import Message


def latest_messages(*, count: int) -> list[Message]:
    """Return the latest messages, newest first."""
    return list(Message.objects.order_by("-created_at", "-pk")[:count])
