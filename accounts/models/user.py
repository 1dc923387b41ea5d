"""The person with an account: a phone number or an e-mail address, and no username."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from accounts.engine.masking import mask_email, mask_phone
from zhixin.shared.actor import Actor


class UserManager(BaseUserManager["User"]):
    """Makes users and finds them by phone number or e-mail address."""

    def create_user(
        self,
        *,
        phone: str | None = None,
        email: str | None = None,
        password: str | None = None,
        **fields: object,
    ) -> User:
        """Save a new user; the phone number is E.164 already, the e-mail is lowered here.

        Without a password the account can only be opened by a code.
        """
        user = self.model(phone=phone or None, email=email or None, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self,
        *,
        phone: str | None = None,
        email: str | None = None,
        password: str | None = None,
        **fields: object,
    ) -> User:
        """Save a new user who may do everything in the admin."""
        fields |= {"is_staff": True, "is_superuser": True}
        return self.create_user(phone=phone, email=email, password=password, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user with this phone number (E.164) or e-mail address."""
        text = (username or "").strip()
        if "@" in text:
            return self.get(email=text.lower())
        return self.get(phone=text)


class User(AbstractBaseUser, PermissionsMixin):
    """A borrower or a member of staff."""

    public_id = models.UUIDField(_("public id"), unique=True, default=uuid.uuid4, editable=False)
    phone = models.CharField(
        _("phone number"),
        max_length=16,
        unique=True,
        null=True,
        blank=True,
        help_text=_("International form, such as +8613800138000."),
    )
    phone_verified = models.BooleanField(_("phone number verified"), default=False)
    email = models.EmailField(_("e-mail address"), unique=True, null=True, blank=True)
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default="zh-hans"
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=63,
        default="Asia/Shanghai",
        blank=True,
        help_text=_("IANA name. Without one nobody may be contacted."),
    )
    is_staff = models.BooleanField(_("may open the admin"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined at"), db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    # What the admin's own sign-in asks staff for; `get_by_natural_key` takes a phone number too.
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        """Every user can be reached."""

        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(phone__isnull=False) | models.Q(email__isnull=False),
                name="user_has_phone_or_email",
            ),
            models.CheckConstraint(
                condition=models.Q(phone__isnull=True)
                | models.Q(phone__regex=r"^\+[1-9][0-9]{6,14}$"),
                name="user_phone_is_e164",
            ),
            models.CheckConstraint(
                condition=models.Q(email__isnull=True) | ~models.Q(email=""),
                name="user_email_not_empty",
            ),
            models.CheckConstraint(
                condition=models.Q(email__isnull=True) | models.Q(email=Lower("email")),
                name="user_email_lower_case",
            ),
        ]

    def __str__(self) -> str:
        """Return a name that is safe in lists and logs."""
        return self.masked_contact

    def save(self, *args: object, **kwargs: object) -> None:
        """Save, with "not given" as NULL and the e-mail address in lower case."""
        self.phone = self.phone or None
        self.email = self.email.lower() if self.email else None
        super().save(*args, **kwargs)  # type: ignore[arg-type]  # Django's own signature.

    def clean(self) -> None:
        """Leave the fields as they are; the base would write the sign-in name into the e-mail."""

    def get_username(self) -> str:
        """Return what the person signs in with."""
        return self.email or self.phone or ""

    def get_full_name(self) -> str:
        """Return the name for the admin's pages."""
        return self.display_name

    def natural_key(self) -> tuple[str]:
        """Return what `get_by_natural_key` finds the user by."""
        return (self.get_username(),)

    @property
    def masked_contact(self) -> str:
        """Return the phone number, or else the e-mail address, with its middle hidden."""
        if self.phone:
            return mask_phone(self.phone)
        return mask_email(self.email or "")

    @property
    def display_name(self) -> str:
        """Return the person's name when they have told it, or else the masked contact."""
        try:
            name: str = self.profile.full_name
        except (AttributeError, ObjectDoesNotExist):
            name = ""
        return name or self.masked_contact

    def as_actor(self) -> Actor:
        """Return the user as the author of a change."""
        contact = self.email or self.phone or ""
        return Actor(user_id=self.pk, label=contact if self.is_staff else self.masked_contact)
