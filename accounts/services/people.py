"""Make people and change how they are reached."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import Role


class StaffAlreadyExistsError(DomainError):
    """Somebody has this phone number or e-mail address already."""


class UnableToCreateStaffError(DomainError):
    """The role has no group yet: `manage.py sync_roles` makes the groups."""


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


def create_staff(
    *, role: Role, password: str, phone: str | None = None, email: str | None = None
) -> User:
    """Make a member of staff who holds `role`; the phone number is E.164.

    Nobody becomes staff by the account they borrow with, so a number or an address that is known
    already raises StaffAlreadyExistsError; a role without a group UnableToCreateStaffError.
    """
    with transaction.atomic():
        taken = User.objects.none()
        if phone:
            taken |= User.objects.filter(phone=phone)
        if email:
            taken |= User.objects.filter(email=email.lower())
        if taken.exists():
            raise StaffAlreadyExistsError(_("This phone number or e-mail address is taken."))
        group = Group.objects.filter(name=role.value).first()
        if group is None:
            raise UnableToCreateStaffError(
                _("There is no group for this role yet. Run sync_roles first.")
            )
        user = register_person(phone=phone, email=email, password=password, is_staff=True)
        user.groups.add(group)
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
