"""Signing up, in, out and back in after forgetting, as a browser does it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.engine.contact_rules import Channel
from accounts.models import Message, User
from tests.factories.accounts import PASSWORD, make_person

pytestmark = pytest.mark.django_db

SIGNUP = reverse("account_signup")
LOGIN = reverse("account_login")
BY_CODE = reverse("account_request_login_code")
CONFIRM_PHONE = reverse("account_verify_phone")
CONFIRM_EMAIL = reverse("account_email_verification_sent")
CONFIRM_LOGIN = reverse("account_confirm_login_code")
PROFILE = reverse("accounts:profile")


def latest_code(address: str) -> str:
    message = Message.objects.filter(address=address).order_by("pk").last()
    assert message is not None
    found = re.search(r"\b[0-9]{6}\b", message.body)
    assert found is not None, message.body
    return found.group()


def wrong(code: str) -> str:
    return "111111" if code != "111111" else "222222"


def test_sign_up_by_phone_number(client: Client) -> None:
    page = client.get(SIGNUP)
    assert b'type="tel"' in page.content
    assert b'type="password"' not in page.content
    assert b'type="email"' not in page.content
    answer = client.post(SIGNUP, {"by": "phone", "phone": "138 0013 8000"})
    assert (answer.status_code, answer["Location"]) == (302, CONFIRM_PHONE)
    user = User.objects.get()
    assert (user.phone, user.phone_verified, user.email) == ("+8613800138000", False, None)
    assert user.has_usable_password() is False
    assert b"138" in client.get(CONFIRM_PHONE).content
    code = latest_code("+8613800138000")
    again = client.post(CONFIRM_PHONE, {"action": "verify", "code": wrong(code)})
    assert b"not the code" in again.content
    done = client.post(CONFIRM_PHONE, {"action": "verify", "code": code})
    assert (done.status_code, done["Location"]) == (302, PROFILE)
    user.refresh_from_db()
    assert user.phone_verified is True
    assert client.get(PROFILE).status_code == 200


def test_sign_up_in_chinese_gets_chinese_messages(client: Client) -> None:
    client.post(SIGNUP, {"phone": "13800138000"}, headers={"Accept-Language": "zh-Hans"})
    assert User.objects.get().language == "zh-hans"
    assert Message.objects.get().language == "zh-hans"


def test_sign_up_by_email(client: Client) -> None:
    page = client.get(SIGNUP, {"by": "email"})
    assert b'type="email"' in page.content
    assert b'type="tel"' not in page.content
    answer = client.post(SIGNUP, {"by": "email", "email": "Li@Example.com"})
    assert (answer.status_code, answer["Location"]) == (302, CONFIRM_EMAIL)
    code = latest_code("li@example.com")
    done = client.post(CONFIRM_EMAIL, {"action": "verify", "code": code})
    assert (done.status_code, done["Location"]) == (302, PROFILE)
    user = User.objects.get()
    assert (user.email, user.phone) == ("li@example.com", None)


def test_a_bad_number_says_what_a_good_one_is(client: Client) -> None:
    page = client.post(SIGNUP, {"phone": "12345"})
    assert page.status_code == 200
    assert b"138 0013 8000" in page.content
    assert b'value="12345"' in page.content
    assert not User.objects.exists()
    assert not Message.objects.exists()


def test_signing_up_with_a_known_number_tells_only_its_owner(client: Client) -> None:
    known = make_person()
    answer = client.post(SIGNUP, {"phone": known.phone})
    assert answer["Location"] == CONFIRM_PHONE
    message = Message.objects.get()
    assert message.kind == "account_already_exists"
    assert User.objects.count() == 1
    guess = client.post(CONFIRM_PHONE, {"action": "verify", "code": "000000"})
    assert guess.status_code == 200
    assert "_auth_user_id" not in client.session


def test_sign_in_by_code_out_and_again(client: Client) -> None:
    user = make_person()
    answer = client.post(BY_CODE, {"by": "phone", "phone": user.phone})
    assert (answer.status_code, answer["Location"]) == (302, CONFIRM_LOGIN)
    done = client.post(CONFIRM_LOGIN, {"action": "verify", "code": latest_code(user.phone or "")})
    assert done["Location"] == reverse("loans:my_loans")
    assert client.session["_auth_user_id"] == str(user.pk)
    # No toast welcomes: stored in one language, it would be read in another after a switch.
    assert b"You are signed in." not in client.get(reverse("loans:my_loans")).content
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


def test_three_wrong_codes_end_the_try(client: Client) -> None:
    user = make_person()
    client.post(BY_CODE, {"phone": user.phone})
    code = latest_code(user.phone or "")
    for _ in range(3):
        client.post(CONFIRM_LOGIN, {"action": "verify", "code": wrong(code)})
    late = client.post(CONFIRM_LOGIN, {"action": "verify", "code": code})
    assert late.status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_number_without_account_is_told_so_by_text(client: Client) -> None:
    answer = client.post(BY_CODE, {"phone": "13800138000"})
    assert answer["Location"] == CONFIRM_LOGIN
    message = Message.objects.get()
    assert (message.kind, message.recipient) == ("unknown_account", None)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL])
def test_sign_in_by_password(client: Client, channel: Channel) -> None:
    user = make_person(channel=channel, password=PASSWORD)
    login = user.email or (user.phone or "").removeprefix("+86")
    refused = client.post(LOGIN, {"login": login, "password": "not this one"})
    assert refused.status_code == 200
    assert b"do not go together" in refused.content
    done = client.post(LOGIN, {"login": login, "password": PASSWORD})
    assert done["Location"] == reverse("loans:my_loans")


def test_sign_in_page_without_password_sends_a_code(client: Client) -> None:
    user = make_person()
    answer = client.post(LOGIN, {"login": (user.phone or "").removeprefix("+86"), "password": ""})
    assert answer["Location"] == CONFIRM_LOGIN
    done = client.post(CONFIRM_LOGIN, {"action": "verify", "code": latest_code(user.phone or "")})
    assert done.status_code == 302
    assert client.session["_auth_user_id"] == str(user.pk)


def test_failed_tries_of_one_number_do_not_lock_another(client: Client) -> None:
    guessed = make_person(password=PASSWORD)
    other = make_person(password=PASSWORD)
    for _ in range(6):
        page = client.post(LOGIN, {"login": guessed.phone, "password": "guess"})
    assert b"several tries" in page.content
    locked = client.post(LOGIN, {"login": guessed.phone, "password": PASSWORD})
    assert locked.status_code == 200
    assert client.post(LOGIN, {"login": other.phone, "password": PASSWORD}).status_code == 302


def test_a_closed_account_cannot_sign_in(client: Client) -> None:
    user = make_person(password=PASSWORD)
    user.is_active = False
    user.save()
    answer = client.post(LOGIN, {"login": user.phone, "password": PASSWORD})
    assert answer["Location"] == reverse("account_inactive")
    assert client.get(answer["Location"]).status_code == 200
    assert "_auth_user_id" not in client.session


def test_forgotten_password_by_email(client: Client) -> None:
    user = make_person(channel=Channel.EMAIL, password="the old one, forgotten")
    client.post(reverse("account_reset_password"), {"email": user.email})
    confirm = reverse("account_confirm_password_reset_code")
    assert client.get(confirm).status_code == 200
    answer = client.post(confirm, {"code": latest_code(user.email or "")})
    complete = reverse("account_complete_password_reset")
    assert answer["Location"] == complete
    assert client.get(complete).status_code == 200
    done = client.post(complete, {"password1": PASSWORD, "password2": PASSWORD})
    assert done.status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSWORD) is True


def test_forgotten_password_by_phone_number(client: Client) -> None:
    user = make_person(password="the old one, forgotten")
    new_password = reverse("accounts:new_password")
    client.post(BY_CODE, {"phone": user.phone, "next": new_password})
    done = client.post(
        CONFIRM_LOGIN,
        {"action": "verify", "code": latest_code(user.phone or ""), "next": new_password},
    )
    assert done["Location"] == new_password
    assert client.get(new_password).status_code == 200
    saved = client.post(new_password, {"password1": PASSWORD, "password2": PASSWORD})
    assert saved["Location"] == PROFILE
    user.refresh_from_db()
    assert user.check_password(PASSWORD) is True
    assert client.get(PROFILE).status_code == 200


def test_a_new_password_needs_the_old_one_or_a_code(client: Client) -> None:
    user = make_person(password=PASSWORD)
    client.post(LOGIN, {"login": user.phone, "password": PASSWORD})
    answer = client.post(
        reverse("accounts:new_password"), {"password1": "other-words-77", "password2": "x"}
    )
    assert answer.status_code == 403
    user.refresh_from_db()
    assert user.check_password(PASSWORD) is True


def test_who_is_signed_in_by_password_is_told_how_to_get_a_code(client: Client) -> None:
    user = make_person(password=PASSWORD)
    client.post(LOGIN, {"login": user.phone, "password": PASSWORD})
    new_password = reverse("accounts:new_password")
    by_code = client.get(reverse("account_request_login_code"), {"next": new_password})
    assert by_code["Location"] == new_password
    page = client.get(new_password)
    assert page.status_code == 200
    assert reverse("account_logout") in page.text
    assert 'name="password1"' not in page.text


def test_another_number_counts_only_after_its_code(client: Client) -> None:
    user = make_person()
    client.force_login(user)
    old = user.phone
    answer = client.post(reverse("account_change_phone"), {"phone": "13900139000"})
    assert answer["Location"] == CONFIRM_PHONE
    user.refresh_from_db()
    assert user.phone == old
    client.post(CONFIRM_PHONE, {"action": "verify", "code": latest_code("+8613900139000")})
    user.refresh_from_db()
    assert (user.phone, user.phone_verified) == ("+8613900139000", True)


def test_adding_an_email_address(client: Client) -> None:
    user = make_person()
    client.force_login(user)
    answer = client.post(reverse("account_email"), {"action_add": "1", "email": "new@example.com"})
    assert answer["Location"] == CONFIRM_EMAIL
    user.refresh_from_db()
    assert user.email is None
    client.post(CONFIRM_EMAIL, {"action": "verify", "code": latest_code("new@example.com")})
    user.refresh_from_db()
    assert user.email == "new@example.com"


@pytest.mark.parametrize(
    "name",
    [
        "account_login",
        "account_signup",
        "account_request_login_code",
        "account_reset_password",
        "account_inactive",
        "account_password_reset_completed",
    ],
)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_pages_for_everybody_render(client: Client, name: str, language: str) -> None:
    page = client.get(reverse(name), headers={"Accept-Language": language})
    assert page.status_code == 200
    assert b'style="' not in page.content
    assert b"onclick" not in page.content


@pytest.mark.parametrize(
    "name",
    [
        "account_change_phone",
        "account_email",
        "account_set_password",
        "account_logout",
        "accounts:profile",
        "accounts:privacy",
        "accounts:contact_settings",
    ],
)
def test_pages_of_ones_own_render_after_signing_in_only(client: Client, name: str) -> None:
    before = client.get(reverse(name))
    assert before.status_code == 302
    client.force_login(make_person())
    page = client.get(reverse(name))
    assert page.status_code == 200
    assert b'style="' not in page.content


def test_changing_and_confirming_with_a_password(client: Client) -> None:
    user = make_person(password=PASSWORD)
    client.force_login(user)
    assert client.get(reverse("account_reauthenticate")).status_code == 200
    change = reverse("account_change_password")
    assert client.get(change).status_code == 200
    client.post(
        change,
        {"oldpassword": PASSWORD, "password1": "vier-neue-worte", "password2": "vier-neue-worte"},
    )
    user.refresh_from_db()
    assert user.check_password("vier-neue-worte") is True


def test_staff_sign_in_where_everybody_does_and_reach_the_admin(client: Client) -> None:
    user = make_person(password=PASSWORD, is_staff=True)
    to_sign_in = client.get("/admin/")
    assert to_sign_in.status_code == 302
    sign_in = client.get(to_sign_in.url).url
    assert sign_in == f"{LOGIN}?next=%2Fadmin%2F"
    answer = client.post(sign_in, {"login": user.phone, "password": PASSWORD})
    assert (answer.status_code, answer.url) == (302, "/admin/")
    assert client.session["_auth_user_id"] == str(user.pk)
