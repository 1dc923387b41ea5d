"""Django's entry to the kernel: template tags and abstract models; no tables."""

from django.apps import AppConfig


class SharedConfig(AppConfig):
    """Names the kernel for Django."""

    name = "zhixin.shared"
    label = "shared"
