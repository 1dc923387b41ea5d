from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from education.models import Lesson, LessonText, QuizQuestion
from education.services import CONTENT_DIR, UnableToLoadLessonsError, load_lessons

pytestmark = pytest.mark.django_db
SLUGS = ["true-cost", "flat-rate-trap", "talk-early", "borrow-for-what"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the content that a test may change."""
    return Path(shutil.copytree(CONTENT_DIR, tmp_path / "content"))


def contents() -> list[object]:
    return [
        *Lesson.objects.values_list("slug", "position", "minutes", "widget", "published"),
        *LessonText.objects.values_list("lesson__slug", "language", "title", "summary", "body"),
        *QuizQuestion.objects.values_list("pk", "question", "options", "correct_index"),
    ]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_loads_four_lessons_in_two_languages_with_three_questions_each() -> None:
    report = load_lessons()
    assert [lesson.slug for lesson in Lesson.objects.published()] == SLUGS
    assert len(report.created) == 12
    assert LessonText.objects.count() == 8
    for text in LessonText.objects.all():
        questions = QuizQuestion.objects.filter(lesson=text.lesson, language=text.language)
        assert [question.position for question in questions] == [1, 2, 3]
        assert all(len(question.options) == 3 for question in questions)


def test_a_question_has_the_same_answer_in_both_languages() -> None:
    load_lessons()
    answers = {
        language: list(
            QuizQuestion.objects.filter(language=language)
            .order_by("lesson__slug", "position")
            .values_list("lesson__slug", "position", "correct_index")
        )
        for language in ("en", "zh-hans")
    }
    assert answers["en"] == answers["zh-hans"]
    assert len(answers["en"]) == 12


def test_loading_again_changes_nothing() -> None:
    load_lessons()
    before = contents()
    report = load_lessons()
    assert contents() == before
    assert (report.created, report.updated, report.kept) == ([], [], [])
    assert len(report.unchanged) == 12


def test_a_new_file_replaces_what_nobody_edited(folder: Path) -> None:
    load_lessons(folder=folder)
    change(folder / "true-cost.en.md", 'title = "What', 'title = "Now what')
    change(
        folder / "lessons.toml",
        'slug = "true-cost"\nminutes = 4',
        'slug = "true-cost"\nminutes = 5',
    )
    report = load_lessons(folder=folder)
    assert report.updated == ["true-cost", "true-cost.en"]
    assert LessonText.objects.get(lesson__slug="true-cost", language="en").title == (
        "Now what a loan really costs"
    )
    assert Lesson.objects.get(slug="true-cost").minutes == 5
    assert QuizQuestion.objects.count() == 24


def test_an_edited_text_is_kept_even_when_its_file_changes(folder: Path) -> None:
    load_lessons(folder=folder)
    LessonText.objects.filter(lesson__slug="true-cost", language="en").update(title="Edited")
    before = contents()
    change(folder / "true-cost.en.md", 'title = "What', 'title = "Now what')
    report = load_lessons(folder=folder)
    assert report.kept == ["true-cost.en"]
    assert contents() == before


def test_an_edited_question_keeps_its_text_too(folder: Path) -> None:
    load_lessons(folder=folder)
    QuizQuestion.objects.filter(lesson__slug="talk-early", language="zh-hans", position=2).update(
        explanation="改过了"
    )
    before = contents()
    change(folder / "talk-early.zh-hans.md", 'title = "', 'title = "新：')
    report = load_lessons(folder=folder)
    assert report.kept == ["talk-early.zh-hans"]
    assert contents() == before


def test_an_edit_of_the_lesson_itself_is_kept(folder: Path) -> None:
    load_lessons(folder=folder)
    Lesson.objects.filter(slug="true-cost").update(minutes=9, published=False)
    change(
        folder / "lessons.toml",
        'slug = "true-cost"\nminutes = 4',
        'slug = "true-cost"\nminutes = 5',
    )
    assert load_lessons(folder=folder).kept == ["true-cost"]
    lesson = Lesson.objects.get(slug="true-cost")
    assert (lesson.minutes, lesson.published) == (9, False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+++\n", ""),
        ("correct = 1", "correct = 4"),
        ("correct = 1", "correct = 0"),
        ("summary = ", "summery = "),
    ],
)
def test_a_malformed_file_loads_nothing(folder: Path, old: str, new: str) -> None:
    change(folder / "borrow-for-what.en.md", old, new)
    with pytest.raises(UnableToLoadLessonsError, match=r"borrow-for-what\.en\.md"):
        load_lessons(folder=folder)
    assert contents() == []


def test_the_command_says_what_it_did() -> None:
    first, second = StringIO(), StringIO()
    call_command("load_lessons", stdout=first)
    LessonText.objects.filter(lesson__slug="true-cost", language="en").update(title="Edited")
    call_command("load_lessons", stdout=second)
    assert first.getvalue() == "Lessons: 12 created, 0 updated, 0 unchanged.\n"
    assert second.getvalue() == (
        "Lessons: 0 created, 0 updated, 11 unchanged.\nKept as edited: true-cost.en\n"
    )
