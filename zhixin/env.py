"""The only reader of the process environment."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


def required(name: str) -> str:
    """Return the variable; raise ImproperlyConfigured, naming it, when it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set the environment variable {name}.")
    return value


def secret(name: str, *, minimum_length: int) -> str:
    """Return a required secret; refuse one that is too short to be one."""
    value = required(name)
    if len(value) < minimum_length:
        raise ImproperlyConfigured(
            f"The environment variable {name} needs at least {minimum_length} characters."
        )
    return value


def optional(name: str, default: str) -> str:
    """Return the variable, or `default` when it is missing or empty."""
    return os.environ.get(name, "") or default


def boolean(name: str, *, default: bool) -> bool:
    """Return the variable as a yes or no; refuse anything else."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def integer(name: str, *, default: int) -> int:
    """Return the variable as a whole number."""
    value = os.environ.get(name, "")
    if not value:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error


def names(name: str, *, default: tuple[str, ...]) -> list[str]:
    """Return the variable split at commas."""
    value = os.environ.get(name, "")
    return [part.strip() for part in value.split(",") if part.strip()] or list(default)


def pem(name: str, *, fallback: Path | None = None) -> str:
    """Return a key in PEM form: the variable's text, or the file that it or `fallback` names."""
    value = os.environ.get(name, "")
    if value.startswith("-----BEGIN"):
        return value
    path = Path(value) if value else fallback
    if path is None:
        raise ImproperlyConfigured(f"Set the environment variable {name} (a PEM text or file).")
    if not path.is_file():
        if value:
            raise ImproperlyConfigured(f"{name} names {path}, which is not there.")
        return ""
    return path.read_text(encoding="ascii")
