"""How pages write amounts, rates, dates and the parts of the design system.

Filters give plain text in the reader's language; tags give markup. Nothing here reads the clock:
a filter that compares with today is handed the business date. Use of each: docs/interface.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.dates import format_date
from django import template
from django.core.paginator import Page
from django.forms import BoundField
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, ngettext, pgettext, to_locale

from zhixin.shared.icons import icon_svg
from zhixin.shared.money import Money
from zhixin.shared.rates import percent_text

register = template.Library()

CURRENCY_SIGN = "¥"
MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EM DASH}"

_CHINESE = {
    "long": "y年M月d日 EEE",
    "plain": "y年M月d日",
    "day": "M月d日",
    "month": "y年M月",
}
_ENGLISH = {
    "long": "EEEE d MMMM y",
    "plain": "d MMM y",
    "day": "d MMM",
    "month": "MMMM y",
}


# --- Who ----------------------------------------------------------------------------------

_PHONE_NUMBER = re.compile(r"\+?\d{7,15}")


@register.filter
def actor_name(label: str) -> str:
    """Return who did a thing in the reader's language; a phone number with its middle hidden."""
    names = {
        "night": pgettext("author of a change", "the night"),
        "bank": pgettext("author of a change", "the bank"),
        "system": pgettext("author of a change", "the system"),
        "demo data": pgettext("author of a change", "demo data"),
        "borrower": pgettext("author of a change", "the borrower"),
        "reader": pgettext("author of a change", "a reader"),
    }
    if _PHONE_NUMBER.fullmatch(label):
        national = label.removeprefix("+86")
        return f"{national[:3]}{'*' * max(len(national) - 7, 4)}{national[-4:]}"
    return names.get(label, label)


@register.filter
def actor_of(row: Any) -> str:  # noqa: ANN401 - any row with `actor_user` and `actor_label`.
    """Return who did it; load the rows with `actor_user__profile`."""
    return name_of_person(row.actor_user, row.actor_label)


def name_of_person(user: Any, label: str) -> str:  # noqa: ANN401 - a user, who stands above.
    """Return a member of staff by name, else what `actor_name` says of the label."""
    profile = getattr(user, "profile", None) if user is not None and user.is_staff else None
    return getattr(profile, "full_name", "") or actor_name(label)


# --- Amounts and rates --------------------------------------------------------------------


@register.filter
def money(amount: Money | None) -> str:
    """Return the amount for people: "¥12,345.60", "−¥0.01"; a dash for None.

    Raises TypeError for anything but Money, because only Money says that rounding has happened.
    """
    if amount is None:
        return NO_VALUE
    sign, text = _split_amount(amount)
    return f"{sign}{CURRENCY_SIGN}{text}"


@register.filter
def money_change(amount: Money | None) -> str:
    """Return a difference with its sign always written: "+¥120.00", "−¥30.50", "¥0.00"."""
    if amount is None:
        return NO_VALUE
    return f"+{money(amount)}" if amount.cents > 0 else money(amount)


@register.filter
def money_markup(amount: Money | None) -> SafeString:
    """Return the amount in spans, so that sign and cents can be set smaller than the number."""
    if amount is None:
        return mark_safe(NO_VALUE)  # noqa: S308  # A constant.
    sign, text = _split_amount(amount)
    whole, cents = text.split(".")
    return format_html(
        '<span class="money">{}<span class="money__sign">{}</span>{}'
        '<span class="money__cents">.{}</span></span>',
        sign,
        CURRENCY_SIGN,
        whole,
        cents,
    )


@register.filter
def percent(rate: Decimal | None, places: int = 2) -> str:
    """Return a yearly fraction as percent, rounded half up: 0.126825 is "12.68%"."""
    return NO_VALUE if rate is None else percent_text(rate, places=places)


def _split_amount(amount: Money) -> tuple[str, str]:
    """Return the sign and the digits with thousands separators."""
    if not isinstance(amount, Money):
        raise TypeError(f"Only Money can be shown as an amount, not {type(amount).__name__}.")
    whole, cents = divmod(abs(amount.cents), 100)
    return (MINUS if amount.cents < 0 else ""), f"{whole:,}.{cents:02d}"


# --- Dates --------------------------------------------------------------------------------


@register.filter
def long_date(day: date | datetime | None) -> str:
    """Return the date in full with its weekday: "2026年12月15日 周二"."""
    return _format_date(day, "long")


@register.filter
def plain_date(day: date | datetime | None) -> str:
    """Return the date without weekday, for tables: "2026年12月15日", "15 Dec 2026"."""
    return _format_date(day, "plain")


@register.filter
def day_and_month(day: date | datetime | None) -> str:
    """Return the date without its year, for axes: "12月15日", "15 Dec"."""
    return _format_date(day, "day")


@register.filter
def month_name(day: date | datetime | None) -> str:
    """Return month and year: "2026年12月", "December 2026"."""
    return _format_date(day, "month")


@register.filter
def long_instant(at: datetime | None) -> str:
    """Return the instant in the lender's time zone: "2026年12月15日 周二 14:03"."""
    if at is None:
        return NO_VALUE
    return f"{_format_date(at, 'long')} {timezone.localtime(at):%H:%M}"


