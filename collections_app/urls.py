"""Where the app's pages stand."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "collections"
urlpatterns: list[URLPattern | URLResolver] = []
