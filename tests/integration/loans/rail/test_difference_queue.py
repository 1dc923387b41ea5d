"""Staff settle differences with the bank: by its own word, or with a reason; once."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError
from django.test import Client

from accounts.models import BorrowerProfile, User
from loans.adapters.bills import compare_with_bank
from loans.engine.lifecycle import TransferState
from loans.models import BankDifference, BankTransfer, DifferenceStep, Loan, LoanEvent
from loans.models.reconciliation import DifferenceKind, DifferenceStepKind
from loans.services.bank_differences import (
    DifferenceAlreadySettledError,
    Finding,
    UnableToSettleDifferenceError,
    claim_difference,
    explain_difference,
    note_finding,
)
from loans.services.transfers import BankWord, Outcome, settle_transfer
from loans.tasks import send_transfer
from tests.factories.funded import settle
from tests.integration.loans.rail.conftest import Rail, settled
from tests.integration.loans.servicing.test_money import pay
from tests.integration.sandbox.sandbox_world import eventually
from zhixin.shared import clock
from zhixin.shared.actor import SYSTEM
from zhixin.shared.signing import BANK_TIME_ZONE

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "/admin/loans/bankbill/differences/"
DAYS = "/admin/loans/bankbill/days/"


def make_staff(name: str, *codenames: str) -> User:
    user = User.objects.create_user(email=f"{name}@example.test", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def clerk() -> User:
    return make_staff("clerk", "view_bankdifference", "resolve_difference")


@pytest.fixture
def desk(clerk: User) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def act(desk: Client, found: BankDifference, do: str, **more: str) -> Any:
    return desk.post(f"{QUEUE}{found.pk}/", {"do": do, **more}, follow=True)


def kinds_of(found: BankDifference) -> list[str]:
    return list(found.steps.order_by("pk").values_list("kind", flat=True))


def compare(rail: Rail) -> None:
    day = clock.now().date() + datetime.timedelta(days=1)
    rail.bank.control("bills", {"ready_through": day.isoformat()})
    today = clock.now().astimezone(BANK_TIME_ZONE).date()
    compare_with_bank(rail.client(), today, actor=SYSTEM, at=clock.now())


@pytest.fixture
def lost(rail: Rail, loan: Loan) -> BankDifference:
    """A payment that the bank has and whose notice was lost."""
    rail.bank.fault("drop_notice")
    rail.pay(rail.order(loan, "500.00"))
    compare(rail)
    return BankDifference.objects.get()


def repayments(loan: Loan) -> int:
    return LoanEvent.objects.filter(loan=loan, kind="REPAYMENT").count()


def test_a_lost_payment_is_booked_by_the_banks_own_word(
    rail: Rail, loan: Loan, lost: BankDifference, desk: Client
) -> None:
    assert lost.kind == DifferenceKind.STATE_DIFFERS
    page = desk.get(QUEUE).content.decode()
    assert "Done at the bank, not with us" in page
    act(desk, lost, "claim")
    done = act(desk, lost, "book")
    assert "Booked by the bank" in done.content.decode()
    assert kinds_of(lost) == [DifferenceStepKind.CLAIMED, DifferenceStepKind.BOOKED]
    assert repayments(loan) == 1
    lost.transfer.refresh_from_db()  # type: ignore[union-attr]  # It has one.
    assert lost.transfer.state == TransferState.SUCCEEDED  # type: ignore[union-attr]  # It has one.
    assert not BankDifference.objects.waiting().exists()
    act(desk, lost, "book")
    assert repayments(loan) == 1
    days = desk.get(DAYS)
    assert days.status_code == 200
    assert "500.00" in days.content.decode()


@pytest.mark.parametrize("fault", ["wrong_answer_amount", "wrong_answer_signature"])
def test_nothing_is_booked_when_the_bank_does_not_say_so(
    rail: Rail, loan: Loan, lost: BankDifference, desk: Client, fault: str
) -> None:
    act(desk, lost, "claim")
    rail.bank.fault(fault)
    act(desk, lost, "book")
    assert repayments(loan) == 0
    assert kinds_of(lost) == [DifferenceStepKind.CLAIMED]


def test_asking_again_keeps_the_answer_and_settles_what_was_open(
    rail: Rail, loan: Loan, lost: BankDifference, desk: Client
) -> None:
    act(desk, lost, "claim")
    said = act(desk, lost, "ask").content.decode()
    assert "The bank says: SUCCEEDED 500.00" in said
    assert kinds_of(lost) == [DifferenceStepKind.CLAIMED, DifferenceStepKind.ASKED]
    assert lost.steps.get(kind="ASKED").body["amount"] == "500.00"
    assert repayments(loan) == 1


def test_strange_money_is_explained_with_a_reason(
    rail: Rail, loan: Loan, desk: Client, clerk: User
) -> None:
    rail.bank.fault("bill_extra_row")
    compare(rail)
    found = BankDifference.objects.get()
    act(desk, found, "claim")
    assert "Say why." in act(desk, found, "explain", reason="  ").content.decode()
    assert kinds_of(found) == [DifferenceStepKind.CLAIMED]
    assert "no order" in act(desk, found, "book").content.decode()
    act(desk, found, "explain", reason="Rent of the shop; sent back.")
    step = found.steps.get(kind="EXPLAINED")
    assert (step.reason, step.actor_user) == ("Rent of the shop; sent back.", clerk)
    assert not BankDifference.objects.waiting().exists()
    with pytest.raises(DifferenceAlreadySettledError):
        claim_difference(difference_id=found.pk, actor=clerk.as_actor(), at=clock.now())
    with pytest.raises(IntegrityError, match="difference_settled_once"):
        DifferenceStep.objects.create(
            difference=found, kind="BOOKED", actor_label="x", recorded_at=clock.now()
        )


def test_what_somebody_has_taken_on_is_theirs(
    rail: Rail, loan: Loan, lost: BankDifference, desk: Client
) -> None:
    other = make_staff("other", "view_bankdifference", "resolve_difference")
    act(desk, lost, "claim")
    with pytest.raises(UnableToSettleDifferenceError):
        claim_difference(difference_id=lost.pk, actor=other.as_actor(), at=clock.now())
    with pytest.raises(UnableToSettleDifferenceError):
        explain_difference(
            difference_id=lost.pk, reason="mine", actor=other.as_actor(), at=clock.now()
        )
    act(desk, lost, "release")
    claim_difference(difference_id=lost.pk, actor=other.as_actor(), at=clock.now())
    assert kinds_of(lost) == ["CLAIMED", "RELEASED", "CLAIMED"]


def test_who_may_only_read_settles_nothing(rail: Rail, loan: Loan, lost: BankDifference) -> None:
    reader = Client()
    reader.force_login(make_staff("reader", "view_bankdifference"))
    assert reader.get(f"{QUEUE}{lost.pk}/").status_code == 200
    assert reader.post(f"{QUEUE}{lost.pk}/", {"do": "claim"}).status_code == 403
    stranger = Client()
    stranger.force_login(make_staff("stranger"))
    assert [stranger.get(url).status_code for url in (QUEUE, DAYS)] == [403, 403]
    assert kinds_of(lost) == []


def test_a_card_debit_that_was_refused_and_then_done_is_a_persons_decision(
    rail: Rail, loan: Loan, desk: Client
) -> None:
    transfer: BankTransfer = pay(loan, "100.00")
    settle(transfer, Outcome.FAILED)
    BankTransfer.objects.filter(pk=transfer.pk).update(state="PENDING", settled_at=None)
    rail.bank.fault("drop_notice")
    send_transfer(transfer_id=transfer.pk)
    eventually(lambda: rail.orders()[str(transfer.public_id)]["notice_state"] == "DROPPED")
    BankTransfer.objects.filter(pk=transfer.pk).update(state="FAILED", settled_at=clock.now())
    compare(rail)
    found = BankDifference.objects.get()
    assert found.kind == DifferenceKind.STATE_DIFFERS
    assert repayments(loan) == 0
    act(desk, found, "claim")
    act(desk, found, "book")
    assert settled(transfer).state == TransferState.SUCCEEDED
    assert repayments(loan) == 1


def test_the_queue_asks_the_database_no_more_for_more_rows(
    rail: Rail, loan: Loan, desk: Client, django_assert_max_num_queries: Any
) -> None:
    def note(number: int) -> None:
        finding = Finding(
            kind=DifferenceKind.CONTRADICTION,
            on_date=datetime.date(2026, 11, 22),
            reference=f"order-{number}",
            transfer=loan.transfers.get(),
            bank_side={},
            our_side={},
        )
        note_finding(finding, at=clock.now())

    for number in range(9):
        note(number)
        note(number)
    assert BankDifference.objects.count() == 9
    with django_assert_max_num_queries(9):
        assert desk.get(QUEUE).content.decode().count("contradicts") == 9
    with django_assert_max_num_queries(9):
        desk.get(DAYS)


def contradicting(transfer: BankTransfer, number: int) -> BankWord:
    """Return the bank's notice of a failed payment that succeeded before, its n-th."""
    return BankWord(
        outcome=Outcome.FAILED,
        amount=transfer.amount,
        bank_reference=f"T{number}",
        failure_code="",
        body={
            "source": "notice",
            "app_id": "2021000000000001",
            "charset": "utf-8",
            "notify_id": f"n-{number}",
            "out_trade_no": str(transfer.public_id),
            "sign": "s" * 344,
            "total_amount": "500.00",
            "trade_no": f"T{number}",
            "trade_status": "TRADE_CLOSED",
        },
    )


