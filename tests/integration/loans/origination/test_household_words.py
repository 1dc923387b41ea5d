"""The household on the underwriter's case is counted in words that fit."""

from __future__ import annotations

import pytest
from django.utils import translation

from loans.selectors.referrals import household_text


@pytest.mark.parametrize(
    ("adults", "children", "english", "chinese"),
    [
        (1, 0, "1 adult, 0 children", "1 位成人，0 个孩子"),
        (2, 1, "2 adults, 1 child", "2 位成人，1 个孩子"),
    ],
)
def test_household_counts(adults: int, children: int, english: str, chinese: str) -> None:
    with translation.override("en"):
        assert household_text(adults, children) == english
    with translation.override("zh-hans"):
        assert household_text(adults, children) == chinese
