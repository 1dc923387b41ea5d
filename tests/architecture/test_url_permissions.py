"""Every URL names who may open it: a permission, or a public entry with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

# Views of libraries that we do not decorate, with the reason why they are safe.
LIBRARY_VIEWS = {
    "set_language": "Django's language switch; it changes a cookie and nothing else.",
}
LIBRARY_MODULES = {
    "django.contrib.admin": "Django's admin checks staff and permission in each of its views.",
    "unfold": "The admin's theme; behind the admin's own check.",
    "allauth": "Sign-up, sign-in and recovery; allauth guards its own pages.",
}


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        path = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from patterns(entry, path)
        else:
            yield path, entry


def is_guarded(path: str, pattern: URLPattern) -> bool:
    callback = pattern.callback
    view_class = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    guard = getattr(callback, "guard", None) or getattr(view_class, "guard", None)
    if guard:
        return True
    if pattern.name in LIBRARY_VIEWS:
        return True
    module = getattr(view_class, "__module__", "") or getattr(callback, "__module__", "")
    if path.startswith("admin/"):
        # Wrapped by AdminSite.admin_view: closures of Django's own modules, or our ModelAdmins.
        return True
    return any(module.startswith(library) for library in LIBRARY_MODULES)


def test_every_url_has_a_guard() -> None:
    unguarded = [
        path for path, pattern in patterns(get_resolver()) if not is_guarded(path, pattern)
    ]
    assert unguarded == []


def test_an_unmarked_view_is_caught() -> None:
    pattern = URLPattern(get_resolver().pattern, lambda request: None, name="unmarked")
    assert not is_guarded("somewhere/", pattern)


def test_public_views_say_why() -> None:
    for path, pattern in patterns(get_resolver()):
        guard = getattr(pattern.callback, "guard", "")
        if guard.startswith("public"):
            assert len(guard.removeprefix("public: ")) > 20, path
