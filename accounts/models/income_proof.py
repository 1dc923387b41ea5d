"""Documents that show an income."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from zhixin.shared.fields import MoneyField


class IncomeProofKind(models.TextChoices):
    """What the document is."""

    PAYSLIP = "PAYSLIP", _("Payslip")
    BANK_STATEMENT = "BANK_STATEMENT", _("Bank statement")
    TAX_RECORD = "TAX_RECORD", _("Tax record")


class FileKind(models.TextChoices):
    """What the file is, judged by its content."""

    PDF = "application/pdf", "PDF"
    JPEG = "image/jpeg", "JPEG"
    PNG = "image/png", "PNG"


FILE_ENDINGS = {FileKind.PDF: "pdf", FileKind.JPEG: "jpg", FileKind.PNG: "png"}


def private_path(instance: IncomeProof, filename: str) -> str:
    """Return a random name under MEDIA_ROOT; the uploader's file name is not kept."""
    ending = FILE_ENDINGS[FileKind(instance.file_kind)]
    return f"income_proofs/{uuid.uuid4().hex}.{ending}"


class IncomeProof(models.Model):
    """One uploaded document; staff verify the income it shows, or say why they cannot."""

    public_id = models.UUIDField(
        unique=True, default=uuid.uuid4, editable=False, verbose_name=_("public id")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="income_proofs",
        verbose_name=_("person"),
    )
    kind = models.CharField(_("kind"), max_length=20, choices=IncomeProofKind.choices)
    document = models.FileField(_("document"), upload_to=private_path, max_length=120)
    file_kind = models.CharField(_("file type"), max_length=40, choices=FileKind.choices)
    stated_monthly_amount = MoneyField(_("income a month that it shows, as stated"))
    uploaded_at = models.DateTimeField(_("uploaded at"))

    verified_income = MoneyField(_("verified income a month"), null=True, blank=True)
    rejected_reason = models.CharField(_("why it proves nothing"), max_length=200, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("checked by"),
    )
    decided_at = models.DateTimeField(_("checked at"), null=True, blank=True)

    class Meta:
        """A checked proof says who and when, and what came of it."""

        verbose_name = _("income proof")
        verbose_name_plural = _("income proofs")
        ordering: ClassVar[list[str]] = ["-uploaded_at", "-pk"]
        permissions = [
            ("verify_incomeproof", "Can verify the income that a proof shows"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(stated_monthly_amount__gte=0),
                name="income_proof_stated_amount_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(verified_income__isnull=True) | models.Q(verified_income__gte=0),
                name="income_proof_verified_income_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    decided_at__isnull=True,
                    decided_by__isnull=True,
                    verified_income__isnull=True,
                    rejected_reason="",
                )
                | models.Q(
                    decided_at__isnull=False,
                    decided_by__isnull=False,
                    verified_income__isnull=False,
                    rejected_reason="",
                )
                | (
                    models.Q(
                        decided_at__isnull=False,
                        decided_by__isnull=False,
                        verified_income__isnull=True,
                    )
                    & ~models.Q(rejected_reason="")
                ),
                name="income_proof_decision_complete",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True)
                | ~models.Q(decided_by=models.F("user")),
                name="income_proof_not_decided_by_owner",
            ),
        ]

    def __str__(self) -> str:
        """Return kind and person."""
        return f"{self.get_kind_display()} · {self.user}"
