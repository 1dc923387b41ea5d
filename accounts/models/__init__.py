"""Tables of people: identity, proofs, consent, messages, holds."""

from accounts.models.consent import CONSENT_LABELS, Consent, PersonalDataAccess
from accounts.models.contact_hold import HOLD_LABELS, ContactHold
from accounts.models.income_proof import FILE_ENDINGS, FileKind, IncomeProof, IncomeProofKind
from accounts.models.message import Message, MessageChannel, MessagePurpose, MessageState
from accounts.models.profile import EMPLOYMENT_LABELS, BorrowerProfile
from accounts.models.user import User

__all__ = [
    "CONSENT_LABELS",
    "EMPLOYMENT_LABELS",
    "FILE_ENDINGS",
    "HOLD_LABELS",
    "BorrowerProfile",
    "Consent",
    "ContactHold",
    "FileKind",
    "IncomeProof",
    "IncomeProofKind",
    "Message",
    "MessageChannel",
    "MessagePurpose",
    "MessageState",
    "PersonalDataAccess",
    "User",
]
