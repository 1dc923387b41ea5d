"""What the pages of this app write: lessons' Markdown, bounds of sliders, language tags."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from zhixin.shared.money import Money

register = template.Library()

RIGHT_ALIGNED = "text-align:right"
WIDE_TABLE_COLUMNS = 5


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
    for start, token in enumerate(tokens):
        if token.attrs.pop("style", None) == RIGHT_ALIGNED:
            token.attrSet("class", "number")
        if token.type == "table_open":
            _label_wide_table(tokens, start)
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html.replace("<table", '<div class="table-frame" tabindex="0"><table').replace(
        "</table>", "</table></div>"
    )


def _label_wide_table(tokens: list[Token], start: int) -> None:
    """Make a table of many columns one whose rows become cards on a phone.

    Each cell then says its column itself, from the head of the table that opens at `start`.
    """
    end = next(i for i in range(start, len(tokens)) if tokens[i].type == "table_close")
    heads = [tokens[i + 1].content for i in range(start, end) if tokens[i].type == "th_open"]
    if len(heads) < WIDE_TABLE_COLUMNS:
        return
    tokens[start].attrSet("class", "table--cards")
    cells = [token for token in tokens[start:end] if token.type in ("td_open", "td_close")]
    for index, (opening, closing) in enumerate(zip(cells[::2], cells[1::2], strict=True)):
        opening.attrSet("data-label", heads[index % len(heads)])
        if index % len(heads) == 0:
            opening.tag = closing.tag = "th"
            opening.attrSet("scope", "row")
