"""Take in proofs of income, and record what staff saw in them."""

from __future__ import annotations

from datetime import datetime
from typing import IO

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.engine.consent import ConsentPurpose
from accounts.models import FileKind, IncomeProof, IncomeProofKind, User
from accounts.services.consents import record_consent
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money

_SIGNATURES = {
    b"%PDF-": FileKind.PDF,
    b"\xff\xd8\xff": FileKind.JPEG,
    b"\x89PNG\r\n\x1a\n": FileKind.PNG,
}


class UnableToUploadIncomeProofError(DomainError):
    """The file is too large, empty, or not of a kind that staff can read."""


class UnableToDecideIncomeProofError(DomainError):
    """The proof is one's own, or has been decided already."""


def upload_income_proof(
    *,
    user: User,
    kind: IncomeProofKind,
    stated_monthly_amount: Money,
    document: IO[bytes],
    size: int,
    actor: Actor,
    at: datetime,
) -> IncomeProof:
    """Store a document privately under a random name, with the consent to look at it.

    What the file is, its first bytes say, not its name. Raises UnableToUploadIncomeProofError.
    """
    if size > settings.INCOME_PROOF_MAX_BYTES:
        raise UnableToUploadIncomeProofError(
            _("The file is larger than 5 MB. A photo in normal quality is enough.")
        )
    file_kind = detect_file_kind(document)
    if file_kind is None:
        raise UnableToUploadIncomeProofError(
            _("This file is no PDF, JPEG or PNG. A photo of the paper will do.")
        )
    with transaction.atomic():
        proof = IncomeProof(
            user=user,
            kind=kind,
            file_kind=file_kind,
            stated_monthly_amount=stated_monthly_amount,
            uploaded_at=at,
        )
        proof.document.save("document", File(document), save=False)
        proof.save()
        record_consent(
            user=user, purpose=ConsentPurpose.INCOME_PROOF, granted=True, actor=actor, at=at
        )
        return proof


def detect_file_kind(document: IO[bytes]) -> FileKind | None:
    """Return the kind that the first bytes show, or None; leaves the file at its start."""
    document.seek(0)
    head = document.read(max(map(len, _SIGNATURES)))
    document.seek(0)
    return next(
        (kind for signature, kind in _SIGNATURES.items() if head.startswith(signature)), None
    )


def verify_income(
    *, proof: IncomeProof, verified_income: Money, actor: User, at: datetime
) -> IncomeProof:
    """Record the income a month that staff read from the document."""
    return _decide(
        proof=proof, verified_income=verified_income, rejected_reason="", actor=actor, at=at
    )


def reject_income_proof(
    *, proof: IncomeProof, reason: str, actor: User, at: datetime
) -> IncomeProof:
    """Record why the document proves nothing; the person reads the reason."""
    return _decide(proof=proof, verified_income=None, rejected_reason=reason, actor=actor, at=at)


def _decide(
    *,
    proof: IncomeProof,
    verified_income: Money | None,
    rejected_reason: str,
    actor: User,
    at: datetime,
) -> IncomeProof:
    with transaction.atomic():
        proof = IncomeProof.objects.select_for_update().get(pk=proof.pk)
        if proof.user_id == actor.pk:
            raise UnableToDecideIncomeProofError(_("Nobody checks a proof of their own."))
        if proof.decided_at is not None:
            raise UnableToDecideIncomeProofError(_("This proof has been checked already."))
        proof.verified_income = verified_income
        proof.rejected_reason = rejected_reason
        proof.decided_by = actor
        proof.decided_at = at
        proof.save()
        return proof
