"""Columns for money and for personal data."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _

from zhixin.shared.money import InvalidAmountError, Money


class MoneyField(models.BigIntegerField):  # type: ignore[type-arg]  # Not generic at run time.
    """A settled amount: `Money` in Python, BIGINT minor units in the column `<name>_cents`.

    Refuses to save int, Decimal or float: rounding has to have happened, by name.
    """

    description = "Money in whole minor units"

    # What the type checker's Django plugin takes for assignment and for reading.
    _pyi_private_set_type: Money | Combinable  # type: ignore[assignment]  # Not the numbers of BIGINT.
    _pyi_private_get_type: Money  # type: ignore[assignment]  # The same.

    @property
    def validators(self) -> list[Any]:
        """Return only the validators given: the bounds of BIGINT are numbers, not Money."""
        return [*self.default_validators, *self._validators]  # type: ignore[attr-defined]  # Django's own list.

    def get_attname_column(self) -> tuple[str, str | None]:
        """Return the attribute's name and, unless one is given, `<name>_cents` for the column."""
        attribute, column = super().get_attname_column()
        return attribute, column if self.db_column else f"{attribute}_cents"

    def from_db_value(
        self, value: int | None, expression: object, connection: BaseDatabaseWrapper
    ) -> Money | None:
        """Return the stored cents as Money (SUM of BIGINT arrives as a whole Decimal)."""
        return None if value is None else Money(int(value))

    def to_python(self, value: Any) -> Money | None:  # noqa: ANN401 - Django passes anything.
        """Return Money from Money or from the text of forms and fixtures."""
        if value is None or isinstance(value, Money):
            return value
        try:
            return Money.parse(str(value))
        except InvalidAmountError as error:
            raise ValidationError(_("Enter an amount such as 1234.50.")) from error

    def get_prep_value(self, value: Any) -> Any:  # noqa: ANN401 - lookups pass anything.
        """Return the cents of Money; leave expressions and lookups' plain values alone."""
        return value.cents if isinstance(value, Money) else value

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the cents to store; refuse everything that is not settled money."""
        if value is not None and not isinstance(value, Money) and not hasattr(value, "as_sql"):
            raise TypeError(f"{self.name} stores Money, not {type(value).__name__}.")
        return super().get_db_prep_save(value, connection)

    def value_to_string(self, obj: models.Model) -> str:
        """Return the amount with two decimals for serializers."""
        value = self.value_from_object(obj)
        return "" if value is None else str(value)

    def formfield(self, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's signature.
        """Return a decimal form field with two places."""
        from django import forms  # noqa: PLC0415 - forms load lazily, as Django's fields do.

        return models.Field.formfield(
            self, **{"form_class": forms.DecimalField, "decimal_places": 2, **kwargs}
        )


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in keys])


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # Not generic at run time.
    """Personal data: plain text in Python, a Fernet token in the column.

    `settings.PERSONAL_DATA_KEYS` holds the keys, newest first. Cannot be searched; keep a keyed
    digest beside it where a look-up is needed.
    """

    description = "Encrypted text"

    def from_db_value(
        self, value: str | None, expression: object, connection: BaseDatabaseWrapper
    ) -> str | None:
        """Return the decrypted text."""
        if not value:
            return value
        return _fernet(tuple(settings.PERSONAL_DATA_KEYS)).decrypt(value.encode()).decode()

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:  # noqa: ANN401 - Django's signature.
        """Return the token to store."""
        if isinstance(value, str) and value:
            value = _fernet(tuple(settings.PERSONAL_DATA_KEYS)).encrypt(value.encode()).decode()
        return super().get_db_prep_save(value, connection)
