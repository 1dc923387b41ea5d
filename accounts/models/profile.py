"""What a borrower tells about themselves."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.engine.bank_card import BANKS
from accounts.engine.finances import Employment
from accounts.engine.masking import mask_id_number
from zhixin.shared.fields import EncryptedTextField, MoneyField

EMPLOYMENT_LABELS = {
    Employment.EMPLOYED: _("Employed"),
    Employment.SELF_EMPLOYED: _("Self-employed or own business"),
    Employment.GIG: _("Gig work (delivery, ride hailing, odd jobs)"),
    Employment.STUDENT: _("Student"),
    Employment.RETIRED: _("Retired"),
    Employment.UNEMPLOYED: _("Looking for work"),
}
_AMOUNTS = (
    "monthly_income",
    "other_income",
    "housing_cost",
    "living_costs",
    "debt_payments",
    "debt_total",
)


class BorrowerProfile(models.Model):
    """Identity, work, money and bank account of one person; filled in step by step.

    The ID number is stored encrypted. Its keyed digest beside it keeps two accounts from using the
    same number. Sex, which the number also tells, is neither stored nor used.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="profile",
        verbose_name=_("person"),
    )
    full_name = models.CharField(_("name"), max_length=60, blank=True)
    id_number = EncryptedTextField(_("resident ID number"), blank=True)
    id_number_digest = models.CharField(
        max_length=64,
        unique=True,
        null=True,
        editable=False,
        verbose_name=_("digest of the ID number"),
    )
    birth_date = models.DateField(_("birth date"), null=True, blank=True)

    employment = models.CharField(
        _("work"), max_length=20, blank=True, choices=list(EMPLOYMENT_LABELS.items())
    )
    employer = models.CharField(_("employer or trade"), max_length=120, blank=True)
    employed_since = models.DateField(_("working there since"), null=True, blank=True)

    monthly_income = MoneyField(_("wages a month"), null=True, blank=True)
    other_income = MoneyField(_("other income a month"), null=True, blank=True)
    housing_cost = MoneyField(_("housing a month"), null=True, blank=True)
    living_costs = MoneyField(_("living costs a month"), null=True, blank=True)
    debt_payments = MoneyField(_("payments on other debts a month"), null=True, blank=True)
    debt_total = MoneyField(_("other debts in all"), null=True, blank=True)
    adults = models.PositiveSmallIntegerField(_("adults in the household"), null=True, blank=True)
    children = models.PositiveSmallIntegerField(
        _("children in the household"), null=True, blank=True
    )

    bank_card_number = EncryptedTextField(_("bank card number"), blank=True)
    bank_card_last_four = models.CharField(
        _("last four digits of the card"), max_length=4, blank=True
    )
    bank_code = models.CharField(_("bank"), max_length=10, blank=True, choices=list(BANKS.items()))
    updated_at = models.DateTimeField(_("changed at"))

    class Meta:
        """Amounts are not negative, and the parts of an identity stand together."""

        verbose_name = _("borrower profile")
        verbose_name_plural = _("borrower profiles")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *(
                models.CheckConstraint(
                    condition=models.Q(**{f"{name}__isnull": True})
                    | models.Q(**{f"{name}__gte": 0}),
                    name=f"profile_{name}_not_negative",
                )
                for name in _AMOUNTS
            ),
            models.CheckConstraint(
                condition=models.Q(
                    id_number="", id_number_digest__isnull=True, birth_date__isnull=True
                )
                | (
                    ~models.Q(id_number="")
                    & models.Q(id_number_digest__isnull=False, birth_date__isnull=False)
                ),
                name="profile_identity_complete",
            ),
            models.CheckConstraint(
                condition=models.Q(bank_card_number="", bank_card_last_four="", bank_code="")
                | ~(
                    models.Q(bank_card_number="")
                    | models.Q(bank_card_last_four="")
                    | models.Q(bank_code="")
                ),
                name="profile_bank_account_complete",
            ),
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.full_name or str(self.user)

    @property
    def masked_id_number(self) -> str:
        """Return the ID number with birth date and sex hidden."""
        return mask_id_number(self.id_number)

    @property
    def masked_bank_card(self) -> str:
        """Return the bank and the last four digits."""
        if not self.bank_card_last_four:
            return ""
        return f"{BANKS[self.bank_code]} ···· {self.bank_card_last_four}"
