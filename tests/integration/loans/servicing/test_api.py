"""The JSON API: repayments once for each key, and nothing of anybody else."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from loans.models import BankTransfer, Loan, MoneyCommand
from loans.models.transfer import TransferPurpose
from tests.factories.accounts import make_borrower
from tests.factories.funded import funded_loan

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client: Client, loan: Loan, amount: str, key: str | None) -> Any:
    return client.post(
        reverse("api:repayments", args=[loan.public_id]),
        {"amount": amount},
        content_type="application/json",
        headers={} if key is None else {"Idempotency-Key": key},
    )


def repayments() -> int:
    return BankTransfer.objects.filter(purpose=TransferPurpose.REPAYMENT).count()


def test_the_same_key_answers_with_the_same_payment() -> None:
    loan = funded_loan()
    client = signed_in(loan.borrower)
    key = str(uuid4())
    first, again = post(client, loan, "100.00", key), post(client, loan, "100.00", key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.json()["amount"] == "100.00"
    assert repayments() == 1
    shown = client.get(reverse("api:payment", args=[first.json()["id"]]))
    assert shown.json() == first.json()


@pytest.mark.parametrize(
    ("amount", "key", "status"),
    [
        ("100.00", None, 400),
        ("100.00", "", 400),
        ("200.00", "used", 422),
        ("a lot", "new", 400),
        ("1.234", "new", 400),
        ("0.00", "new", 409),
        ("-1.00", "new", 409),
        ("99999.00", "new", 409),
    ],
)
def test_refusals_have_their_status_and_leave_nothing_behind(
    amount: str, key: str | None, status: int
) -> None:
    loan = funded_loan()
    client = signed_in(loan.borrower)
    assert post(client, loan, "100.00", "used").status_code == 202
    before = (repayments(), MoneyCommand.objects.count())
    answer = post(client, loan, amount, key)
    assert answer.status_code == status
    # Who calls has neither a form nor a page.
    assert "Reload" not in answer.content.decode()
    assert ("Idempotency-Key" in answer.content.decode()) is (key in (None, "", "used"))
    assert (repayments(), MoneyCommand.objects.count()) == before


def test_somebody_elses_loan_answers_like_a_missing_one() -> None:
    loan = funded_loan()
    stranger = signed_in(make_borrower())
    missing = uuid4()
    for name in ("api:loan", "api:payment"):
        foreign = stranger.get(reverse(name, args=[loan.public_id]))
        absent = stranger.get(reverse(name, args=[missing]))
        assert (foreign.status_code, foreign.content) == (404, absent.content)
    assert post(stranger, loan, "100.00", "key").status_code == 404
    assert stranger.get(reverse("api:loans")).json() == []
    assert repayments() == 0


def test_nobody_is_let_in_without_signing_in() -> None:
    loan = funded_loan()
    assert Client().get(reverse("api:loan", args=[loan.public_id])).status_code == 403
    assert post(Client(), loan, "100.00", "key").status_code == 403
    assert repayments() == 0
