from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from education.models import LessonText, QuizAttempt
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
    context = response.context  # type: ignore[attr-defined]
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
