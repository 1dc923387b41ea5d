"""Every URL names who may open it: a permission, or a public entry with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.engine.contact_rules import Channel
from tests.factories.accounts import make_person

# Views of libraries that we do not decorate, with the reason why they are safe.
LIBRARY_VIEWS = {
    "set_language": "Django's language switch; it changes a cookie and nothing else.",
    "view_on_site": "Django's way from a row of the admin to its own page, which guards itself.",
}
LIBRARY_MODULES = {
    "django.contrib.admin": "Django's admin checks staff and permission in each of its views.",
    "django.contrib.auth.admin": "Django's page for somebody's password checks the permission.",
    "django.views.generic.base": "Django's redirect from an address of old to the page of a row.",
    "unfold": "The admin's theme; behind the admin's own check.",
    "allauth": "Sign-up, sign-in and recovery; allauth guards its own pages.",
}
# Views of the admin that our classes override: they ask the permission and call Django's view.
OVERRIDABLE = {"changelist_view", "add_view", "change_view", "delete_view", "history_view"}
# Pages of the admin for every member of staff, whatever their permissions.
FOR_ALL_STAFF = {
    "index": "The first page lists what this person may open.",
    "password_change": "One's own password.",
    "password_change_done": "One's own password.",
    "jsi18n": "Words for scripts.",
    "search": "The theme's search lists only models that this person may read.",
}


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        path = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from patterns(entry, path)
        else:
            yield path, entry


def is_guarded(pattern: URLPattern) -> bool:
    callback = pattern.callback
    view_class = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    guard = getattr(callback, "guard", None) or getattr(view_class, "guard", None)
    if guard or pattern.name in LIBRARY_VIEWS:
        return True
    module = getattr(view_class, "__module__", "") or getattr(callback, "__module__", "")
    if isinstance(getattr(callback, "model_admin", None), admin.ModelAdmin):
        name = getattr(callback, "__name__", "")
        return name in OVERRIDABLE or any(module.startswith(each) for each in LIBRARY_MODULES)
    return any(module.startswith(library) for library in LIBRARY_MODULES)


def test_every_url_has_a_guard() -> None:
    unguarded = [path for path, pattern in patterns(get_resolver()) if not is_guarded(pattern)]
    assert unguarded == []


def test_an_unmarked_view_is_caught() -> None:
    pattern = URLPattern(get_resolver().pattern, lambda request: None, name="unmarked")
    assert not is_guarded(pattern)


def test_an_unmarked_view_of_the_admin_is_caught() -> None:
    def unmarked(request: object) -> None:
        """Pass the admin's check of staff, and nothing else."""

    view = admin.site.admin_view(unmarked)  # type: ignore[arg-type]  # It answers nothing.
    assert not is_guarded(URLPattern(get_resolver().pattern, view, name="unmarked"))


def admin_pages() -> list[tuple[str, str]]:
    """Return path and name of each page of the admin, with something where an argument stands."""
    return [
        ("/" + filled(path), str(pattern.name))
        for path, pattern in patterns(get_resolver())
        if path.startswith("admin/") and pattern.name not in {"login", "logout"}
    ]


def filled(path: str) -> str:
    path = re.sub(r"<uuid:\w+>", "00000000-0000-4000-8000-000000000000", path)
    path = re.sub(r"\(\?P<app_label>([^)|]+)[^)]*\)", r"\1", path)
    path = re.sub(r"\(\?P<url>\.\*\)", "nowhere", path)
    return re.sub(r"<\w+:\w+>|<\w+>", "1", path).replace("^", "").replace("$", "")


@pytest.mark.django_db
def test_staff_without_permissions_read_nothing_in_the_admin() -> None:
    client = Client(raise_request_exception=True)
    person = make_person(channel=Channel.EMAIL, is_staff=True)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    answers = {
        path: client.get(path).status_code
        for path, name in admin_pages()
        if name not in FOR_ALL_STAFF
    }
    assert len(answers) > 100
    # 302: a row that is not there leads to the first page; our own redirects ask before.
    assert {path: code for path, code in answers.items() if code not in {302, 403, 404, 405}} == {}
    lists = [code for path, code in answers.items() if path.count("/") == 4]
    assert set(lists) <= {403, 404}


def test_public_views_say_why() -> None:
    for path, pattern in patterns(get_resolver()):
        guard = getattr(pattern.callback, "guard", "")
        if guard.startswith("public"):
            assert len(guard.removeprefix("public: ")) > 20, path
