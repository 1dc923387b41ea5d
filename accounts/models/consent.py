"""What people have agreed to, and who has read their data."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.engine.consent import CONSENT_TEXTS, ConsentPurpose
from zhixin.shared.models import AppendOnly

CONSENT_LABELS = {
    ConsentPurpose.CREDIT_DECISION: _("Use my data to decide on a loan"),
    ConsentPurpose.BANK_ACCOUNT: _("Keep my bank card number"),
    ConsentPurpose.INCOME_PROOF: _("Look at my proof of income"),
    ConsentPurpose.BUREAU_REPORT: _("Ask for my credit report"),
    ConsentPurpose.SERVICE_SMS: _("Text messages about my loan"),
    ConsentPurpose.SERVICE_EMAIL: _("E-mails about my loan"),
    ConsentPurpose.MARKETING: _("News about products"),
}
if CONSENT_LABELS.keys() != CONSENT_TEXTS.keys():
    raise AssertionError("Every consent purpose needs a text and a label.")


class Consent(AppendOnly):
    """One choice of one person: yes or no to a purpose; the latest one holds."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="consents",
        verbose_name=_("person"),
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=list(CONSENT_LABELS.items()))
    granted = models.BooleanField(_("granted"))
    text_version = models.PositiveSmallIntegerField(_("version of the text"))
    language = models.CharField(_("language of the text"), max_length=10)
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("recorded by"),
    )
    actor_label = models.CharField(max_length=254, verbose_name=_("recorded by"))
    at = models.DateTimeField(_("at"))

    class Meta(AppendOnly.Meta):
        """Read by person and purpose, newest first."""

        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering: ClassVar[list[str]] = ["-at", "-pk"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "purpose", "-at"], name="consent_by_user_and_purpose"),
        ]

    def __str__(self) -> str:
        """Return purpose and answer."""
        answer = _("yes") if self.granted else _("no")
        return f"{self.get_purpose_display()}: {answer}"


class PersonalDataAccess(AppendOnly):
    """One look of somebody at somebody else's personal data; shown to that person."""

    subject = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="data_accesses",
        verbose_name=_("whose data"),
    )
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("read by"),
    )
    actor_label = models.CharField(_("read by"), max_length=254)
    fields = ArrayField(models.CharField(max_length=60), verbose_name=_("what was read"))
    purpose = models.CharField(_("why"), max_length=200)
    at = models.DateTimeField(_("at"))

    class Meta(AppendOnly.Meta):
        """Read by person, newest first."""

        verbose_name = _("read of personal data")
        verbose_name_plural = _("reads of personal data")
        ordering: ClassVar[list[str]] = ["-at", "-pk"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject", "-at"], name="data_access_by_subject"),
        ]

    def __str__(self) -> str:
        """Return who and when."""
        return f"{self.actor_label} · {self.at:%Y-%m-%d %H:%M}"
