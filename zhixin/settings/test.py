"""The tests: real PostgreSQL and Redis of their own."""

from __future__ import annotations

from zhixin.settings.local import *  # noqa: F403 - settings modules extend their base this way.
from zhixin.settings.local import DATABASES, MIDDLEWARE, TEMPLATES

# As in production.
DEBUG = False
MIDDLEWARE = [name for name in MIDDLEWARE if name != "zhixin.not_found.OwnNotFoundPage"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
COST_SHEET_READING_SECONDS = 2

del TEMPLATES[0]["OPTIONS"]["loaders"]
TEMPLATES[0]["APP_DIRS"] = True

# Tests with threads empty the tables behind them; the append-only ones refuse it otherwise.
DATABASES["default"]["OPTIONS"] = {"options": "-c zhixin.allow_truncate=on"}
