"""How pages write amounts, rates and dates, in both languages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import URLPattern
from django.utils import translation

from zhixin.shared.icons import ICONS
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import (
    at_key,
    count_to,
    day_and_month,
    days_left,
    html_lang,
    icon,
    iso_date,
    long_date,
    long_instant,
    money,
    money_change,
    money_markup,
    month_name,
    nav_links,
    percent,
    plain_date,
    tone_icon,
)

# No app's pages are needed here: addresses fall back.
pytestmark = pytest.mark.urls(__name__)
urlpatterns: list[URLPattern] = []

DAY = date(2026, 12, 15)


class SignedIn:
    """As much of a user as the navigation asks about."""

    is_authenticated = True


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("12345.60", "¥12,345.60"),
        ("0.00", "¥0.00"),
        ("-0.01", "\N{MINUS SIGN}¥0.01"),
        ("-1234567.89", "\N{MINUS SIGN}¥1,234,567.89"),
    ],
)
def test_an_amount_has_thousands_separators_and_two_decimals(amount: str, text: str) -> None:
    assert money(Money.parse(amount)) == text


def test_a_missing_amount_is_a_dash() -> None:
    assert (money(None), money_change(None), money_markup(None)) == ("—", "—", "—")


def test_only_money_can_be_shown_as_an_amount() -> None:
    with pytest.raises(TypeError):
        money(Decimal("1.005"))  # type: ignore[arg-type] # The refusal is what is tested.


@pytest.mark.parametrize(
    ("amount", "text"),
    [("120.00", "+¥120.00"), ("-30.50", "\N{MINUS SIGN}¥30.50"), ("0.00", "¥0.00")],
)
def test_a_difference_says_its_direction(amount: str, text: str) -> None:
    assert money_change(Money.parse(amount)) == text


def test_a_big_amount_keeps_its_text_inside_the_spans() -> None:
    assert money_markup(Money.parse("10661.85")) == (
        '<span class="money"><span class="money__sign">¥</span>10,661'
        '<span class="money__cents">.85</span></span>'
    )


def test_a_rate_is_shown_as_percent() -> None:
    assert percent(Decimal("0.126825")) == "12.68%"
    assert percent(Decimal("0.18"), 1) == "18.0%"
    assert percent(None) == "—"


@pytest.mark.parametrize(
    ("language", "long", "plain", "short", "month"),
    [
        ("zh-hans", "2026年12月15日 周二", "2026年12月15日", "12月15日", "2026年12月"),
        ("en", "Tuesday 15 December 2026", "15 Dec 2026", "15 Dec", "December 2026"),
    ],
)
def test_dates_are_written_in_the_language_of_the_reader(
    language: str, long: str, plain: str, short: str, month: str
) -> None:
    with translation.override(language):
        assert long_date(DAY) == long
        assert plain_date(DAY) == plain
        assert day_and_month(DAY) == short
        assert month_name(DAY) == month


def test_an_instant_is_shown_on_the_lenders_calendar_and_clock() -> None:
    late_evening_in_utc = datetime(2026, 12, 14, 18, 3, tzinfo=UTC)

    with translation.override("zh-hans"):
        assert long_instant(late_evening_in_utc) == "2026年12月15日 周二 02:03"
        assert plain_date(late_evening_in_utc) == "2026年12月15日"
    assert iso_date(late_evening_in_utc) == "2026-12-15"


def test_a_missing_date_is_a_dash() -> None:
    assert (long_date(None), long_instant(None), days_left(None, DAY), iso_date(None)) == (
        "—",
        "—",
        "—",
        "",
    )


@pytest.mark.parametrize(
    ("due_date", "text"),
    [
        (date(2026, 12, 27), "in 12 days"),
        (date(2026, 12, 17), "in 2 days"),
        (date(2026, 12, 16), "tomorrow"),
        (date(2026, 12, 15), "today"),
        (date(2026, 12, 14), "1 day late"),
        (date(2026, 12, 12), "3 days late"),
    ],
)
def test_days_left_are_said_in_words(due_date: date, text: str) -> None:
    with translation.override("en"):
        assert days_left(due_date, DAY) == text


@pytest.mark.parametrize(
    ("language", "tag"), [("zh-hans", "zh-Hans"), ("zh-hant", "zh-Hant"), ("en", "en")]
)
def test_the_page_names_its_language_by_script(language: str, tag: str) -> None:
    with translation.override(language):
        assert html_lang() == tag


def test_an_icon_is_decoration_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in icon("clock")
    assert "visually-hidden" not in icon("clock")
    assert icon("close", "<Close>").endswith('<span class="visually-hidden">&lt;Close&gt;</span>')


def test_an_icon_that_is_not_drawn_is_an_error() -> None:
    with pytest.raises(KeyError):
        icon("unicorn")


@pytest.mark.parametrize("tone", ["info", "soon", "late", "good", ""])
def test_every_tone_has_an_icon_that_is_drawn(tone: str) -> None:
    assert tone_icon(tone) in ICONS


def test_small_tools_of_templates() -> None:
    assert list(count_to(3)) == [1, 2, 3]
    assert at_key({"a": 1}, "a") == 1
    assert at_key({"a": 1}, "b") is None


def test_a_visitor_is_offered_the_public_pages_only() -> None:
    with translation.override("en"):
        links = nav_links(Context({}))

    assert [link.label for link in links] == ["Home", "Learn"]
    assert [link.url for link in links] == ["/", "/learn/"]
    assert not any(link.is_current for link in links)


def test_a_reader_who_is_signed_in_finds_her_loans_and_sees_where_she_is() -> None:
    request = RequestFactory().get("/loans/1234/")
    context = Context({"user": SignedIn(), "request": request})

    with translation.override("en"):
        links = nav_links(context)

    assert [(link.label, link.short_label, link.is_current) for link in links] == [
        ("Home", "Home", False),
        ("My loans", "Loans", True),
        ("Learn", "Learn", False),
        ("Profile", "Me", False),
    ]


def test_a_card_stands_around_its_block() -> None:
    page = Template('{% card title=title tone="soon" %}<p>{{ text }}</p>{% endcard %}')

    html = page.render(Context({"title": "A & B", "text": "<inside>"}))

    assert 'class="card card--soon"' in html
    assert "A &amp; B</h2>" in html
    assert "<p>&lt;inside&gt;</p>" in html
