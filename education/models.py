"""Lessons in each language, their questions, and the attempts at them."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from education.engine.quiz import AnswerKey
from zhixin.shared.models import AppendOnly

WIDGET_MARK = "[[widget]]"


class Language(models.TextChoices):
    """The languages that lessons are written in."""

    ENGLISH = "en", "English"
    CHINESE = "zh-hans", "简体中文"


class Widget(models.TextChoices):
    """What a lesson lets the reader play with; it stands where the text says [[widget]]."""

    NONE = "", _("Nothing")
    CALCULATOR = "calculator", _("The loan calculator")
    FLAT_RATE = "flat-rate", _("The flat-rate converter")


class LessonQuerySet(models.QuerySet["Lesson"]):
    """Filters of lessons."""

    def published(self) -> LessonQuerySet:
        """Return the lessons that readers see, in their order."""
        return self.filter(published=True).order_by("position", "slug")

    def after(self, lesson: Lesson) -> LessonQuerySet:
        """Return the published lessons that follow `lesson`, nearest first."""
        return self.published().filter(position__gt=lesson.position)


LessonManager = models.Manager.from_queryset(LessonQuerySet)


class Lesson(models.Model):
    """One lesson; its words stand in `LessonText`, one row a language."""

    slug = models.SlugField(_("address"), unique=True)
    position = models.PositiveSmallIntegerField(_("position"))
    minutes = models.PositiveSmallIntegerField(
        _("reading time in minutes"), validators=[MinValueValidator(1), MaxValueValidator(15)]
    )
    widget = models.CharField(_("to play with"), max_length=20, choices=Widget, blank=True)
    published = models.BooleanField(_("published"), default=True)
    loaded_fingerprint = models.CharField(
        max_length=64, blank=True, editable=False, verbose_name=_("fingerprint of the loaded text")
    )

    objects: ClassVar[LessonManager[Lesson]] = LessonManager()

    class Meta:
        """Orders lessons as readers meet them."""

        ordering = ["position", "slug"]
        verbose_name = _("lesson")
        verbose_name_plural = _("lessons")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(minutes__range=(1, 15)), name="lesson_takes_1_to_15_minutes"
            ),
        ]

    def __str__(self) -> str:
        """Return the slug, which is the same in every language."""
        return self.slug


class LessonText(models.Model):
    """A lesson in one language; the body is Markdown without HTML."""

    lesson = models.ForeignKey(
        Lesson, models.CASCADE, related_name="texts", verbose_name=_("lesson")
    )
    language = models.CharField(_("language"), max_length=10, choices=Language)
    title = models.CharField(_("title"), max_length=120)
    summary = models.CharField(_("summary"), max_length=300)
    body = models.TextField(
        _("text (Markdown)"),
        help_text=_("A line with only [[widget]] says where the thing to play with stands."),
    )
    # What `load_lessons` last wrote here, to tell an editor's change from an older file.
    loaded_fingerprint = models.CharField(
        max_length=64, blank=True, editable=False, verbose_name=_("fingerprint of the loaded text")
    )

    class Meta:
        """Allows one text per lesson and language."""

        ordering = ["lesson", "language"]
        verbose_name = _("text")
        verbose_name_plural = _("texts")
        constraints = [
            models.UniqueConstraint(
                fields=["lesson", "language"], name="lesson_text_once_per_language"
            ),
            models.CheckConstraint(
                condition=models.Q(language__in=Language.values),
                name="lesson_text_language_known",
            ),
        ]

    def __str__(self) -> str:
        """Return the title."""
        return self.title

    @property
    def body_before_widget(self) -> str:
        """Return the text up to the thing to play with (all of it when there is none)."""
        return self.body.partition(WIDGET_MARK)[0]

    @property
    def body_after_widget(self) -> str:
        """Return the text that follows the thing to play with."""
        return self.body.partition(WIDGET_MARK)[2]


class QuizQuestion(models.Model):
    """One question of a lesson in one language, with its options and why the answer is right."""

    lesson = models.ForeignKey(
        Lesson, models.CASCADE, related_name="questions", verbose_name=_("lesson")
    )
    language = models.CharField(_("language"), max_length=10, choices=Language)
    position = models.PositiveSmallIntegerField(_("position"))
    question = models.CharField(_("question"), max_length=300)
    options = models.JSONField(_("options"), help_text=_('A list such as ["Yes", "No"].'))
    correct_index = models.PositiveSmallIntegerField(
        _("right option"), help_text=_("Counted from 0.")
    )
    explanation = models.TextField(_("explanation"))

    class Meta:
        """Keeps the right option among the options."""

        ordering = ["lesson", "language", "position"]
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        constraints = [
            models.UniqueConstraint(
                fields=["lesson", "language", "position"], name="quiz_question_position_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(language__in=Language.values),
                name="quiz_question_language_known",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    correct_index__lt=models.Func(
                        "options",
                        function="jsonb_array_length",
                        output_field=models.IntegerField(),
                    )
                ),
                name="quiz_question_right_option_exists",
            ),
        ]

    def __str__(self) -> str:
        """Return the question."""
        return self.question

    @property
    def answer_key(self) -> AnswerKey:
        """Return the question as grading sees it."""
        return AnswerKey(option_count=len(self.options), correct_index=self.correct_index)

    @property
    def correct_option(self) -> str:
        """Return the words of the right option."""
        return str(self.options[self.correct_index])


class QuizAttempt(AppendOnly):
    """One try at a lesson's questions. Never an input to a credit decision."""

    lesson = models.ForeignKey(
        Lesson, models.PROTECT, related_name="attempts", verbose_name=_("lesson")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    language = models.CharField(_("language"), max_length=10, choices=Language)
    answers = models.JSONField(_("chosen options"))
    question_count = models.PositiveSmallIntegerField(_("questions"))
    correct_count = models.PositiveSmallIntegerField(_("right answers"))
    passed = models.BooleanField(_("passed"))
    at = models.DateTimeField(_("when"))

    class Meta(AppendOnly.Meta):
        """Keeps attempts as they were."""

        verbose_name = _("quiz attempt")
        verbose_name_plural = _("quiz attempts")
        triggers: ClassVar[list[pgtrigger.Trigger]] = AppendOnly.Meta.triggers
        constraints = [
            models.CheckConstraint(
                condition=models.Q(correct_count__lte=models.F("question_count")),
                name="quiz_attempt_right_answers_were_asked",
            ),
        ]
        indexes = [models.Index(fields=["user", "lesson"], name="quiz_attempt_by_user")]

    def __str__(self) -> str:
        """Return the score."""
        return f"{self.correct_count}/{self.question_count}"
