"""Make people and change how they are reached."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.models import User


def register_person(
    *,
    phone: str | None = None,
    email: str | None = None,
    password: str | None = None,
    language: str = "zh-hans",
    is_staff: bool = False,
) -> User:
    """Make a person whose phone number (E.164) and e-mail address count as verified.

    For staff, demo data and tests; people who sign up by themselves are verified by a code.
    """
    with transaction.atomic():
        user = User.objects.create_user(
            phone=phone,
            email=email,
            password=password,
            language=language,
            is_staff=is_staff,
            phone_verified=phone is not None,
        )
        if user.email:
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user


def set_phone(*, user: User, phone: str, verified: bool) -> None:
    """Give the person this phone number (E.164)."""
    user.phone = phone
    user.phone_verified = verified
    user.save(update_fields=["phone", "phone_verified"])


def save_language(*, user: User, language: str, time_zone: str) -> None:
    """Save the language of the person's messages and the time zone of their quiet hours."""
    user.language = language
    user.time_zone = time_zone
    user.save(update_fields=["language", "time_zone"])
