"""Lessons for content editors: texts and questions in place, with a preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, StackedInline

from education.models import Language, Lesson, LessonText, QuizAttempt, QuizQuestion

_TextsSent: Any = forms.inlineformset_factory(Lesson, LessonText, fields=("language",))


class LessonForm(forms.ModelForm):  # type: ignore[type-arg]  # Not generic at run time.
    """A lesson is published with a text in every language, or not at all."""

    def clean_published(self) -> bool:
        """Refuse to publish while a language has no text."""
        published: bool = self.cleaned_data["published"]
        written = self._languages_sent() if self._sends_texts() else self._languages_kept()
        missing = [language.label for language in Language if language not in written]
        if published and missing:
            raise forms.ValidationError(
                gettext("Publish it once it has a text in every language. Not yet: %(languages)s.")
                % {"languages": ", ".join(str(name) for name in missing)},
                code="text_missing",
            )
        return published

    def _sends_texts(self) -> bool:
        """Return whether the texts stand on the same page; in the list they do not."""
        return "texts-TOTAL_FORMS" in self.data

    def _languages_sent(self) -> set[str]:
        """Return the languages of the texts on the page; each text's own form checks its words."""
        texts = _TextsSent(self.data, instance=self.instance, prefix="texts")
        # A reader who may not change a text sends the place of it only.
        return {form["language"].value() or form.instance.language for form in texts.forms}

    def _languages_kept(self) -> set[str]:
        return set(self.instance.texts.values_list("language", flat=True))


class PlainLinesForm(forms.ModelForm):  # type: ignore[type-arg]  # Not generic at run time.
    """Lines end as in the files, not as browsers send them: what is only saved is not edited."""

    @property
    def changed_data(self) -> list[str]:
        """Return the fields that were changed in more than their line ends."""
        return [name for name in super().changed_data if self._differs(name)]

    def _differs(self, name: str) -> bool:
        sent, kept = self[name].data, self[name].initial
        if not isinstance(sent, str) or not isinstance(kept, str):
            return True
        return sent.replace("\r\n", "\n").strip() != kept.replace("\r\n", "\n").strip()

    def clean(self) -> dict[str, Any]:
        """Return what was sent with every line end as one character."""
        super().clean()
        for name, value in self.cleaned_data.items():
            self.cleaned_data[name] = _with_plain_lines(value)
        return self.cleaned_data


def _with_plain_lines(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\r\n", "\n")
    return [_with_plain_lines(each) for each in value] if isinstance(value, list) else value


class LessonTextInline(StackedInline):
    """The lesson in each language."""

    model = LessonText
    form = PlainLinesForm
    extra = 0
    max_num = 2
    can_delete = False
    tab = True


class QuizQuestionInline(StackedInline):
    """The questions in each language."""

    model = QuizQuestion
    form = PlainLinesForm
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
    form = LessonForm
    inlines = (LessonTextInline, QuizQuestionInline)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature.
        """Hold the list to the same rule."""
        return super().get_changelist_form(request, form=LessonForm, **kwargs)

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
    # Editors learn from what was answered, not from who answered.
    exclude = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Attempts come from readers only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: QuizAttempt | None = None) -> bool:
        """Attempts are facts."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: QuizAttempt | None = None) -> bool:
        """Attempts are facts."""
        return False
