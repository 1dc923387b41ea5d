"""How late a loan is, in the words of the books: its ageing label and its asset class."""

from __future__ import annotations

from typing import Final

from loans.engine.state import Classification

_DAYS_A_BUCKET: Final = 30
_LAST_BUCKET: Final = 6


def age_bucket(days_past_due: int) -> str:
    """Return the ageing label (conduct CL-06): M0 on time, Mk for 30(k−1)+1 to 30k, M6+ above.

    >>> [age_bucket(days) for days in (0, 1, 30, 31, 150, 151)]
    ['M0', 'M1', 'M1', 'M2', 'M5', 'M6+']
    """
    months = -(-days_past_due // _DAYS_A_BUCKET)
    return f"M{months}" if months < _LAST_BUCKET else "M6+"


def classify(
    days_past_due: int, *, under_observation: bool, charged_off: bool = False
) -> Classification:
    """Return the asset class (conduct CL-01); a restructured loan is special mention at least.

    What is charged off and still owed is a loss, however late it is. See docs/formulas/aging.md.

    >>> [classify(days, under_observation=False).value for days in (0, 90, 91, 271, 361)]
    ['NORMAL', 'SPECIAL_MENTION', 'SUBSTANDARD', 'DOUBTFUL', 'LOSS']
    """
    if charged_off:
        return Classification.LOSS
    for least, classification in _CLASSES:
        if days_past_due >= least:
            return classification
    return Classification.SPECIAL_MENTION if under_observation else Classification.NORMAL


_CLASSES: Final = (
    (361, Classification.LOSS),
    (271, Classification.DOUBTFUL),
    (91, Classification.SUBSTANDARD),
    (1, Classification.SPECIAL_MENTION),
)
