"""The components render, and carry nothing that the content security policy forbids."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import URLPattern
from django.utils import translation

from zhixin.shared.money import total
from zhixin.shared.styleguide import PRINCIPAL, sample_bars, styleguide_context

# No app's pages are needed here: addresses fall back.
pytestmark = pytest.mark.urls(__name__)
urlpatterns: list[URLPattern] = []

COMPONENTS = sorted(
    path.name for path in (Path(settings.BASE_DIR) / "templates" / "components").glob("*.html")
)
FORBIDDEN = re.compile(r"\sstyle=|\son\w+=|javascript:|<script>|hx-on", re.IGNORECASE)


@pytest.fixture
def styleguide() -> str:
    """Return the page that shows every component."""
    with translation.override("en"):
        return render_to_string("styleguide.html", styleguide_context())


def test_the_style_guide_carries_no_inline_style_or_script(styleguide: str) -> None:
    assert FORBIDDEN.findall(styleguide) == []


def test_the_style_guide_leaves_no_template_text_behind(styleguide: str) -> None:
    assert re.findall(r"\{[{%#]|[%#}]\}", styleguide) == []


def test_ids_on_the_style_guide_have_their_target(styleguide: str) -> None:
    ids = set(re.findall(r'\sid="([^"]+)"', styleguide))
    described = re.findall(r'aria-describedby="([^"]+)"', styleguide)

    assert {name for names in described for name in names.split()} <= ids
    assert set(re.findall(r'<label[^>]* for="([^"]+)"', styleguide)) <= ids


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_carries_nothing_forbidden(name: str) -> None:
    source = (Path(settings.BASE_DIR) / "templates" / "components" / name).read_text("utf-8")

    assert FORBIDDEN.findall(source) == []


@pytest.mark.parametrize("name", ["404.html", "403.html", "403_csrf.html", "500.html"])
def test_an_error_page_needs_no_context(name: str) -> None:
    with translation.override("en"):
        html = render_to_string(name)

    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1


def test_the_sample_schedule_is_a_real_one() -> None:
    bars = sample_bars()

    assert total(bar.principal for bar in bars) == PRINCIPAL
    assert (bars[0].due_date, bars[-1].due_date) == (date(2026, 10, 15), date(2027, 9, 15))
