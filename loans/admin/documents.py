"""A loan's documents in the admin: links to read them, and the certificates that were issued."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.decorators import display

from loans.admin.records import LoanRecord
from loans.engine.lifecycle import LoanStatus
from loans.models import Loan, SettlementCertificate
from loans.selectors.documents.certificate import certificate_of, holds
from zhixin.shared.admin import actor_column


@display(description=gettext_lazy("documents"))
def documents(loan: Loan) -> SafeString:
    """Return links to the documents that there are; opening one is recorded for the borrower."""
    kinds = [("agreement", _("Loan agreement")), ("cost-sheet", _("Cost sheet"))]
    kinds.append(("schedule", pgettext("document", "Repayment schedule")))
    if loan.status != LoanStatus.PENDING:
        kinds.append(("statement", _("Statement of account")))
    if certificate_of(loan) is not None:
        kinds.append(("certificate", _("Settlement certificate")))
    return format_html_join(
        " · ",
        '<a class="text-primary-600 underline" href="{}" target="_blank" rel="noopener">{}</a>',
        (
            (reverse("loans:staff_document", args=[loan.public_id, kind]), label)
            for kind, label in kinds
        ),
    )


@admin.register(SettlementCertificate)
class SettlementCertificateAdmin(LoanRecord):
    """Certificates of loans that were paid off; the code stays with the borrower."""

    list_display = ("number", "loan", "business_date", "shown_actor", "issued_at")
    list_select_related = ("loan__agreement",)
    search_fields = ("number", "loan__agreement__number")
    ordering = ("-id",)
    fields = ("number", "loan", "stands", "sha256", "business_date", "shown_actor", "issued_at")
    readonly_fields = ("stands", "shown_actor")
    shown_actor = actor_column("actor_label", gettext_lazy("recorded by"))

    @display(description=gettext_lazy("valid"), boolean=True)
    def stands(self, certificate: SettlementCertificate) -> bool:
        """Return whether the loan has stayed paid off since."""
        return holds(certificate)
