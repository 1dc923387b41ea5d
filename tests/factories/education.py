"""Lessons made for tests."""

from __future__ import annotations

from typing import Any

from education.models import Language, Lesson, LessonText, QuizQuestion


def make_lesson(*, slug: str = "buffer", **changes: Any) -> Lesson:
    """Return a published lesson in both languages with three questions, the first option right."""
    values = {"position": 500, "minutes": 3, "published": True, **changes}
    lesson = Lesson.objects.create(slug=slug, **values)
    for language, title in ((Language.ENGLISH, "A small buffer"), (Language.CHINESE, "留一点余钱")):
        LessonText.objects.create(
            lesson=lesson,
            language=language,
            title=title,
            summary=f"{title}.",
            body="Start with one week's food.\n",
        )
        for position in (1, 2, 3):
            QuizQuestion.objects.create(
                lesson=lesson,
                language=language,
                position=position,
                question=f"{title} {position}?",
                options=["Yes", "No"],
                correct_index=0,
                explanation="Because.",
            )
    return lesson
