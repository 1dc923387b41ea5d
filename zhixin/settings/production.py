"""Production: behind a TLS proxy. Refuses to start without its secrets."""

from __future__ import annotations

from zhixin import env
from zhixin.settings.base import *  # noqa: F403 - settings modules extend their base this way.
from zhixin.settings.base import database_from_url

DEBUG = False
SECRET_KEY = env.secret("SECRET_KEY", minimum_length=50)
# Fernet keys, newest first: the first encrypts, all decrypt.
PERSONAL_DATA_KEYS = env.secret("PERSONAL_DATA_KEYS", minimum_length=44).split(",")
PERSONAL_DATA_DIGEST_KEY = env.secret("PERSONAL_DATA_DIGEST_KEY", minimum_length=32)

ALLOWED_HOSTS = env.required("ALLOWED_HOSTS").split(",")
SITE_URL = env.optional("SITE_URL", f"https://{ALLOWED_HOSTS[0]}")
# Rate limits count callers by the address that the proxies in front report.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", default=1)
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]
DATABASES = {"default": database_from_url(env.required("DATABASE_URL"))}
REDIS_URL = env.required("REDIS_URL")
CELERY_BROKER_URL = REDIS_URL
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

EMAIL_HOST = env.required("EMAIL_HOST")
EMAIL_PORT = env.integer("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.optional("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.optional("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=True)

BANK_GATEWAY_URL = env.required("BANK_GATEWAY_URL")
BANK_SELLER_ID = env.required("BANK_SELLER_ID")
BANK_PUBLIC_KEY_PEM = env.pem("BANK_PUBLIC_KEY_PEM")
LENDER_PRIVATE_KEY_PEM = env.pem("LENDER_PRIVATE_KEY_PEM")
SMS_GATEWAY_URL = env.required("SMS_GATEWAY_URL")
SMS_ACCESS_KEY_ID = env.required("SMS_ACCESS_KEY_ID")
SMS_ACCESS_KEY_SECRET = env.required("SMS_ACCESS_KEY_SECRET")
