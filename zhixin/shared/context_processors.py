"""What every page knows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return whether developer pages exist, for the footer's links to them."""
    return {"developer_pages": settings.DEVELOPER_PAGES}
