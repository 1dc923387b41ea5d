"""Zhixin (智信): consumer lending with open eyes, and help when it goes wrong."""

from zhixin.celery import app as celery_app

__all__ = ["celery_app"]
