"""What holds for everybody: two languages, and pages that need no script."""

from __future__ import annotations

import pytest

from tests.browser.conftest import MakePerson


@pytest.mark.parametrize(
    ("language", "shown"), [("zh-CN", "zh-Hans"), ("en-GB", "en"), ("fr-FR", "en")]
)
def test_the_browser_decides_the_language_until_somebody_switches_it(
    person: MakePerson, language: str, shown: str
) -> None:
    reader = person("reader", language=language)
    reader.open("/")
    html = reader.page.locator("html")
    assert html.get_attribute("lang") == shown
    other, code = ("en", "en") if shown == "zh-Hans" else ("zh-Hans", "zh-hans")
    reader.follow(f'.language-switch [name=language][value="{code}"]')
    assert html.get_attribute("lang") == other
    reader.open("/calculator/")
    assert html.get_attribute("lang") == other
