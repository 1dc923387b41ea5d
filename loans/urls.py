"""Where the app's pages stand."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "loans"
urlpatterns: list[URLPattern | URLResolver] = []
