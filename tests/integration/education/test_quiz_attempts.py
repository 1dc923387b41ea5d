from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client

from education.models import QuizAttempt, QuizQuestion
from education.services import UnableToGradeQuizError, take_quiz
from tests.factories.education import make_lesson
from zhixin.shared.actor import Actor

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 11, 23, 4, 0, tzinfo=dt.UTC)
VISITOR = Actor(user_id=None, label="reader")


def test_an_attempt_is_recorded_as_it_was_answered() -> None:
    lesson = make_lesson()
    user = get_user_model().objects.create_user(phone="+8613800138000")
    result = take_quiz(
        lesson=lesson,
        language="en",
        chosen={1: 0, 2: 1, 3: 0},
        actor=Actor(user_id=user.pk, label="reader"),
        at=AT,
    )
    attempt = QuizAttempt.objects.get()
    assert result.attempt == attempt
    assert result.grade.marks == (True, False, True)
    assert (attempt.lesson, attempt.user, attempt.language, attempt.at) == (lesson, user, "en", AT)
    assert attempt.answers == [
        {"question": 1, "chosen": 0},
        {"question": 2, "chosen": 1},
        {"question": 3, "chosen": 0},
    ]
    assert (attempt.question_count, attempt.correct_count, attempt.passed) == (3, 2, True)


def test_every_try_is_a_row_of_its_own() -> None:
    lesson = make_lesson()
    for first in (1, 1, 0):
        take_quiz(lesson=lesson, language="en", chosen={1: first, 2: 1, 3: 0}, actor=VISITOR, at=AT)
    attempts = QuizAttempt.objects.order_by("pk").values_list("passed", "user_id")
    assert list(attempts) == [(False, None), (False, None), (True, None)]


@pytest.mark.parametrize("chosen", [{}, {1: 0, 2: 0}, {1: 0, 2: 0, 3: 7}])
def test_answers_that_do_not_fit_record_nothing(chosen: dict[int, int]) -> None:
    lesson = make_lesson()
    with pytest.raises(UnableToGradeQuizError):
        take_quiz(lesson=lesson, language="en", chosen=chosen, actor=VISITOR, at=AT)
    assert QuizAttempt.objects.count() == 0


@pytest.mark.parametrize(
    "statement",
    ["UPDATE education_quizattempt SET passed = true", "DELETE FROM education_quizattempt"],
)
def test_the_database_refuses_to_change_an_attempt(statement: str) -> None:
    lesson = make_lesson()
    take_quiz(lesson=lesson, language="en", chosen={1: 1, 2: 1, 3: 1}, actor=VISITOR, at=AT)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(QuizAttempt.objects.values_list("passed", flat=True)) == [False]


def test_the_right_option_must_exist() -> None:
    make_lesson()
    with pytest.raises(IntegrityError), transaction.atomic():
        QuizQuestion.objects.update(correct_index=2)
    assert not QuizQuestion.objects.exclude(correct_index=0).exists()


def test_a_quiz_works_without_a_script(client: Client) -> None:
    make_lesson()
    response = client.post(
        "/learn/buffer/quiz/", {"question-1": "0", "question-2": "1", "question-3": "1"}
    )
    text = response.content.decode()
    assert response.status_code == 200
    assert "<!DOCTYPE html>" in text
    assert "1 of 3 right. Read why, and try again." in text
    assert text.count("Right is: Yes") == 2
    assert text.count("Because.") == 3
    assert list(QuizAttempt.objects.values_list("correct_count", "passed", "user_id")) == [
        (1, False, None)
    ]


def test_a_quiz_answers_a_fragment_with_a_fragment(client: Client) -> None:
    make_lesson()
    response = client.post(
        "/learn/buffer/quiz/",
        {"question-1": "0", "question-2": "0", "question-3": "0"},
        headers={"HX-Request": "true"},
    )
    text = response.content.decode()
    assert "<html" not in text
    assert "3 of 3 right. You have it." in text


def test_an_unanswered_question_is_asked_again_and_the_others_kept(client: Client) -> None:
    make_lesson()
    response = client.post("/learn/buffer/quiz/", {"question-1": "1", "question-2": "9"})
    text = response.content.decode()
    assert response.status_code == 422
    assert text.count("Choose an answer.") == 2
    assert text.count(" checked") == 1
    assert QuizAttempt.objects.count() == 0


def test_a_signed_in_reader_sees_what_was_passed(client: Client) -> None:
    make_lesson()
    client.force_login(
        get_user_model().objects.create_user(phone="+8613800138001"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert "passed" not in client.get("/learn/").content.decode()
    client.post("/learn/buffer/quiz/", {f"question-{n}": "0" for n in (1, 2, 3)})
    assert "passed" in client.get("/learn/").content.decode()


def test_coming_by_a_link_leads_to_the_questions(client: Client) -> None:
    make_lesson()
    response = client.get("/learn/buffer/quiz/")
    assert (response.status_code, response["Location"]) == (302, "/learn/buffer/#quiz")
