"""Django's entry to the app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EducationConfig(AppConfig):
    """Names the app for Django and the admin."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "education"
    verbose_name = _("Education")
