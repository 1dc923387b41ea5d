"""Admin pages that show and never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol

from django.contrib.admin.options import BaseModelAdmin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
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


# What marks a row as found for a reader.
_FOUND_FOR = "found_for_user_id"


@cache
def _plain_column(model: type[Model], name: str) -> Callable[[Model], str]:
    """Return a column that names the row behind a foreign key without leading to it."""

    def column(row: Model) -> str:
        related = getattr(row, name)
        return NO_VALUE if related is None else str(related)

    column.__name__ = name
    field: Any = model._meta.get_field(name)  # noqa: SLF001 - Django's documented API.
    column.short_description = field.verbose_name  # type: ignore[attr-defined]  # As Django asks for it.
    return column


class Reach(Protocol):
    """Which rows of a table a reader's work needs."""

    def __call__(self, user: Any, rows: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ANN401 - Any user.
        """Return the rows that `user` may see; `rows` itself when that is all of them."""


class FollowableLinks(BaseModelAdmin):  # type: ignore[type-arg]  # Not generic at run time.
    """A foreign key leads to its row only for a reader who may open that."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the groups of fields, without links that this reader may not follow."""
        return [
            (title, {**options, "fields": self._followable(request, options["fields"], obj)})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the fields that are shown as text, the same ones."""
        names = super().get_readonly_fields(request, obj)
        return self._followable(request, names, obj)

    def _followable(self, request: HttpRequest, names: Iterable[Any], obj: Any) -> list[Any]:  # noqa: ANN401 - Django's signature.
        model: type[Model] = self.model
        return [
            _plain_column(model, name) if self._leads_nowhere(request, name, obj) else name
            for name in names
        ]

    def _leads_nowhere(self, request: HttpRequest, name: object, obj: Any) -> bool:  # noqa: ANN401 - Django's signature.
        if not isinstance(name, str) or hasattr(self, name):
            return False
        try:
            field = self.model._meta.get_field(name)  # noqa: SLF001 - Django's documented API.
        except FieldDoesNotExist:
            return False
        related: Any = field.related_model
        if related is None or not self.admin_site.is_registered(related):
            return False
        row = getattr(obj, name, None) if isinstance(obj, self.model) else None
        table = self.admin_site.get_model_admin(related)
        return not table.has_view_permission(request, row if isinstance(row, Model) else None)


class ReadOnlyModelAdmin(FollowableLinks, ModelAdmin):
    """Rows that staff with the view permission read; nobody adds, changes or deletes them here.

    A reader sees the rows that `reach` gives them, in lists, searches and by address. Any other
    row is not there, as one that is missing.
    """

    # None: the rows are about nobody, and all are shown.
    reach: Reach | None = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the reader's work needs."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if self.reach is None else self.reach(request.user, rows)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the row, marked as found for the reader: it is not looked for again."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            vars(row)[_FOUND_FOR] = request.user.pk
        return row

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature.
        """Return whether the reader may see the table, and the row when one is named."""
        if not super().has_view_permission(request, obj):
            return False
        if obj is None or self.reach is None or vars(obj).get(_FOUND_FOR) == request.user.pk:
            return True
        rows = self.model._default_manager.all()  # noqa: SLF001 - Django's documented API.
        seen = self.reach(request.user, rows)
        return seen is rows or seen.filter(pk=obj.pk).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: rows come about by services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: rows change by services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: nothing is deleted."""
        return False


class ReadOnlyTabularInline(FollowableLinks, TabularInline):
    """Rows that belong to the page's object, to be read."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the fields that are shown as text; a link that leads nowhere is one of them."""
        names = super().get_readonly_fields(request, obj)
        shown = self._followable(request, self.fields or (), obj)
        return [*names, *(name for name in shown if callable(name) and name not in names)]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature.
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
