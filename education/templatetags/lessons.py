"""What the pages of this app write: lessons' Markdown, bounds of sliders, language tags."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from zhixin.shared.money import Money

register = template.Library()

RIGHT_ALIGNED = "text-align:right"


@register.filter
def lesson_html(markdown: str) -> SafeString:
    """Return the HTML of lesson text: tables allowed, raw HTML shown as text.

    Columns aligned to the right become numbers of the design system, because the security policy
    forbids style attributes; a wide table scrolls, by keyboard too, in a frame of its own.
    """
    return mark_safe(_render(markdown))  # noqa: S308 - The renderer escapes raw HTML.


@register.filter
def yuan(amount: Money) -> str:
    """Return the whole yuan of a bound for a slider's attribute: "12000"."""
    return str(amount.cents // 100)


@register.filter
def yuan_label(amount: Money) -> str:
    """Return the whole yuan of a bound for people: "¥200,000"."""
    return f"¥{amount.cents // 100:,}"


@register.filter
def language_tag(code: str) -> str:
    """Return the lang attribute for a language of lessons: "zh-hans" is "zh-Hans"."""
    language, _, script = code.partition("-")
    return f"{language}-{script.title()}" if script else language


@lru_cache(maxsize=64)
def _render(markdown: str) -> str:
    """Return the HTML; lessons are few and change seldom."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.attrs.pop("style", None) == RIGHT_ALIGNED:
            token.attrSet("class", "number")
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html.replace("<table>", '<div class="table-frame" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )
