"""Links for developers stand apart from help; the outbox names what a message is for."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client

from accounts.models import Message
from tests.factories.accounts import NOON, make_person

pytestmark = pytest.mark.django_db


def test_links_for_developers_stand_apart_from_help() -> None:
    footer = render_to_string("components/site_footer.html", {"developer_pages": True})
    everybody, developers = footer.split("data-developer-pages")
    assert "/dev/" not in everybody
    assert "/dev/outbox/" in developers
    assert "/dev/styleguide/" in developers
    assert "/help/" not in developers
    assert "/dev/" not in render_to_string("components/site_footer.html", {})


def test_the_outbox_says_in_words_what_a_message_is_for() -> None:
    person = make_person()
    Message.objects.create(
        recipient=person,
        address=person.phone,
        channel="SMS",
        kind="payment_late",
        purpose="COLLECTION",
        language="en",
        body="Late.",
        created_at=NOON,
    )
    page = Client(headers={"accept-language": "en"}).get("/dev/outbox/").text
    assert "· Overdue ·" in page
    assert "· payment_late ·" not in page
