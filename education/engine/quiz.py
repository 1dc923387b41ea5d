"""Grading of a lesson's questions.

Source of the pass mark: two of three (project rule, docs/architecture.md). Attempts are free and
unlimited, and no result is ever an input to a credit decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Passed when correct / asked >= 2 / 3, compared in whole numbers.
PASS_CORRECT = 2
PASS_ASKED = 3


class InvalidAnswerError(ValueError):
    """An answer is missing, or points at an option that the question does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """One question as grading sees it: how many options, and which one is right (from 0)."""

    option_count: int
    correct_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The outcome of one attempt, question by question."""

    marks: tuple[bool, ...]

    @property
    def correct_count(self) -> int:
        """Return how many answers were right."""
        return sum(self.marks)

    @property
    def question_count(self) -> int:
        """Return how many questions were asked."""
        return len(self.marks)

    @property
    def passed(self) -> bool:
        """Return whether at least two thirds of the answers were right."""
        return self.correct_count * PASS_ASKED >= self.question_count * PASS_CORRECT


def grade(*, keys: Sequence[AnswerKey], chosen: Sequence[int]) -> Grade:
    """Return the grade of the `chosen` option indexes against `keys`, in the same order.

    Raises InvalidAnswerError when there is nothing to grade, an answer is missing or one too many,
    or an index lies outside its question's options.
    """
    if not keys or len(keys) != len(chosen):
        raise InvalidAnswerError(f"{len(keys)} questions cannot take {len(chosen)} answers.")
    for key, index in zip(keys, chosen, strict=True):
        if not 0 <= index < key.option_count:
            raise InvalidAnswerError(f"There is no option {index} of {key.option_count}.")
    return Grade(
        marks=tuple(index == key.correct_index for key, index in zip(keys, chosen, strict=True))
    )
