"""Pages for whoever develops: what would have been sent, and every component in every state.

Only in the URLs when settings.DEVELOPER_PAGES; never in production.
"""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.engine.contact_rules import ContactPurpose
from accounts.selectors.outbox import latest_messages
from zhixin.shared.permissions import public
from zhixin.shared.styleguide import styleguide_context

app_name = "dev"

SHOWN_MESSAGES = 50
_CODE = re.compile(r"\b[0-9]{6}\b")


@public("Exists only while developing; codes sent to anybody are shown on purpose.")
@never_cache
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show the latest messages, newest first, with their codes easy to copy."""
    entries = [
        {"message": message, "code": _code_in(message.body, message.purpose)}
        for message in latest_messages(count=SHOWN_MESSAGES)
    ]
    return render(request, "accounts/outbox.html", {"entries": entries})


@public("Exists only while developing; shows components with invented data.")
@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every component in every state."""
    return render(request, "styleguide.html", styleguide_context())


def _code_in(body: str, purpose: str) -> str:
    """Return the code in a message that carries one, else ""."""
    found = _CODE.search(body) if purpose == ContactPurpose.AUTH else None
    return found.group() if found else ""


urlpatterns = [
    path("outbox/", outbox, name="outbox"),
    path("styleguide/", styleguide, name="styleguide"),
]
