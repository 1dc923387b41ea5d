"""Admin pages that show and never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from zhixin.shared.templatetags.zhixin import NO_VALUE, actor_name, money, percent


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


def actor_column(name: str, description: Promise) -> Callable[[Any, Model], str]:
    """Return a column of the admin that says who did it, in the reader's language."""

    @display(description=description, ordering=name)
    def column(_admin: Any, row: Model) -> str:  # noqa: ANN401 - the admin or its inline.
        return actor_name(getattr(row, name))

    return column


@cache
def _plain_column(model: type[Model], name: str) -> Callable[[Model], str]:
    """Return a column that names the row behind a foreign key without leading to it."""

    def column(row: Model) -> str:
        related = getattr(row, name)
        return NO_VALUE if related is None else str(related)

    column.__name__ = name
    field: Any = model._meta.get_field(name)  # noqa: SLF001 - Django's documented API.
    column.short_description = field.verbose_name  # type: ignore[attr-defined]
    return column


class ReadOnlyModelAdmin(ModelAdmin):
    """Rows that staff with the view permission read; nobody adds, changes or deletes them here.

    A foreign key leads to its row only for a reader who may open that.
    """

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401
        """Return the groups of fields, without links that this reader may not follow."""
        return [
            (title, {**options, "fields": self._followable(request, options["fields"])})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401
        """Return the fields that are shown as text, the same ones."""
        return self._followable(request, super().get_readonly_fields(request, obj))

    def _followable(self, request: HttpRequest, names: Iterable[Any]) -> list[Any]:
        return [
            _plain_column(self.model, name) if self._leads_nowhere(request, name) else name
            for name in names
        ]

    def _leads_nowhere(self, request: HttpRequest, name: object) -> bool:
        if not isinstance(name, str) or hasattr(self, name):
            return False
        try:
            field = self.model._meta.get_field(name)  # noqa: SLF001 - Django's documented API.
        except FieldDoesNotExist:
            return False
        related: Any = field.related_model
        if related is None or not self.admin_site.is_registered(related):
            return False
        return not self.admin_site.get_model_admin(related).has_view_permission(request)

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
