from __future__ import annotations

import datetime as dt
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from education.models import Lesson, LessonText, QuizAttempt
from education.services import load_lessons, take_quiz
from education.templatetags.lessons import lesson_html
from tests.factories.education import make_lesson
from zhixin.shared.actor import Actor
from zhixin.shared.permissions import ROLE_PERMISSIONS, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client) -> Client:
    """Return a client signed in with a content editor's permissions and no others."""
    user = get_user_model().objects.create_user(email="editor@example.com", is_staff=True)
    for name in ROLE_PERMISSIONS[Role.CONTENT_EDITOR]:
        codename = name.partition(".")[2]
        if codename != "*:view":
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label="education", codename=codename)
            )
    user.user_permissions.add(
        *Permission.objects.filter(
            content_type__app_label="education", codename__startswith="view_"
        )
    )
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def form_of(response: object) -> dict[str, str]:
    """Return what the admin's form would send unchanged."""
    context = response.context  # type: ignore[attr-defined]  # The test client sets it.
    formsets = [inline.formset for inline in context["inline_admin_formsets"]]
    forms = [context["adminform"].form, *(formset.management_form for formset in formsets)]
    forms += [form for formset in formsets for form in formset.forms]
    data = {}
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is not None and value is not False:
                data[bound.html_name] = "on" if value is True else str(value)
    return data


def test_an_editor_changes_a_text_and_the_next_load_keeps_it(editor: Client) -> None:
    load_lessons()
    text = LessonText.objects.get(lesson__slug="true-cost", language="en")
    url = f"/admin/education/lesson/{text.lesson_id}/change/"
    data = form_of(editor.get(url))
    names = [name for name, value in data.items() if value == text.title]
    assert len(names) == 1
    response = editor.post(url, data | {names[0]: "What loans cost"})
    assert response.status_code == 302
    assert load_lessons().kept == ["true-cost.en"]
    text.refresh_from_db()
    assert text.title == "What loans cost"


def test_saving_without_a_change_is_no_edit(editor: Client) -> None:
    load_lessons()
    text = LessonText.objects.get(lesson__slug="talk-early", language="zh-hans")
    url = f"/admin/education/lesson/{text.lesson_id}/change/"
    data = {name: value.replace("\n", "\r\n") for name, value in form_of(editor.get(url)).items()}
    assert editor.post(url, data).status_code == 302
    assert load_lessons().kept == []


def test_an_edit_keeps_the_line_ends_and_leaves_the_other_texts_alone(editor: Client) -> None:
    load_lessons()
    text = LessonText.objects.get(lesson__slug="talk-early", language="zh-hans")
    bodies = dict(LessonText.objects.values_list("pk", "body"))
    url = f"/admin/education/lesson/{text.lesson_id}/change/"
    data = {name: value.replace("\n", "\r\n") for name, value in form_of(editor.get(url)).items()}
    [title] = [name for name, value in data.items() if value == text.title]
    assert editor.post(url, data | {title: "早点说"}).status_code == 302
    assert load_lessons().kept == ["talk-early.zh-hans"]
    stripped = {pk: body.strip() for pk, body in bodies.items()}
    found = dict(LessonText.objects.values_list("pk", "body"))
    assert {pk: body.strip() for pk, body in found.items()} == stripped
    # The log names the title of one text and nothing else.
    changes = json.loads(LogEntry.objects.latest("pk").change_message)
    assert [change["changed"]["fields"] for change in changes] == [["Title"]]


def test_the_list_links_each_lesson_to_its_preview(editor: Client) -> None:
    make_lesson(published=False)
    assert 'href="/learn/buffer/"' in editor.get("/admin/education/lesson/").content.decode()
    assert editor.get("/learn/buffer/").status_code == 200


def test_an_editor_cannot_delete_a_lesson_or_touch_an_attempt(editor: Client) -> None:
    lesson = make_lesson()
    take_quiz(
        lesson=lesson,
        language="en",
        chosen={1: 0, 2: 0, 3: 0},
        actor=Actor(user_id=None, label="reader"),
        at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
    )
    attempt = QuizAttempt.objects.get()
    assert editor.post(f"/admin/education/lesson/{lesson.pk}/delete/").status_code == 403
    assert editor.get("/admin/education/quizattempt/add/").status_code == 403
    url = f"/admin/education/quizattempt/{attempt.pk}/"
    assert editor.get(f"{url}change/").status_code == 200
    assert editor.post(f"{url}change/", {"passed": ""}).status_code == 403
    assert editor.post(f"{url}delete/").status_code == 403
    assert list(QuizAttempt.objects.values_list("passed", flat=True)) == [True]


