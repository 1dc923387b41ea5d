"""The settlement certificate 结清证明: its facts, whether it holds, and how others check it."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from accounts.engine.masking import mask_middle
from accounts.selectors.profiles import profile_of
from loans.engine.lifecycle import LoanStatus
from loans.engine.state import LoanState
from loans.models import Loan, LoanStatusChange, SettlementCertificate
from loans.selectors.agreements import LENDER_NAME_EN, LENDER_NAME_ZH
from loans.selectors.documents.form import Document, Fact, Facts, Section, Text
from loans.selectors.documents.letter import language, letter, product_name
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import money, plain_date

FACTS_FORMAT = 1
CLOSED: Final = (LoanStatus.PAID_OFF, LoanStatus.OVERPAID)
# Of the same length as a real code: a number that does not exist is compared like one that does.
_NO_CODE = "-" * 12
_CODE_GROUP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCheck:
    """What a third party learns of a certificate: enough to recognize it, no more."""

    number: str
    holds: bool
    lender: str
    borrower: str
    id_number: str
    contract: str
    principal: Money
    closed_on: datetime.date
    issued_at: datetime.datetime


def closing_of(loan: Loan) -> LoanStatusChange | None:
    """Return the status change that closed the loan and holds still; None while it is open."""
    if loan.status not in CLOSED:
        return None
    return (
        loan.status_changes.filter(to_status__in=CLOSED)
        .exclude(from_status__in=CLOSED)
        .order_by("-pk")
        .first()
    )


def certificate_of(loan: Loan) -> SettlementCertificate | None:
    """Return the certificate of the present closing, or None when none was issued."""
    closing = closing_of(loan)
    if closing is None:
        return None
    return loan.settlement_certificates.filter(closing=closing).first()


def holds(certificate: SettlementCertificate) -> bool:
    """Return whether the loan has stayed closed since the certificate's closing."""
    return (
        not LoanStatusChange.objects.filter(
            loan_id=certificate.loan_id, pk__gt=certificate.closing_id
        )
        .exclude(to_status__in=CLOSED)
        .exists()
    )


def certificate_facts(loan: Loan, state: LoanState, *, number: str) -> dict[str, Any]:
    """Return what a certificate states, as JSON holds it; amounts and dates as text."""
    profile = profile_of(loan.borrower)
    product = loan.agreement.application.product_version.product
    paid, waived = state.totals.paid, state.totals.waived
    return {
        "format": FACTS_FORMAT,
        "number": number,
        "lender": {"name_en": LENDER_NAME_EN, "name_zh": LENDER_NAME_ZH},
        "borrower": {
            "name": profile.full_name if profile else "",
            "id_number": profile.masked_id_number if profile else "",
        },
        "contract": loan.agreement.number,
        "product": {"name_en": product.name_en, "name_zh": product.name_zh},
        "principal": str(loan.principal),
        "disbursed_on": loan.disbursed_on.isoformat() if loan.disbursed_on else "",
        "closed_on": state.closed_on.isoformat() if state.closed_on else "",
        "paid": paid.to_json(),
        "waived": waived.to_json(),
        "outstanding": str(state.outstanding.total),
        "status": state.status.value,
        "as_of": state.as_of.isoformat(),
    }


def certificate_document(certificate: SettlementCertificate, *, verify_url: str) -> Document:
    """Return the certificate as it was issued, in the reader's language."""
    facts: Mapping[str, Any] = certificate.facts
    is_void = not holds(certificate)
    blocks = (
        Text(paragraphs=_sentences(facts, is_void=is_void)),
        Facts(rows=_facts(certificate, facts)),
        Text(paragraphs=(_lender(facts), plain_date(certificate.business_date)), is_signature=True),
    )
    checking = (
        Facts(
            rows=(
                Fact(label=_("Certificate number"), value=certificate.number),
                Fact(label=_("Verification code"), value=grouped_code(certificate.code)),
                Fact(label=_("To be checked at"), value=verify_url),
                Fact(label=_("Fingerprint of the facts (SHA-256)"), value=certificate.sha256),
            )
        ),
        Text(
            paragraphs=(
                _("Show number and code only to whom you want to prove that the loan is paid off."),
            ),
            is_small=True,
        ),
    )
    return letter(
        certificate.loan,
        title=_("Settlement certificate"),
        lead=_("No. %(number)s") % {"number": certificate.number},
        dated=certificate.business_date,
        is_void=is_void,
        sections=(
            Section(title="", blocks=blocks),
            Section(title=_("Checking this certificate"), blocks=checking),
        ),
    )


