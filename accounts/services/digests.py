"""Keyed digests of personal data, to find equal values without reading them."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings


def personal_data_digest(text: str) -> str:
    """Return the HMAC-SHA256 of `text` under settings.PERSONAL_DATA_DIGEST_KEY, in hex."""
    key = str(settings.PERSONAL_DATA_DIGEST_KEY).encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
