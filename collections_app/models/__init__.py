"""Tables of overdue work and of negotiation."""

from collections_app.models.case import (
    CASE_STATE_LABELS,
    Case,
    CaseChange,
    ContactChannel,
    ContactDirection,
    ContactNote,
    ContactOutcome,
)
from collections_app.models.hardship import (
    OFFER_KIND_LABELS,
    PLAN_STATE_LABELS,
    HardshipOffer,
    HardshipPlan,
    HardshipReason,
    HardshipRequest,
)

__all__ = [
    "CASE_STATE_LABELS",
    "OFFER_KIND_LABELS",
    "PLAN_STATE_LABELS",
    "Case",
    "CaseChange",
    "ContactChannel",
    "ContactDirection",
    "ContactNote",
    "ContactOutcome",
    "HardshipOffer",
    "HardshipPlan",
    "HardshipReason",
    "HardshipRequest",
]