def test_a_contradiction_that_is_said_again_is_counted_where_it_stands(
    rail: Rail, loan: Loan, desk: Client
) -> None:
    transfer = loan.transfers.get()
    for number in range(3):
        settle_transfer(
            reference=str(transfer.public_id),
            word=contradicting(transfer, number),
            at=clock.now(),
        )
    found = BankDifference.objects.get()
    assert found.kind == DifferenceKind.CONTRADICTION
    assert kinds_of(found) == ["REPEATED", "REPEATED"]
    assert [step.body["notify_id"] for step in found.steps.order_by("pk")] == ["n-1", "n-2"]
    assert "said the same 2 more times" in desk.get(f"{QUEUE}{found.pk}/").content.decode()
    act(desk, found, "claim")
    act(desk, found, "explain", reason="The bank has taken it back.")
    settle_transfer(
        reference=str(transfer.public_id), word=contradicting(transfer, 4), at=clock.now()
    )
    assert not BankDifference.objects.waiting().exists()


def test_what_people_look_for_comes_first_and_the_signature_is_folded(
    rail: Rail, loan: Loan, desk: Client
) -> None:
    transfer = loan.transfers.get()
    settle_transfer(
        reference=str(transfer.public_id), word=contradicting(transfer, 1), at=clock.now()
    )
    page = desk.get(f"{QUEUE}{BankDifference.objects.get().pk}/")
    (_title, rows, rest), _ours = page.context["sides"]
    names = [name for name, _value in rows]
    assert names == ["out_trade_no", "total_amount", "trade_status", "trade_no"]
    assert [name for name, _value in rest] == ["app_id", "charset", "notify_id", "sign", "source"]
    assert page.content.decode().index("<details") < page.content.decode().index("s" * 344)


def test_people_are_named_and_their_numbers_are_masked(
    rail: Rail, loan: Loan, desk: Client
) -> None:
    transfer = loan.transfers.get()
    settle_transfer(
        reference=str(transfer.public_id), word=contradicting(transfer, 1), at=clock.now()
    )
    found = BankDifference.objects.get()
    phoned = User.objects.create_user(phone="+8613900000005", password="x", is_staff=True)
    claim_difference(difference_id=found.pk, actor=phoned.as_actor(), at=clock.now())
    for path in (QUEUE, f"{QUEUE}{found.pk}/"):
        page = desk.get(path).content.decode()
        assert "13900000005" not in page
        assert "139****0005" in page
    BorrowerProfile.objects.create(user=phoned, full_name="王芳", updated_at=clock.now())
    assert "王芳" in desk.get(f"{QUEUE}{found.pk}/").content.decode()
    said = act(desk, found, "claim").content.decode()
    assert "王芳 has taken this on." in said
    assert found.steps.get().actor_label == "+8613900000005"
