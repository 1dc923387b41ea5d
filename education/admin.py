"""Lessons for content editors: texts and questions in place, with a preview."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, StackedInline

from education.models import Lesson, LessonText, QuizAttempt, QuizQuestion


class LessonTextInline(StackedInline):
    """The lesson in each language."""

    model = LessonText
    extra = 0
    max_num = 2
    can_delete = False
    tab = True


class QuizQuestionInline(StackedInline):
    """The questions in each language."""

    model = QuizQuestion
    extra = 0
    tab = True


@admin.register(Lesson)
class LessonAdmin(ModelAdmin):
    """Lessons in the order of readers."""

    list_display = ("slug", "position", "minutes", "published", "preview")
    list_editable = ("position", "published")
    list_filter = ("published",)
    fields = ("slug", "position", "minutes", "widget", "published", "preview")
    readonly_fields = ("preview",)
    inlines = (LessonTextInline, QuizQuestionInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Lesson | None = None) -> Any:  # noqa: ANN401 - Django's signature.
        """Keep the address of a lesson that exists: pages and messages link to it."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "slug")

    @admin.display(description=_("preview"))
    def preview(self, lesson: Lesson) -> SafeString | str:
        """Return the link to the page as readers see it; drafts open for editors only."""
        if not lesson.slug:
            return "–"
        url = reverse("education:lesson", args=[lesson.slug])
        return format_html('<a href="{}" target="_blank" rel="noopener">{}</a>', url, _("Open"))


@admin.register(QuizAttempt)
class QuizAttemptAdmin(ModelAdmin):
    """What was answered: to be read, never changed."""

    list_display = ("lesson", "language", "correct_count", "question_count", "passed", "at")
    list_filter = ("lesson", "language", "passed")
    list_select_related = ("lesson",)
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Attempts come from readers only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: QuizAttempt | None = None) -> bool:
        """Attempts are facts."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: QuizAttempt | None = None) -> bool:
        """Attempts are facts."""
        return False
