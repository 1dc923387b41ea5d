"""The tests: real PostgreSQL and Redis of their own."""

from __future__ import annotations

from zhixin.settings.local import *  # noqa: F403 - settings modules extend their base this way.

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
COST_SHEET_READING_SECONDS = 2
