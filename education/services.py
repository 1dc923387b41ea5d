"""Recording attempts at a quiz, and loading the lessons that come with the code."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from education.engine.quiz import Grade, InvalidAnswerError, grade
from education.models import Language, Lesson, LessonText, QuizAttempt, QuizQuestion
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError

CONTENT_DIR = Path(__file__).parent / "content"
FRONT_MATTER = "+++"


# --- Quiz ---------------------------------------------------------------------------------


class UnableToGradeQuizError(DomainError):
    """The answers do not fit the questions that the lesson has now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizResult:
    """A graded attempt with the questions it was about, in their order."""

    questions: tuple[QuizQuestion, ...]
    chosen: tuple[int, ...]
    grade: Grade
    attempt: QuizAttempt


@transaction.atomic
def take_quiz(
    *, lesson: Lesson, language: str, chosen: Mapping[int, int], actor: Actor, at: datetime
) -> QuizResult:
    """Grade the answers (question position → option index, from 0), record and return them.

    May be called as often as one likes: every attempt is a row of its own. Raises
    UnableToGradeQuizError, recording nothing, when an answer is missing or fits no option.
    """
    questions = tuple(QuizQuestion.objects.filter(lesson=lesson, language=language))
    answers = tuple(chosen.get(question.position, -1) for question in questions)
    try:
        outcome = grade(keys=[question.answer_key for question in questions], chosen=answers)
    except InvalidAnswerError as error:
        raise UnableToGradeQuizError(
            str(_("The questions have changed. Please answer them again."))
        ) from error
    attempt = QuizAttempt.objects.create(
        lesson=lesson,
        user_id=actor.user_id,
        language=language,
        answers=[
            {"question": question.position, "chosen": index}
            for question, index in zip(questions, answers, strict=True)
        ],
        question_count=outcome.question_count,
        correct_count=outcome.correct_count,
        passed=outcome.passed,
        at=at,
    )
    return QuizResult(questions=questions, chosen=answers, grade=outcome, attempt=attempt)


# --- Content ------------------------------------------------------------------------------


class UnableToLoadLessonsError(DomainError):
    """A lesson's file is missing or not written as it has to be."""


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """One question as its file states it; `correct_index` counts from 0."""

    question: str
    options: tuple[str, ...]
    correct_index: int
    explanation: str


@dataclass(frozen=True, slots=True)
class TextFile:
    """One lesson in one language as its file states it."""

    title: str
    summary: str
    body: str
    questions: tuple[QuestionFile, ...]

    @property
    def fingerprint(self) -> str:
        """Return the digest of everything that readers see."""
        return _digest(
            [self.title, self.summary, self.body]
            + [
                [q.question, list(q.options), q.correct_index, q.explanation]
                for q in self.questions
            ]
        )


@dataclass(frozen=True, slots=True)
class LessonFile:
    """One lesson of `lessons.toml`; positions come in tens, so that others fit between."""

    slug: str
    position: int
    minutes: int
    widget: str

    @property
    def fingerprint(self) -> str:
        """Return the digest of what is kept about the lesson itself."""
        return _digest([self.position, self.minutes, self.widget])


