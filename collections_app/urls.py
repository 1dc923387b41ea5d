"""Where the pages of help stand, under /help/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from collections_app import views

app_name = "collections"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.help_page, name="help"),
    path("offers/<uuid:offer_id>/", views.offer, name="offer"),
    path("plans/<uuid:plan_id>/", views.plan, name="plan"),
    path("<uuid:public_id>/", views.budget, name="budget"),
    path("<uuid:public_id>/plan/", views.loan_plan, name="loan_plan"),
    path("<uuid:public_id>/person/", views.person, name="person"),
    path("<uuid:request_id>/offers/", views.offers, name="offers"),
]
