"""Issue the settlement certificate of a loan that is paid off."""

from __future__ import annotations

import datetime
import secrets
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from loans.models import Loan, SettlementCertificate
from loans.selectors.documents.certificate import CLOSED, certificate_facts, closing_of
from loans.selectors.servicing import loan_state
from risk.engine.documents import fingerprint
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError

# Without the letters and digits that people mistake for others: 60 bits in twelve of them.
_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH: Final = 12
_NUMBER_BYTES: Final = 4


class UnableToIssueCertificateError(DomainError):
    """Something is still owed, or the loan is not paid out yet."""


def issue_settlement_certificate(
    *, loan_id: int, business_date: datetime.date, actor: Actor, at: datetime.datetime
) -> SettlementCertificate:
    """Issue the certificate of the loan's present closing; asked again, return the same one.

    Raises UnableToIssueCertificateError while anything is owed.
    """
    with transaction.atomic():
        loan = Loan.objects.for_update().get(pk=loan_id)
        closing = closing_of(loan)
        if closing is None:
            raise UnableToIssueCertificateError(
                _("This loan is not paid off yet. The certificate can be had as soon as it is.")
            )
        issued = SettlementCertificate.objects.filter(closing=closing).first()
        if issued is not None:
            return issued
        state = loan_state(loan, as_of=max(business_date, loan.projected_as_of or business_date))
        if state.status not in CLOSED or state.outstanding.total:
            raise UnableToIssueCertificateError(
                _("This loan is not paid off yet. The certificate can be had as soon as it is.")
            )
        number = _new_number(business_date)
        facts = certificate_facts(loan, state, number=number)
        return SettlementCertificate.objects.create(
            loan=loan,
            closing=closing,
            number=number,
            code="".join(secrets.choice(_ALPHABET) for _index in range(_CODE_LENGTH)),
            facts=facts,
            sha256=fingerprint(facts),
            business_date=business_date,
            actor_user_id=actor.user_id,
            actor_label=actor.label,
            issued_at=at,
        )


def _new_number(business_date: datetime.date) -> str:
    """Return a number that tells its day and nothing about other certificates."""
    return f"JQ{business_date:%Y%m%d}-{secrets.token_hex(_NUMBER_BYTES).upper()}"
