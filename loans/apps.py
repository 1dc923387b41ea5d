"""Django's entry to the app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoansConfig(AppConfig):
    """Names the app for Django and the admin."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "loans"
    verbose_name = _("Loans")
