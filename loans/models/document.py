"""Documents that are issued once and can be checked by others."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loans.models.loan import Loan, LoanStatusChange
from zhixin.shared.fields import EncryptedTextField
from zhixin.shared.models import AppendOnly

# A certificate tells of a closing that is one, and of the loan that it belongs to.
_CLOSING_CHECK = """
    IF NOT EXISTS (
        SELECT 1 FROM loans_loanstatuschange c
         WHERE c.id = NEW.closing_id AND c.loan_id = NEW.loan_id
           AND c.to_status IN ('PAID_OFF', 'OVERPAID')
           AND c.from_status NOT IN ('PAID_OFF', 'OVERPAID'))
    THEN
        RAISE EXCEPTION 'certificate % is not of a closing of its loan', NEW.number
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
"""


class SettlementCertificate(AppendOnly):
    """A settlement certificate 结清证明: once for each closing of a loan.

    It is void as soon as the loan has left its closed status again: that follows from the status
    changes after `closing`, so nothing is written on it. The verification code is kept encrypted;
    only who holds the certificate has it.
    """

    loan = models.ForeignKey(
        Loan,
        on_delete=models.PROTECT,
        related_name="settlement_certificates",
        verbose_name=_("loan"),
    )
    closing = models.OneToOneField(
        LoanStatusChange,
        on_delete=models.PROTECT,
        related_name="settlement_certificate",
        verbose_name=_("closing of the loan"),
    )
    number = models.CharField(_("certificate number"), max_length=24, unique=True)
    code = EncryptedTextField(_("verification code"))
    facts = models.JSONField(_("facts"))
    sha256 = models.CharField(max_length=64, verbose_name=_("fingerprint (SHA-256)"))
    business_date = models.DateField(_("business date"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    issued_at = models.DateTimeField(_("issued at"))

    class Meta(AppendOnly.Meta):
        """Belongs to a closing of its own loan."""

        verbose_name = _("settlement certificate")
        verbose_name_plural = _("settlement certificates")
        triggers = [
            *AppendOnly.Meta.triggers,
            pgtrigger.Trigger(
                name="of_a_closing",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=" ".join(_CLOSING_CHECK.split()),
            ),
        ]

    def __str__(self) -> str:
        """Return the number."""
        return self.number
