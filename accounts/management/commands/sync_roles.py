"""Make the groups of staff have exactly the permissions that the code names."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction

from zhixin.shared.permissions import ROLE_PERMISSIONS


class Command(BaseCommand):
    """Syncs groups with `zhixin.shared.permissions.ROLE_PERMISSIONS`."""

    help = "Make the groups of staff have exactly the permissions that the code names."

    def handle(self, *_args: Any, **_options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Set every group's permissions; name those that do not exist, and go on."""
        known = _permissions_by_name()
        missing: list[str] = []
        with transaction.atomic():
            for role, names in ROLE_PERMISSIONS.items():
                wanted: set[Permission] = set()
                for name in sorted(names):
                    found = _expand(name, known)
                    wanted.update(found)
                    if not found:
                        missing.append(f"{role}: {name}")
                group, _created = Group.objects.get_or_create(name=role.value)
                group.permissions.set(wanted)
                self.stdout.write(f"{role.value}: {len(wanted)} permissions")
        for line in missing:
            self.stderr.write(self.style.WARNING(f"No such permission for {line}"))


def _permissions_by_name() -> dict[str, Permission]:
    """Return every permission by "app.codename"."""
    return {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }


def _expand(name: str, known: dict[str, Permission]) -> list[Permission]:
    """Return the permission `name`, or for "app.*:view" every view permission of the app."""
    app_label, _dot, codename = name.partition(".")
    if codename == "*:view":
        prefix = f"{app_label}.view_"
        return [permission for key, permission in known.items() if key.startswith(prefix)]
    return [known[name]] if name in known else []