def _facts(certificate: SettlementCertificate, facts: Mapping[str, Any]) -> tuple[Fact, ...]:
    borrower = facts["borrower"]
    return (
        Fact(label=_("Lender"), value=_lender(facts)),
        Fact(label=_("Borrower"), value=borrower["name"]),
        Fact(label=_("Resident ID number"), value=borrower["id_number"]),
        Fact(label=_("Contract number"), value=facts["contract"]),
        Fact(label=_("Product"), value=product_name(certificate.loan)),
        Fact(label=_("Principal"), value=_amount(facts["principal"])),
        Fact(label=_("Paid out on"), value=_day(facts["disbursed_on"])),
        Fact(label=_("Paid off on"), value=_day(facts["closed_on"])),
        Fact(label=_("Paid in all"), value=_amount(facts["paid"]["total"])),
        Fact(label=_("Balance owed"), value=_amount(facts["outstanding"]), is_total=True),
    )


def _lender(facts: Mapping[str, Any]) -> str:
    name: str = facts["lender"]["name_zh" if language().startswith("zh") else "name_en"]
    return name


def _amount(text: str) -> str:
    return money(Money.parse(text))


def _day(text: str) -> str:
    return plain_date(datetime.date.fromisoformat(text)) if text else ""


def _sentences(facts: Mapping[str, Any], *, is_void: bool) -> tuple[str, ...]:
    if is_void:
        return (
            _("This certificate is void: a payment was taken back and the loan is open again."),
        )
    certified = _(
        "We certify that %(borrower)s (resident ID %(id_number)s) borrowed %(principal)s from us "
        "under contract %(contract)s, paid out on %(disbursed_on)s, and paid this loan off on "
        "%(closed_on)s."
    ) % {
        "borrower": facts["borrower"]["name"],
        "id_number": facts["borrower"]["id_number"],
        "principal": _amount(facts["principal"]),
        "contract": facts["contract"],
        "disbursed_on": _day(facts["disbursed_on"]),
        "closed_on": _day(facts["closed_on"]),
    }
    settled = _(
        "All principal, interest, fees and late charges of this loan have been paid. "
        "No debt remains from this contract."
    )
    if Money.parse(facts["waived"]["total"]):
        settled = _(
            "All principal, interest, fees and late charges of this loan have been paid or "
            "waived. No debt remains from this contract."
        )
    return certified, settled


def grouped_code(code: str) -> str:
    """Return the code in groups of four, as people copy it."""
    groups = range(0, len(code), _CODE_GROUP)
    return "-".join(code[start : start + _CODE_GROUP] for start in groups)


def check_certificate(*, number: str, code: str) -> CertificateCheck | None:
    """Return what third parties may know when number and code belong together, or None.

    A wrong code and a number that does not exist answer alike. Raises nothing on odd input.
    """
    certificate = (
        SettlementCertificate.objects.filter(number=number.strip().upper())
        .select_related("loan")
        .first()
    )
    kept = _NO_CODE if certificate is None else certificate.code
    plain = "".join(char for char in code.upper() if char.isalnum())
    matches = secrets.compare_digest(plain.encode(), kept.encode())
    if certificate is None or not matches:
        return None
    facts: Mapping[str, Any] = certificate.facts
    return CertificateCheck(
        number=certificate.number,
        holds=holds(certificate),
        lender=_lender(facts),
        borrower=mask_middle(facts["borrower"]["name"], keep_start=1, keep_end=0),
        id_number=facts["borrower"]["id_number"],
        contract=mask_middle(facts["contract"], keep_start=2, keep_end=4),
        principal=Money.parse(facts["principal"]),
        closed_on=datetime.date.fromisoformat(facts["closed_on"]),
        issued_at=certificate.issued_at,
    )
