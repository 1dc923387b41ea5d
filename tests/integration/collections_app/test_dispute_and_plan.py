"""A plan ends the dispute about what it takes over: said before the yes, and told afterwards."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from collections_app.models import HardshipRequest
from collections_app.services.negotiation import accept_offer
from loans.models import Loan
from loans.selectors.servicing import loan_state
from loans.services.disputes import DisputeAlreadyResolvedError, open_dispute, resolve_dispute
from tests.factories.accounts import make_borrower
from tests.factories.collections_app import FIRST_DUE, asked, close_through, instant
from tests.factories.corrections import how, make_servicer
from tests.factories.documents import carry
from tests.factories.funded import funded_loan

pytestmark = pytest.mark.django_db


def asked_in_dispute() -> tuple[Loan, HardshipRequest]:
    """Return a loan whose first installment came into dispute on its day, and a request."""
    loan = funded_loan(borrower=make_borrower())
    carry(loan, through=FIRST_DUE)
    open_dispute(loan_id=loan.pk, number=1, **how(make_servicer(), on=FIRST_DUE))
    return loan, asked(loan, on=FIRST_DUE)


def text_at(loan: Loan, name: str, public_id: UUID) -> str:
    client = Client(headers={"accept-language": "en"})
    client.force_login(loan.borrower, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse(name, args=[public_id])).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_pages_say_it_before_the_yes_and_the_loan_tells_it_afterwards() -> None:
    loan, request = asked_in_dispute()
    offer = request.offers.all()[0]
    ends = (
        "Installment 1 is in dispute. If you accept a plan, the dispute ends, and the ¥1,066.19 "
        "in dispute becomes part of the plan."
    )
    offers = text_at(loan, "collections:offers", request.public_id)
    close = text_at(loan, "collections:offer", offer.public_id)
    for text in (offers, close):
        assert ends in text
        assert "You can wait for our answer first" in text
    assert close.index(ends) < close.index("Yes, I want this plan")
    (dispute_id,) = loan_state(loan, as_of=FIRST_DUE).disputes
    accept_offer(
        offer_id=offer.pk,
        business_date=FIRST_DUE,
        actor=loan.borrower.as_actor(),
        at=instant(FIRST_DUE),
    )
    assert loan_state(loan, as_of=FIRST_DUE).disputes == {}
    said = "The dispute about installment 1 ended with it."
    assert said in text_at(loan, "loans:loan", loan.public_id)
    assert said in text_at(loan, "loans:statement", loan.public_id)
    assert ends not in text_at(loan, "collections:offer", offer.public_id)
    with pytest.raises(DisputeAlreadyResolvedError, match="ended with the new plan"):
        resolve_dispute(
            loan_id=loan.pk,
            dispute_id=UUID(dispute_id),
            **how(make_servicer(), on=FIRST_DUE),
        )


def test_without_a_dispute_nothing_is_said() -> None:
    loan = funded_loan(borrower=make_borrower())
    close_through(FIRST_DUE)
    request = asked(loan, on=FIRST_DUE)
    assert "ends your dispute" not in text_at(loan, "collections:offers", request.public_id)
