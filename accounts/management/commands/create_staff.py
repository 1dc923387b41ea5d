"""Make a member of staff from the command line, in development and in production."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts.forms.fields import read_phone
from accounts.services.people import create_staff
from zhixin.shared.errors import DomainError
from zhixin.shared.permissions import Role


class Command(BaseCommand):
    """Makes a member of staff with one role."""

    help = "Make a member of staff who signs in with a phone number or e-mail address."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take who it is, the role, and where the password comes from."""
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--phone", metavar="+86139…", help="the mobile number")
        who.add_argument("--email", metavar="ADDRESS", help="the e-mail address")
        parser.add_argument("--role", required=True, choices=[role.value for role in Role])
        parser.add_argument(
            "--password-from-environment",
            metavar="NAME",
            help="read the password from this variable instead of asking for it",
        )

    def handle(self, *_args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature.
        """Check what was given, make the person, say how to sign in."""
        phone, email = options["phone"], options["email"]
        try:
            if phone:
                phone = read_phone(phone)
            else:
                validate_email(email)
            password = self._password(options["password_from_environment"])
            validate_password(password)
            user = create_staff(
                role=Role(options["role"]), password=password, phone=phone, email=email
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.get_username()} works as {options['role']}. The desk: /admin/")

    def _password(self, variable: str | None) -> str:
        """Return the password of the environment, or the one that is typed twice."""
        if variable:
            password = os.environ.get(variable, "")
            if not password:
                raise CommandError(f"The variable {variable} is empty.")
            return password
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Password (again): "):
            raise CommandError("The two passwords differ. Nothing was made.")
        return password
