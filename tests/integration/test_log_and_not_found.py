"""What a developer sees of refusals: our page, and one line in the log."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import translation

from tests.factories.accounts import make_person
from zhixin.log_lines import OneLineForRefusals
from zhixin.settings import local
from zhixin.shared.permissions import public
from zhixin.shared.signing import generate_key_pair

pytestmark = pytest.mark.django_db


def as_in_development() -> override_settings:
    return override_settings(DEBUG=True, MIDDLEWARE=local.MIDDLEWARE)


@pytest.mark.parametrize(
    "address",
    ["/nowhere/", "/learn/no-such-lesson/", "/loans/00000000-0000-4000-8000-000000000000/"],
)
def test_an_unknown_address_has_our_page_while_developing_too(address: str) -> None:
    client = Client(headers={"accept-language": "zh-CN"})
    client.force_login(make_person(), backend="django.contrib.auth.backends.ModelBackend")
    # The language of a request stays in force after it; the override puts the old one back.
    with as_in_development(), translation.override("zh-hans"):
        page = client.get(address)
    assert page.status_code == 404
    assert "DEBUG = True" not in page.text
    assert "这个地址" in page.text


def test_an_address_without_its_last_slash_is_still_mended() -> None:
    with as_in_development():
        answer = Client().get("/learn")
    assert (answer.status_code, answer.headers["location"]) == (301, "/learn/")


@public("A page of this test: it refuses everybody.")
def refuse(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


@public("A page of this test: it breaks.")
def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken on purpose")


urlpatterns = [path("refuse/", refuse), path("fail/", fail)]


@override_settings(ROOT_URLCONF=__name__)
def test_a_refusal_is_one_line_and_an_error_keeps_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/refuse/").status_code == 403
    assert len(caplog.text.splitlines()) == 1
    assert "Forbidden (Permission denied): /refuse/" in caplog.text
    caplog.clear()
    client.get("/fail/")
    assert "Internal Server Error: /fail/" in caplog.text
    assert "RuntimeError: broken on purpose" in caplog.text


def test_each_line_is_written_once() -> None:
    assert logging.getLogger("django").handlers == []
    assert settings.LOGGING["root"]["handlers"] == ["console"]


def test_a_refused_notice_of_the_bank_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    pair = generate_key_pair()
    with override_settings(
        LENDER_PRIVATE_KEY_PEM=pair.private_pem, BANK_PUBLIC_KEY_PEM=pair.public_pem
    ):
        answer = Client().post("/bank/notices", b"app_id=1", content_type="text/plain")
    assert answer.status_code == 400
    lines = caplog.text.splitlines()
    assert len(lines) == 2  # The other one is Django's, of the status 400.
    assert "A notice of the bank was refused: " in lines[0]
    assert "Bad Request: /bank/notices" in lines[1]


def test_records_without_a_status_keep_their_traceback() -> None:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "text", None, (None, None, None))
    assert OneLineForRefusals().filter(record)
    assert record.exc_info == (None, None, None)


@pytest.mark.parametrize("size", [65_537, 3_000_000])
def test_a_notice_too_large_to_be_one_is_refused_unread(
    caplog: pytest.LogCaptureFixture, size: int
) -> None:
    pair = generate_key_pair()
    with override_settings(
        LENDER_PRIVATE_KEY_PEM=pair.private_pem, BANK_PUBLIC_KEY_PEM=pair.public_pem
    ):
        answer = Client().post(
            "/bank/notices", b"a=" + b"b" * (size - 2), "application/x-www-form-urlencoded"
        )
    assert (answer.status_code, answer.content) == (400, b"failure")
    assert answer["Content-Type"] == "text/plain"
    lines = caplog.text.splitlines()
    assert len(lines) == 2  # The other one is Django's, of the status 400.
    assert f"It has {size} bytes; the most is 65536." in lines[0]
    assert "Traceback" not in caplog.text