@register.filter
def days_left(due_date: date | None, business_date: date) -> str:
    """Return how far `due_date` lies from `business_date`, in words."""
    if due_date is None:
        return NO_VALUE
    days = (due_date - business_date).days
    if days < 0:
        return ngettext("%(days)d day late", "%(days)d days late", -days) % {"days": -days}
    if days == 0:
        return gettext("today")
    if days == 1:
        return gettext("tomorrow")
    return ngettext("in %(days)d day", "in %(days)d days", days) % {"days": days}


@register.filter
def iso_date(day: date | datetime | None) -> str:
    """Return the date for a <time datetime> attribute; empty for None."""
    return "" if day is None else _local_date(day).isoformat()


def _format_date(day: date | datetime | None, form: str) -> str:
    """Return `day` in the named form of the reader's language."""
    if day is None:
        return NO_VALUE
    locale = Locale.parse(to_locale(get_language() or "en"))
    forms = _CHINESE if locale.language == "zh" else _ENGLISH
    return str(format_date(_local_date(day), forms[form], locale=locale))


def _local_date(day: date | datetime) -> date:
    """Return the lender-local calendar date of a date or an instant."""
    return timezone.localtime(day).date() if isinstance(day, datetime) else day


# --- The page around the content ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NavLink:
    """One entry of the site's navigation."""

    label: str
    short_label: str
    url: str
    icon: str
    is_current: bool


@register.simple_tag
def html_lang() -> str:
    """Return the language of the page as <html lang> wants it: "zh-Hans" or "en"."""
    language, _, script = (get_language() or "en").partition("-")
    return f"{language}-{script.title()}" if script else language


@register.simple_tag(takes_context=True)
def nav_links(context: template.Context) -> list[NavLink]:
    """Return the pages a reader can always reach: public ones, and her own when signed in."""
    home, learn = pgettext("navigation", "Home"), gettext("Learn")
    places = [
        (home, home, "education:home", "/", "home"),
        (learn, learn, "education:lessons", "/learn/", "book"),
    ]
    user = context.get("user")
    if user is not None and user.is_authenticated:
        loans = (gettext("My loans"), gettext("Loans"), "loans:my_loans", "/loans/", "loans")
        profile = (gettext("Profile"), gettext("Me"), "accounts:profile", "/me/", "person")
        places = [places[0], loans, places[1], profile]
    path = getattr(context.get("request"), "path", "")
    return [
        NavLink(label, short_label, url, icon_name, _is_current(path, url))
        for label, short_label, name, fallback, icon_name in places
        for url in [_url_or(name, fallback)]
    ]


@register.simple_tag
def page_url(name: str, fallback: str) -> str:
    """Return the address of the URL `name`, or `fallback` where it is not wired (error pages)."""
    return _url_or(name, fallback)


def _url_or(name: str, fallback: str) -> str:
    """Return the address of `name`, or `fallback` when no URL has that name."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return fallback


def _is_current(path: str, url: str) -> bool:
    """Return whether `path` is the page `url` or lies below it."""
    return path == url or (url != "/" and path.startswith(url))


# --- Parts of the design system -----------------------------------------------------------


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon; with `label` a screen reader reads it, otherwise it is decoration."""
    svg = mark_safe(icon_svg(name))  # noqa: S308  # Drawn in zhixin.shared.icons.
    if not label:
        return svg
    return format_html('{}<span class="visually-hidden">{}</span>', svg, label)


@register.filter
def tone_icon(tone: str) -> str:
    """Return the icon that goes with a tone, so that color never speaks alone."""
    return {"soon": "clock", "late": "alert", "good": "check-circle"}.get(tone, "info")


@register.filter
def is_widget(field: BoundField, kinds: str) -> bool:
    """Return whether the field is shown by one of the widgets in `kinds` ("radioselect,select")."""
    return field.widget_type in kinds.split(",")


@register.filter
def at_key(mapping: Mapping[object, object], key: object) -> object:
    """Return what `mapping` holds for `key`, or None."""
    return mapping.get(key)


@register.filter
def count_to(count: int) -> range:
    """Return 1, 2, … `count`."""
    return range(1, count + 1)


@register.filter
def page_numbers(page: Page[Any]) -> list[int | str]:
    """Return the page numbers to link, with an ellipsis for those left out."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))


@register.simple_block_tag
def card(content: str, **options: object) -> str:
    """Return a card around the block. Options: title, tone, icon, id, level (2), class."""
    return render_to_string("components/card.html", {"content": content, **options})


@register.simple_block_tag
def alert(content: str, **options: object) -> str:
    """Return an alert around the block. Options: tone (info, soon, late, good), title, live."""
    return render_to_string("components/alert.html", {"content": content, **options})


@register.simple_block_tag
def dialog(content: str, **options: object) -> str:
    """Return the link that opens a dialog, and the dialog. Options: id, title, open_label, tone."""
    return render_to_string("components/dialog.html", {"content": content, **options})
