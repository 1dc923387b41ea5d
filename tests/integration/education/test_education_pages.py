from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from education import selectors
from education.models import Lesson
from education.services import load_lessons
from tests.factories.education import make_lesson
from zhixin.shared import clock

pytestmark = pytest.mark.django_db
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9"}


@pytest.fixture(autouse=True)
def _fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "local_today", lambda: dt.date(2026, 11, 23))


def page(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return words(response.content.decode())


def words(html: str) -> str:
    """Return the words of the page, one space between them."""
    plain = re.sub(r'<span class="money.*?">', "", html)
    plain = re.sub(r"</?(?:span|strong)[^>]*>", "", plain)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain))


def test_the_front_page_says_what_it_is_and_works_out_a_loan(client: Client) -> None:
    load_lessons()
    text = page(client, "/")
    assert "See it all before you borrow." in text
    assert "You repay in all ¥13,201.95" in text
    assert "You pay ¥1,201.95 for borrowing ¥12,000.00." in text
    assert "Annualized cost, all charges included 19.56%" in text
    assert "Each month ¥1,100.16 the last one ¥1,100.19" in text
    assert "Over 18 months: −¥334.49 a month, +¥580.11 in all." in text
    assert text.index("You repay in all") < text.index("19.56%") < text.index("¥1,100.16")
    for title in ("What a loan really costs", "0.6% a month is not 7.2% a year"):
        assert title in text
    assert "Trouble paying?" in text
    assert "Sign up" in text


