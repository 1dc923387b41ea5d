"""Our own page for an address where nothing is, also while developing.

With DEBUG Django shows the list of all addresses instead, in English. People who try the product
with `make run` should see what borrowers see; errors of ours keep Django's page.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.views.defaults import page_not_found


class OwnNotFoundPage:
    """Answers like production where Django would show its page for developers. Stands last."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer an address that no pattern matches."""
        try:
            resolve(request.path_info)
        except Resolver404 as missing:
            return page_not_found(request, missing)
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer a view that finds nothing for this person."""
        return page_not_found(request, exception) if isinstance(exception, Http404) else None