@dataclass(slots=True)
class LoadReport:
    """What a load did, as "slug" or "slug.language"."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]
    kept: list[str]


@transaction.atomic
def load_lessons(*, folder: Path = CONTENT_DIR) -> LoadReport:
    """Bring the lessons of `folder` into the database and return what was done.

    Running it again changes nothing. What an editor changed since the last load is kept: a row is
    only overwritten when it still says what the last load wrote. Raises UnableToLoadLessonsError
    for a malformed or missing file; nothing is loaded then.
    """
    report = LoadReport(created=[], updated=[], unchanged=[], kept=[])
    for file in read_lesson_list(folder):
        lesson = _load_lesson(file, report)
        for language in Language.values:
            text = read_text_file(folder / f"{file.slug}.{language}.md")
            _load_text(lesson, language, text, report)
    return report


def read_lesson_list(folder: Path) -> list[LessonFile]:
    """Return the lessons that `folder`/lessons.toml lists."""
    try:
        entries = tomllib.loads((folder / "lessons.toml").read_text(encoding="utf-8"))["lesson"]
        return [
            LessonFile(
                slug=entry["slug"],
                position=number * 10,
                minutes=entry["minutes"],
                widget=entry["widget"],
            )
            for number, entry in enumerate(entries, start=1)
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UnableToLoadLessonsError(f"lessons.toml: {error!r}") from error


def read_text_file(path: Path) -> TextFile:
    """Return the lesson text of a Markdown file with TOML between two lines of +++."""
    try:
        _, front, body = path.read_text(encoding="utf-8").split(f"{FRONT_MATTER}\n", 2)
        data = tomllib.loads(front)
        return TextFile(
            title=data["title"],
            summary=data["summary"],
            body=body.strip() + "\n",
            questions=tuple(_read_question(entry) for entry in data["quiz"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnableToLoadLessonsError(f"{path.name}: {error!r}") from error


def _read_question(entry: Mapping[str, Any]) -> QuestionFile:
    """Return one [[quiz]] table; files count options from 1, as people do."""
    options = tuple(entry["options"])
    correct = entry["correct"]
    if not 1 <= correct <= len(options):
        raise ValueError(f"Option {correct} of {len(options)} cannot be right.")
    return QuestionFile(
        question=entry["question"],
        options=options,
        correct_index=correct - 1,
        explanation=entry["explanation"],
    )


def _load_lesson(file: LessonFile, report: LoadReport) -> Lesson:
    """Create or update the lesson's row unless an editor changed it."""
    lesson = Lesson.objects.select_for_update().filter(slug=file.slug).first()
    if lesson is None:
        report.created.append(file.slug)
        return Lesson.objects.create(
            slug=file.slug,
            position=file.position,
            minutes=file.minutes,
            widget=file.widget,
            loaded_fingerprint=file.fingerprint,
        )
    stored = _digest([lesson.position, lesson.minutes, lesson.widget])
    if _needs_write(file.slug, stored, lesson.loaded_fingerprint, file.fingerprint, report):
        lesson.position = file.position
        lesson.minutes = file.minutes
        lesson.widget = file.widget
        lesson.loaded_fingerprint = file.fingerprint
        lesson.save()
    return lesson


def _load_text(lesson: Lesson, language: str, file: TextFile, report: LoadReport) -> None:
    """Create or update one language of a lesson, questions included, unless it was edited."""
    name = f"{lesson.slug}.{language}"
    text = LessonText.objects.filter(lesson=lesson, language=language).first()
    if text is None:
        report.created.append(name)
        text = LessonText(lesson=lesson, language=language)
    elif not _needs_write(
        name, _stored_fingerprint(text), text.loaded_fingerprint, file.fingerprint, report
    ):
        return
    text.title = file.title
    text.summary = file.summary
    text.body = file.body
    text.loaded_fingerprint = file.fingerprint
    text.save()
    QuizQuestion.objects.filter(lesson=lesson, language=language).delete()
    QuizQuestion.objects.bulk_create(
        QuizQuestion(
            lesson=lesson,
            language=language,
            position=position,
            question=question.question,
            options=list(question.options),
            correct_index=question.correct_index,
            explanation=question.explanation,
        )
        for position, question in enumerate(file.questions, start=1)
    )


def _needs_write(name: str, stored: str, loaded: str, wanted: str, report: LoadReport) -> bool:
    """Return whether a row may and must be overwritten, and note it in the report."""
    if stored == wanted:
        report.unchanged.append(name)
        return False
    if stored != loaded:
        report.kept.append(name)
        return False
    report.updated.append(name)
    return True


def _stored_fingerprint(text: LessonText) -> str:
    """Return the fingerprint of what the database says now, comparable with the files'."""
    questions = QuizQuestion.objects.filter(lesson=text.lesson, language=text.language)
    return TextFile(
        title=text.title,
        summary=text.summary,
        body=text.body.replace("\r\n", "\n").strip() + "\n",
        questions=tuple(
            QuestionFile(q.question, tuple(q.options), q.correct_index, q.explanation)
            for q in questions
        ),
    ).fingerprint


def _digest(values: Sequence[object]) -> str:
    """Return a digest of plain values."""
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()
