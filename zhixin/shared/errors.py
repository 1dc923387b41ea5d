"""The root of what a service refuses to do."""

from __future__ import annotations


class DomainError(Exception):
    """A request that cannot be done, with a message meant for the person who made it.

    Interfaces catch it and show `str(error)`: as a form error, or as HTTP 409 in the API.
    """
