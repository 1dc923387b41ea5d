"""Change the contract: the one writer of plan changes."""

from __future__ import annotations

import datetime
from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _

from loans.engine.events import Event, PlanChanged
from loans.models import Loan, LoanEvent
from loans.models.loan import OPEN_STATUSES
from loans.selectors.repayments import in_flight_repayments
from loans.services.servicing import record_event
from zhixin.shared.actor import Actor
from zhixin.shared.errors import DomainError


class UnableToChangePlanError(DomainError):
    """The plan cannot be changed; the message says why."""


@transaction.atomic
def change_plan(
    *,
    loan_id: int,
    change: PlanChanged,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> LoanEvent:
    """Record the changed plan that the borrower accepted, effective on `business_date`.

    Everything of `change` but its identity is kept. Raises UnableToChangePlanError when nothing is
    owed, or while a payment is on its way whose outcome would change the figures.
    """
    loan = Loan.objects.for_update().select_related("agreement").get(pk=loan_id)
    if loan.status not in OPEN_STATUSES:
        raise UnableToChangePlanError(_("Nothing is owed on this loan."))
    if in_flight_repayments(loan):
        raise UnableToChangePlanError(
            _("A payment is on its way. Wait for its answer, then choose again.")
        )

    def make_event(event_id: str, sequence: int) -> Event:
        return replace(change, event_id=event_id, sequence=sequence, effective_date=business_date)

    return record_event(
        loan=loan,
        make_event=make_event,
        business_date=business_date,
        actor=actor,
        at=at,
        reason=change.reason,
    )
