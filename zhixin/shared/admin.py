"""Admin pages that show and never change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from zhixin.shared.templatetags.zhixin import money, percent


def money_column(name: str, description: Promise) -> Callable[[Any, Model], str]:
    """Return a column of the admin that shows the MoneyField `name` as people write amounts."""

    @display(description=description, ordering=name)
    def column(_admin: Any, row: Model) -> str:  # noqa: ANN401 - the admin or its inline.
        return money(getattr(row, name))

    return column


def rate_column(name: str, description: Promise) -> Callable[[Any, Model], str]:
    """Return a column of the admin that shows the yearly rate `name` as percent."""

    @display(description=description, ordering=name)
    def column(_admin: Any, row: Model) -> str:  # noqa: ANN401 - the admin or its inline.
        return percent(getattr(row, name))

    return column


class ReadOnlyModelAdmin(ModelAdmin):
    """Rows that staff with the view permission read; nobody adds, changes or deletes them here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: rows come about by services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: rows change by services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: nothing is deleted."""
        return False


class ReadOnlyTabularInline(TabularInline):
    """Rows that belong to the page's object, to be read."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401
        """Return False: rows come about by services."""
        return False

    def has_change_permission(
        self,
        request: HttpRequest,
        obj: Any = None,  # noqa: ANN401 - Django passes the parent or the row.
    ) -> bool:
        """Return False: rows change by services."""
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,
        obj: Any = None,  # noqa: ANN401 - Django passes the parent or the row.
    ) -> bool:
        """Return False: nothing is deleted."""
        return False