def test_a_signed_in_person_sees_where_to_go_on(client: Client) -> None:
    assert "Apply for a loan" not in page(client, "/")
    client.force_login(
        get_user_model().objects.create_user(phone="+8613800138002"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert "Where you can go on My loans Apply for a loan" in page(client, "/")


def test_the_calculator_has_an_address_that_can_be_shared(client: Client) -> None:
    text = page(client, "/calculator/?amount=20000&months=24&method=EQUAL_PRINCIPAL")
    assert "You repay in all ¥23,750.00" in text
    assert "¥1,133.33 → ¥845.91" in text
    assert "Over 36 months: −¥277.77 in the first month, +¥1,799.96 in all." in text
    assert "Simple, without compounding: 18.00%" in text


def test_the_longest_term_is_compared_with_a_shorter_one(client: Client) -> None:
    text = page(client, "/calculator/?amount=12000&months=36&method=EQUAL_INSTALLMENT")
    assert "Over 24 months: +¥165.26 a month, −¥1,239.66 in all." in text
    assert "A shorter term raises the installment and lowers the cost." in text


def test_the_schedule_adds_up_to_what_is_shown(client: Client) -> None:
    text = page(client, "/calculator/?amount=12000&months=3&method=EQUAL_INSTALLMENT")
    assert "You repay in all ¥12,361.79" in text
    assert "In all ¥12,000.00 ¥361.79 ¥12,361.79" in text


@pytest.mark.parametrize(
    ("query", "error", "kept"),
    [
        ("amount=abc&months=12", "Enter an amount such as 12000.", 'value="abc"'),
        ("amount=&months=12", "Enter an amount such as 12000.", 'value="12"'),
        ("amount=999.99&months=12", "Enter an amount from ¥1,000 to ¥200,000.", 'value="999.99"'),
        ("amount=200000.01&months=9", "Enter an amount from ¥1,000 to ¥200,000.", 'value="9"'),
        ("amount=12000.005&months=12", "Enter an amount such as 12000.", 'value="12000.005"'),
        ("amount=12000&months=2", "Choose from 3 to 36 months.", 'value="2"'),
        ("amount=12000&months=37", "Choose from 3 to 36 months.", 'value="37"'),
        ("amount=12000&months=1.5", "Choose from 3 to 36 months.", 'value="1.5"'),
        ("amount=12000&months=12&method=FLAT", "Choose how you repay.", 'value="12000"'),
    ],
)
def test_what_cannot_be_worked_out_is_said_by_its_field(
    client: Client, query: str, error: str, kept: str
) -> None:
    html = client.get(f"/calculator/?{query}").content.decode()
    assert words(html).count(error) == 1
    assert kept in html
    assert "You repay in all" not in html


@pytest.mark.parametrize("amount", ["1000", "200000", "12,000", "¥12000", "12000.50"])
def test_amounts_at_the_bounds_and_as_people_write_them(client: Client, amount: str) -> None:
    assert "You repay in all" in page(client, f"/calculator/?amount={amount}&months=12")


def test_a_live_calculator_gets_only_its_result(client: Client) -> None:
    response = client.get(
        "/calculator/?amount=12000&months=12&method=EQUAL_INSTALLMENT",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/"},
    )
    html = response.content.decode()
    assert "<html" not in html
    assert 'id="calculator-fields"' not in html
    assert "You repay ¥13,201.95 in all; ¥1,201.95 of it is the cost." in html
    assert "HX-Replace-Url" not in response


def test_a_live_calculator_marks_the_field_and_keeps_the_address(client: Client) -> None:
    live = {"HX-Request": "true", "HX-Current-URL": "http://testserver/calculator/"}
    wrong = client.get("/calculator/?amount=5&months=12&method=EQUAL_PRINCIPAL", headers=live)
    html = wrong.content.decode()
    assert 'id="calculator-fields" hx-swap-oob="true"' in html
    assert "Enter an amount from ¥1,000 to ¥200,000." in html
    assert wrong["HX-Replace-Url"] == "/calculator/?amount=5&months=12&method=EQUAL_PRINCIPAL"
    mended = client.get(
        "/calculator/?amount=5000&months=12&method=EQUAL_PRINCIPAL&marked=1", headers=live
    )
    html = mended.content.decode()
    assert 'id="calculator-fields" hx-swap-oob="true"' in html
    assert "Enter an amount" not in html
    assert "marked" not in mended["HX-Replace-Url"]


def test_the_flat_rate_converter(client: Client) -> None:
    text = page(client, "/learn/widgets/flat-rate/?percent=0.6&months=12")
    assert "True annualized cost 13.84%" in text
    assert "with compounding; simple: 13.03%. It looks like 7.20%." in text
    assert "On ¥12,000.00 over 12 months you repay ¥12,864.00: ¥864.00 of it is the fee." in text


@pytest.mark.parametrize("query", ["percent=0&months=12", "percent=6&months=12", "percent=x"])
def test_the_flat_rate_converter_says_what_is_wrong(client: Client, query: str) -> None:
    html = client.get(
        f"/learn/widgets/flat-rate/?{query}", headers={"HX-Request": "true"}
    ).content.decode()
    assert html.count("Enter a percentage from 0.01 to 5, such as 0.6.") == 1
    assert "True annualized cost" not in html


@pytest.mark.parametrize(
    ("slug", "english", "chinese", "marker"),
    [
        ("true-cost", "What a loan really costs", "贷款到底要花多少钱", 'id="calculator"'),
        (
            "flat-rate-trap",
            "0.6% a month is not 7.2% a year",
            "“月息0.6%”不等于年化7.2%",
            'id="flat-rate-result"',
        ),
        ("talk-early", "Trouble paying? Talk early", "还款有困难？早点说", "<table"),
        ("borrow-for-what", "Borrow for what?", "借钱做什么", "<table"),
    ],
)
def test_lessons_in_both_languages(
    client: Client, slug: str, english: str, chinese: str, marker: str
) -> None:
    load_lessons()
    for language, title, tag in (({}, english, "en"), (CHINESE, chinese, "zh-Hans")):
        html = client.get(f"/learn/{slug}/", headers=language).content.decode()
        assert f'<h1 lang="{tag}">{title}</h1>' in html
        assert marker in html
        assert "[[widget]]" not in html
        assert 'style="' not in html
        assert html.count('type="radio"') == (11 if slug == "true-cost" else 9)


def test_raw_html_in_a_lesson_stays_text(client: Client) -> None:
    lesson = make_lesson()
    lesson.texts.update(body="Hello <script>alert(1)</script> [x](javascript:alert(1))\n")
    html = client.get("/learn/buffer/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert 'href="javascript' not in html


def test_a_lesson_leads_to_the_next_published_one(client: Client) -> None:
    load_lessons()
    Lesson.objects.filter(slug="flat-rate-trap").update(published=False)
    answers = {f"question-{number}": "0" for number in (1, 2, 3)}
    text = words(client.post("/learn/true-cost/quiz/", answers).content.decode())
    assert "Next: Trouble paying? Talk early" in text
    last = words(client.post("/learn/borrow-for-what/quiz/", answers).content.decode())
    assert "Next:" not in last


def test_a_draft_is_missing_for_everybody_but_editors(client: Client) -> None:
    make_lesson(published=False)
    assert client.get("/learn/buffer/").status_code == 404
    assert client.get("/learn/nothing/").status_code == 404
    assert "A small buffer" not in page(client, "/learn/")
    editor = get_user_model().objects.create_superuser(email="editor@example.com")
    client.force_login(editor, backend="django.contrib.auth.backends.ModelBackend")
    assert "Not published: only editors see this page." in page(client, "/learn/buffer/")


def test_a_lesson_without_translation_is_shown_as_it_is(client: Client) -> None:
    lesson = make_lesson()
    lesson.texts.filter(language="zh-hans").delete()
    html = client.get("/learn/buffer/", headers=CHINESE).content.decode()
    assert '<h1 lang="en">A small buffer</h1>' in html


@pytest.mark.parametrize(
    ("path", "queries"),
    [("/", 4), ("/calculator/", 2), ("/learn/", 2), ("/learn/true-cost/", 7)],
)
def test_query_counts(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int
) -> None:
    load_lessons()
    for number in range(5):
        make_lesson(slug=f"more-{number}", position=600 + number)
    with django_assert_num_queries(queries):
        assert client.get(path).status_code == 200


def test_the_calculator_shows_the_personal_credit_loan() -> None:
    product = selectors.calculator_product(on=dt.date(2026, 11, 23))
    assert product.offer.annual_rate == Decimal("0.18")
    assert (str(product.amount_min), str(product.amount_max)) == ("1000.00", "200000.00")
