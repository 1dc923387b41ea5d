"""Where each app's pages stand."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from zhixin.health import healthz

# Staff sign in where everybody does: with its rate limits, its codes, its recovery.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # As allauth's manual says.

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("account/", include("allauth.account.urls")),
    path("me/", include("accounts.urls")),
    path("api/v1/", include("zhixin.api")),
    path("help/", include("collections_app.urls")),
    path("", include("loans.urls")),
    path("", include("education.urls")),
]

if settings.DEVELOPER_PAGES:
    urlpatterns += [path("dev/", include("zhixin.developer_pages"))]
