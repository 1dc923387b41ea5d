from __future__ import annotations

import pytest

from education.engine.quiz import AnswerKey, InvalidAnswerError, grade

KEYS = [AnswerKey(option_count=3, correct_index=index) for index in (0, 1, 2)]


@pytest.mark.parametrize(
    ("chosen", "marks", "correct_count", "passed"),
    [
        ([0, 1, 2], (True, True, True), 3, True),
        ([0, 1, 0], (True, True, False), 2, True),
        ([0, 0, 0], (True, False, False), 1, False),
        ([2, 2, 0], (False, False, False), 0, False),
    ],
)
def test_two_of_three_pass(
    chosen: list[int], marks: tuple[bool, ...], correct_count: int, passed: bool
) -> None:
    result = grade(keys=KEYS, chosen=chosen)
    assert (result.marks, result.correct_count, result.question_count, result.passed) == (
        marks,
        correct_count,
        3,
        passed,
    )


@pytest.mark.parametrize(
    ("asked", "right", "passed"),
    [(1, 0, False), (1, 1, True), (2, 1, False), (4, 2, False), (4, 3, True), (5, 3, False)],
)
def test_two_thirds_pass_for_any_number_of_questions(asked: int, right: int, passed: bool) -> None:
    keys = [AnswerKey(option_count=2, correct_index=0)] * asked
    chosen = [0] * right + [1] * (asked - right)
    assert grade(keys=keys, chosen=chosen).passed is passed


@pytest.mark.parametrize("chosen", [[], [0, 1], [0, 1, 2, 0], [0, 1, 3], [0, 1, -1]])
def test_answers_that_fit_no_question_are_refused(chosen: list[int]) -> None:
    with pytest.raises(InvalidAnswerError):
        grade(keys=KEYS, chosen=chosen)


def test_nothing_to_grade_is_refused() -> None:
    with pytest.raises(InvalidAnswerError):
        grade(keys=[], chosen=[])
