"""Development on one machine: `make run`."""

from __future__ import annotations

from zhixin import env
from zhixin.settings.base import *  # noqa: F403 - settings modules extend their base this way.
from zhixin.settings.base import DATA_DIR, MIDDLEWARE, TEMPLATES

DEBUG = True
# With DEBUG Django answers an unknown address with a page for developers.
MIDDLEWARE = [*MIDDLEWARE, "zhixin.not_found.OwnNotFoundPage"]
DEVELOPER_PAGES = True
MESSAGE_DELIVERY = "outbox"
# Known to everybody, on purpose: nothing real is signed or encrypted with it.
SECRET_KEY = "development-only-secret-key-of-zhixin-0123456789abcdef"  # noqa: S105 - see above.
PERSONAL_DATA_KEYS = ["ZGV2ZWxvcG1lbnQtb25seS1rZXktb2YtemhpeGluISE="]
PERSONAL_DATA_DIGEST_KEY = "development-only-digest-key-of-zhixin"
ALLOWED_HOSTS = ["*"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

BANK_GATEWAY_URL = env.optional("BANK_GATEWAY_URL", "http://127.0.0.1:8010/gateway.do")
BANK_PUBLIC_KEY_PEM = env.pem("BANK_PUBLIC_KEY_PEM", fallback=DATA_DIR / "bank" / "bank_public.pem")
LENDER_PRIVATE_KEY_PEM = env.pem(
    "LENDER_PRIVATE_KEY_PEM", fallback=DATA_DIR / "bank" / "lender_private.pem"
)

# Templates are read anew at each request; gunicorn's reload does not watch them.
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["OPTIONS"]["loaders"] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
