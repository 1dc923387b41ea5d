"""What can go wrong under the two commands, told to the person at the terminal."""

from __future__ import annotations


class EmbeddedError(Exception):
    """Something that the person at the terminal can act on; the message says how."""
