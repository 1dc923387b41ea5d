"""May money be lent for this? Coded purposes and words in free text (conduct LM-05, LM-06)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from risk.engine.policy import Policy, PurposeOutcome, WordScreen
from risk.engine.reasons import ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeVerdict:
    """What a purpose leads to; for REFER and REFUSE with a reason and maybe a lesson's slug."""

    outcome: PurposeOutcome
    reason: ReasonCode | None = None
    lesson_slug: str | None = None
    word: str | None = None


def check_purpose(code: str, text: str, policy: Policy) -> PurposeVerdict:
    """Return what the coded purpose and the applicant's own words lead to.

    A prohibited code refuses. Otherwise a screened word refers, then the code decides; a code that
    the policy does not know refers. The forms call this too, so a refusal comes at once.
    """
    rule = policy.purposes.get(code)
    if rule is not None and rule.outcome is PurposeOutcome.REFUSE:
        return PurposeVerdict(
            outcome=PurposeOutcome.REFUSE, reason=rule.reason, lesson_slug=rule.lesson
        )
    hit = _screened(text, policy.screens)
    if hit is not None:
        return hit
    if rule is None:
        return PurposeVerdict(outcome=PurposeOutcome.REFER, reason=ReasonCode.PURPOSE_UNKNOWN)
    return PurposeVerdict(outcome=rule.outcome, reason=rule.reason, lesson_slug=rule.lesson)


def _screened(text: str, screens: tuple[WordScreen, ...]) -> PurposeVerdict | None:
    """Return the first screened word that `text` contains, as a referral."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    spaced = " ".join(re.findall(r"\w+", folded))
    joined = spaced.replace(" ", "").replace("_", "")
    for screen in screens:
        for word in screen.words:
            if _contains(word, spaced=spaced, joined=joined):
                return PurposeVerdict(
                    outcome=PurposeOutcome.REFER,
                    reason=screen.reason,
                    lesson_slug=screen.lesson,
                    word=word,
                )
    return None


def _contains(word: str, *, spaced: str, joined: str) -> bool:
    """Chinese stands without spaces, so anything between its characters is ignored."""
    if word.isascii():
        return re.search(rf"\b{re.escape(word)}\b", spaced) is not None
    return word in joined
