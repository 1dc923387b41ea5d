"""Pages of a person's own data, under /me/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from accounts.views import privacy, profile, security

app_name = "accounts"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", profile.profile, name="profile"),
    path("profile/<slug:step>/", profile.profile_step, name="profile_step"),
    path("proofs/<uuid:public_id>/", profile.income_proof, name="income_proof"),
    path("privacy/", privacy.privacy, name="privacy"),
    path("privacy/<slug:purpose>/", privacy.answer_consent, name="answer_consent"),
    path("contact/", privacy.contact_settings, name="contact_settings"),
    path("new-password/", security.new_password, name="new_password"),
]