def test_a_wide_table_says_its_columns_in_every_cell() -> None:
    html = lesson_html("| | B | C | D | E |\n|---|--:|---|---|---|\n| 1 | 2 | 3 | 4 | 5 |\n")
    assert '<table class="table--cards">' in html
    assert '<th data-label="" scope="row">1</th>' in html
    assert '<td data-label="B" class="number">2</td>' in html
    narrow = lesson_html("| A | B |\n|---|--:|\n| 1 | 2 |\n")
    assert "data-label" not in narrow
    assert "style" not in html + narrow


REFUSAL = "Publish it once it has a text in every language. Not yet: 简体中文."


def test_a_lesson_without_a_text_in_each_language_stays_a_draft(editor: Client) -> None:
    lesson = make_lesson(published=False)
    lesson.texts.get(language="zh-hans").delete()
    url = f"/admin/education/lesson/{lesson.pk}/change/"
    data = form_of(editor.get(url))
    response = editor.post(url, data | {"published": "on", "minutes": "9"})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors == {"published": [REFUSAL]}
    assert REFUSAL in response.text
    assert Lesson.objects.filter(pk=lesson.pk, published=False, minutes=3).exists()
    assert editor.post(url, data | {"minutes": "9"}).status_code == 302
    assert Lesson.objects.filter(pk=lesson.pk, published=False, minutes=9).exists()


def test_the_missing_text_and_the_word_to_publish_may_come_together(editor: Client) -> None:
    lesson = make_lesson(published=False)
    lesson.texts.get(language="zh-hans").delete()
    url = f"/admin/education/lesson/{lesson.pk}/change/"
    data = form_of(editor.get(url)) | {"published": "on", "texts-TOTAL_FORMS": "2"}
    alone = data | {"texts-TOTAL_FORMS": "1", "texts-__prefix__-language": "zh-hans"}
    assert editor.post(url, alone).context["adminform"].form.errors == {"published": [REFUSAL]}
    text = {"id": "", "lesson": str(lesson.pk), "language": "zh-hans", "title": "留一点余钱"}
    sent = data | {f"texts-1-{name}": value for name, value in text.items()}
    assert editor.post(url, sent).status_code == 200
    assert (lesson.texts.count(), Lesson.objects.get().published) == (1, False)
    whole = sent | {"texts-1-summary": "余钱。", "texts-1-body": "从一周的饭钱开始。"}
    assert editor.post(url, whole).status_code == 302
    assert (lesson.texts.count(), Lesson.objects.get().published) == (2, True)


def test_a_new_lesson_without_texts_is_not_published(editor: Client) -> None:
    url = "/admin/education/lesson/add/"
    data = form_of(editor.get(url)) | {"slug": "new", "position": "9", "minutes": "3"}
    response = editor.post(url, data | {"published": "on"})
    assert list(response.context["adminform"].form.errors) == ["published"]
    assert not Lesson.objects.exists()


def test_the_list_publishes_no_lesson_without_its_texts(editor: Client) -> None:
    lesson = make_lesson(published=False)
    lesson.texts.get(language="zh-hans").delete()
    whole = make_lesson(slug="whole", position=600, published=False)
    url = "/admin/education/lesson/"
    formset = editor.get(url).context["cl"].formset
    forms = [formset.management_form, *formset.forms]
    data = {
        bound.html_name: str(bound.value())
        for form in forms
        for bound in form
        if bound.value() is not False
    }
    data |= {"form-0-published": "on", "form-1-published": "on", "_save": "Save"}
    response = editor.post(url, data)
    assert response.status_code == 200
    assert REFUSAL in response.text
    assert not Lesson.objects.filter(published=True).exists()
    del data["form-0-published"]
    assert editor.post(url, data).status_code == 302
    assert list(Lesson.objects.filter(published=True)) == [whole]
