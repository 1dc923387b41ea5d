"""Reading lessons, and the product that the public calculator shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Prefetch

from education.engine.calculator import LoanOffer
from education.models import Language, Lesson, LessonText, QuizAttempt, QuizQuestion
from loans.engine.terms import DayCount
from loans.selectors.products import CALCULATOR_PRODUCT, calculator_rate, offered_version
from zhixin.shared.money import Money, Rounding

AMOUNT_START = Money.parse("12000")
MONTHS_START = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculatorProduct:
    """What the calculator lets a visitor try: the offer, and the limits of amount and term."""

    offer: LoanOffer
    amount_min: Money
    amount_max: Money
    amount_start: Money
    months_min: int
    months_max: int
    months_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonCard:
    """A lesson as lists show it."""

    slug: str
    title: str
    summary: str
    minutes: int
    language: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonPage:
    """A lesson with its text in the reader's language (or the one there is) and its questions."""

    lesson: Lesson
    text: LessonText
    questions: tuple[QuizQuestion, ...]
    next_card: LessonCard | None


class NothingOfferedError(LookupError):
    """The personal credit loan is not offered on that date."""


def calculator_product(*, on: date) -> CalculatorProduct:
    """Return the personal credit loan with its list rate, as offered on the date `on`.

    Raises NothingOfferedError when it is not offered.
    """
    version = offered_version(CALCULATOR_PRODUCT, on=on)
    if version is None:
        raise NothingOfferedError(CALCULATOR_PRODUCT)
    months = tuple(sorted(version.installment_counts))
    return CalculatorProduct(
        offer=LoanOffer(
            annual_rate=calculator_rate(on=on),
            day_count=DayCount(version.day_count),
            rounding=Rounding(version.rounding),
            usual_months=months,
        ),
        amount_min=version.minimum_amount,
        amount_max=version.maximum_amount,
        amount_start=AMOUNT_START,
        months_min=months[0],
        months_max=months[-1],
        months_start=MONTHS_START,
    )


def lesson_language(language_code: str | None) -> Language:
    """Return the language of lessons for a reader of the pages' language `language_code`."""
    is_chinese = (language_code or "").lower().startswith("zh")
    return Language.CHINESE if is_chinese else Language.ENGLISH


def lesson_cards(*, language: Language, user_id: int | None) -> list[LessonCard]:
    """Return the published lessons in order, in `language` where it exists."""
    passed = passed_lesson_ids(user_id=user_id)
    lessons = Lesson.objects.published().prefetch_related("texts")
    return [
        card
        for lesson in lessons
        if (card := _card(lesson, language, passed=lesson.pk in passed)) is not None
    ]


def lesson_page(*, slug: str, language: Language, with_drafts: bool) -> LessonPage | None:
    """Return a lesson's page, or None when it does not exist or is not published.

    `with_drafts` also finds unpublished lessons, for editors' previews.
    """
    lessons = Lesson.objects.all() if with_drafts else Lesson.objects.published()
    lesson = (
        lessons.prefetch_related(
            "texts", Prefetch("questions", QuizQuestion.objects.order_by("position"))
        )
        .filter(slug=slug)
        .first()
    )
    text = _text_for(lesson, language) if lesson else None
    if lesson is None or text is None:
        return None
    following = Lesson.objects.after(lesson).prefetch_related("texts").first()
    return LessonPage(
        lesson=lesson,
        text=text,
        questions=tuple(q for q in lesson.questions.all() if q.language == text.language),
        next_card=_card(following, language, passed=False) if following else None,
    )


def passed_lesson_ids(*, user_id: int | None) -> frozenset[int]:
    """Return the lessons whose quiz the person has passed at least once; none for visitors."""
    if user_id is None:
        return frozenset()
    attempts = QuizAttempt.objects.filter(user_id=user_id, passed=True)
    return frozenset(attempts.values_list("lesson_id", flat=True).distinct())


def _card(lesson: Lesson, language: Language, *, passed: bool) -> LessonCard | None:
    """Return the card of a lesson with prefetched texts; None when it has no text at all."""
    text = _text_for(lesson, language)
    if text is None:
        return None
    return LessonCard(
        slug=lesson.slug,
        title=text.title,
        summary=text.summary,
        minutes=lesson.minutes,
        language=text.language,
        passed=passed,
    )


def _text_for(lesson: Lesson, language: Language) -> LessonText | None:
    """Return the text in `language`, else the first there is, else None."""
    texts = {text.language: text for text in lesson.texts.all()}
    return texts.get(language) or next(iter(texts.values()), None)
