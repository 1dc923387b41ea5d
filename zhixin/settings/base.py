"""What every environment shares, one section a concern. Only `zhixin.env` reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.templatetags.static import static
from django.urls import reverse_lazy

from zhixin import env

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(env.optional("ZHIXIN_DATA_DIR", str(BASE_DIR / ".data")))

# --- Applications -------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "pgtrigger",
    "rest_framework",
    "zhixin",
    "zhixin.shared",
    "accounts",
    "risk",
    "loans",
    "collections_app",
    "education",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "zhixin.urls"
WSGI_APPLICATION = "zhixin.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "zhixin.shared.context_processors.site",
            ],
            "builtins": ["zhixin.shared.templatetags.zhixin", "django.templatetags.i18n"],
        },
    },
]
# Forms render through the project's own templates folder.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.append("django.forms")

# --- Database and broker ------------------------------------------------------------------


def database_from_url(url: str) -> dict[str, Any]:
    """Return Django's settings for a postgresql:// address (a socket folder may be ?host=…)."""
    parts = urlsplit(url)
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(options.get("host", parts.hostname or "")),
        "PORT": str(parts.port or options.get("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Boundaries of transactions stand in the services, where a reader sees them.
        "ATOMIC_REQUESTS": False,
    }


# Commands that need no database (replay, check) run without an address.
DATABASES = {
    "default": database_from_url(
        env.optional("DATABASE_URL", "postgresql://localhost/zhixin-not-started")
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.optional("REDIS_URL", "redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 1800}
CELERY_TIMEZONE = "Asia/Shanghai"
CELERY_BEAT_SCHEDULE = {
    # The night: closes whatever days are due; does nothing when none is.
    "close-due-days": {
        "task": "loans.close_due_days",
        "schedule": crontab(minute="5"),
    },
    # Messages whose task was lost with the broker.
    "deliver-waiting-messages": {
        "task": "accounts.deliver_waiting_messages",
        "schedule": 60.0,
    },
    # The bank's bills of the days that are over; one that is not ready is tried the next hour.
    "reconcile-bank": {
        "task": "loans.reconcile_bank",
        "schedule": crontab(minute="35"),
    },
    # Payouts that the other bank may have sent back, hours or days after they were done.
    "ask-about-payouts": {
        "task": "loans.ask_about_payouts",
        "schedule": crontab(hour="3", minute="50"),
    },
    # Bank orders whose answer or call-back was lost.
    "chase-open-transfers": {
        "task": "loans.chase_open_transfers",
        "schedule": 30.0,
    },
}

# The steps of the night in their order (tested). Dotted names, because the apps above
# `loans` take part in it and `loans` must not import them.
NIGHT_STEPS = [
    "loans.services.night.bill_due_installments",
    "loans.services.night.age_overdue_loans",
    # After billing: what is due is known. Debits before notices: a debit needs no new notice.
    "loans.services.autopay.collect_due",
    "loans.services.autopay.give_notices",
    "loans.services.refunds.refund_closed_loans",
    "collections_app.services.cases.open_and_close_cases",
    "loans.services.reminders.queue_reminders",
    # The last one: it looks at what the others did.
    "loans.services.reconciliation.check_books",
]

# Tells loans, which stand below the cases, whether there is an open case about one of them.
OPEN_CASE_CHECK = "collections_app.selectors.cases.has_open_case"
# The loans that the team of collections works on, or has worked on.
LOANS_OF_CASES = "collections_app.selectors.cases.loans_of_cases"
# Whose data staff see: anybody's by this permission; else, by what they work on, the people of
# that work (each function returns their keys). The accounts stand below those who know.
ANYBODY_PERMISSION = "loans.open_any_loan"
PEOPLE_OF_WORK = {
    "loans.decide_referral": "loans.access.people_of_referrals",
    "collections_app.work_case": "collections_app.selectors.cases.people_of_cases",
}

# Autopay (docs/autopay.md): days at least from a notice to its debit, days before the debit on
# which it is written, and days from a failure for lack of money to the one retry.
AUTOPAY = {"notice_days": 3, "ahead_days": 5, "retry_days": 3}

# --- People -------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = reverse_lazy("loans:my_loans")
LOGOUT_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "accounts.adapters.allauth.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "accounts.forms.SignupForm",
    "login": "accounts.forms.LoginForm",
    "request_login_code": "accounts.forms.RequestLoginCodeForm",
    "confirm_login_code": "accounts.forms.ConfirmLoginCodeForm",
    "confirm_email_verification_code": "accounts.forms.ConfirmEmailForm",
    "confirm_password_reset_code": "accounts.forms.ConfirmPasswordResetForm",
    "verify_phone": "accounts.forms.ConfirmPhoneForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"phone", "email"}
# The sign-up form asks for one of the two, and for no password: a code signs in as well.
# The stars satisfy allauth's own check; see accounts.forms.SignupForm.
ACCOUNT_SIGNUP_FIELDS = ["phone", "email*", "password1*"]
ACCOUNT_SIGNUP_REDIRECT_URL = reverse_lazy("accounts:profile")
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_PHONE_VERIFICATION_ENABLED = True
ACCOUNT_PHONE_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
# Six digits: what phones offer to fill in by themselves.
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "dashed": False, "length": 6}
# allauth's limits, kept in Redis. Phones of one carrier share few addresses (CGNAT), so the
# limit for each address is wider than allauth's three a minute; the one for each number stays.
ACCOUNT_RATE_LIMITS = {
    "verify_phone": "1/30s/key,30/m/ip",
    "verify_certificate": "10/m/ip,60/h/ip",
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- Language and time --------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
# Business dates are the lender's local dates.
TIME_ZONE = "Asia/Shanghai"
USE_THOUSAND_SEPARATOR = False

# --- Files --------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
# Uploads are income proofs: private, served only through a view that checks and logs.
MEDIA_ROOT = Path(env.optional("MEDIA_ROOT", str(DATA_DIR / "media")))
MEDIA_URL = ""
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600
INCOME_PROOF_MAX_BYTES = 5 * 1024 * 1024

# --- Security -----------------------------------------------------------------------------

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
    # The admin's theme uses inline handlers (Alpine); it stands behind staff sign-in.
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
}

# --- The world outside --------------------------------------------------------------------

BANK_GATEWAY_URL = env.optional("BANK_GATEWAY_URL", "")
BANK_APP_ID = env.optional("BANK_APP_ID", "zhixin")
# The lender's own account at the bank: a notice about another seller's money is not ours.
BANK_SELLER_ID = env.optional("BANK_SELLER_ID", "2088102100000001")
# Where daily bills may be fetched from, beside the gateway's own address.
BANK_BILL_ADDRESSES = env.optional(
    "BANK_BILL_ADDRESSES", "https://dwbillcenter.alipay.com:443"
).split()
# What the bank takes of a payment by contract; another fee is a difference.
BANK_FEE_RATE = env.optional("BANK_FEE_RATE", "0")
# From this amount on (yuan) a second person confirms that money is taken out of the books again of
# which the bank says that it arrived or that came from outside, and that credit is paid back which
# one person typed in.
RAIL_REVERSAL_FOR_TWO = env.optional("RAIL_REVERSAL_FOR_TWO", "1000")
# For how many days after a payout the bank is asked each night whether it came back (退票).
PAYOUT_WATCH_DAYS = int(env.optional("PAYOUT_WATCH_DAYS", "15"))
SMS_GATEWAY_URL = env.optional("SMS_GATEWAY_URL", "")
SMS_ACCESS_KEY_ID = env.optional("SMS_ACCESS_KEY_ID", "")
SMS_ACCESS_KEY_SECRET = env.optional("SMS_ACCESS_KEY_SECRET", "")
SMS_SIGN_NAME = env.optional("SMS_SIGN_NAME", "智信")
# Where delivered messages go: "carriers" (SMS gateway, SMTP) or "outbox" (kept to be looked at).
MESSAGE_DELIVERY = "carriers"
# Where links in messages lead.
SITE_URL = env.optional("SITE_URL", "http://127.0.0.1:8000")
DEFAULT_FROM_EMAIL = env.optional("DEFAULT_FROM_EMAIL", "Zhixin <no-reply@zhixin.example>")

# --- The product --------------------------------------------------------------------------

# The least time, kept by the server, between showing a cost sheet and its confirmation.
COST_SHEET_READING_SECONDS = env.integer("COST_SHEET_READING_SECONDS", default=20)
# Pages that only a developer may see: the outbox, the style guide.
DEVELOPER_PAGES = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

UNFOLD = {
    "SITE_TITLE": "Zhixin 智信",
    "SITE_HEADER": "Zhixin 智信",
    "SITE_URL": "/",
    "SITE_ICON": lambda _request: static("img/favicon.svg"),
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("img/favicon.svg"),
        }
    ],
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "zhixin.dashboard.dashboard",
    "SIDEBAR": {"show_search": False, "navigation": "zhixin.dashboard.navigation"},
    "COLORS": {
        "primary": {
            "50": "240 249 247",
            "100": "212 239 233",
            "200": "170 222 212",
            "300": "121 199 186",
            "400": "72 170 156",
            "500": "36 139 126",
            "600": "15 110 100",
            "700": "13 92 85",
            "800": "14 74 69",
            "900": "15 61 58",
            "950": "4 36 35",
        }
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"one_line": {"()": "zhixin.log_lines.OneLineForRefusals"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # Django's own handlers would write each line a second time.
        "django": {"handlers": [], "level": "WARNING"},
        **{
            name: {"filters": ["one_line"]}
            for name in ("django.request", "django.security.csrf", "django.security")
        },
        **{
            name: {"level": "INFO"}
            for name in ("accounts", "risk", "loans", "collections_app", "education", "zhixin")
        },
    },
}
