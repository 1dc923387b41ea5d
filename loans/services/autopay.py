"""Autopay: turn it on and off, announce debits, make them in the night, and say what failed.

The rules are `loans.engine.autopay`; here are the locks, the rows and the messages. Whoever decides
on a debit holds the loan's row lock, as a payment by hand does, so that the two never meet.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.engine.contact_rules import ContactPurpose
from accounts.models import Message
from accounts.selectors.profiles import bank_account
from accounts.services.messages import queue_message
from loans.engine import autopay
from loans.engine.autopay import Announcement, Decision, Hold, Mandate
from loans.engine.events import DueDateMoved
from loans.engine.lifecycle import TRANSFER_LIFECYCLE, TransferEvent, TransferState
from loans.engine.state import LoanState
from loans.models import (
    AutopayDebit,
    AutopayEnd,
    AutopayMandate,
    AutopayNotice,
    BankTransfer,
    Loan,
)
from loans.models.autopay import AutopayEndReason
from loans.models.loan import OPEN_STATUSES
from loans.models.transfer import TransferDirection, TransferPurpose
from loans.selectors.autopay import (
    MAY_HAVE_AUTOPAY,
    LoanFacts,
    autopay_rules,
    loan_facts,
    local_date,
    mandate_facts,
    mandate_in_force,
)
from loans.selectors.receipts import failure_reason
from loans.selectors.repayments import in_flight_repayments
from loans.selectors.servicing import terms_of
from loans.services.servicing import record_event
from loans.services.transfers import order_transfer
from zhixin.shared.actor import SYSTEM, Actor
from zhixin.shared.errors import DomainError
from zhixin.shared.money import Money

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime.datetime]
Report = Callable[[int, int], None]
TURNED_OFF_CODE = "AUTOPAY.TURNED_OFF"


class UnableToTurnOnAutopayError(DomainError):
    """Autopay cannot be turned on; the message says why."""


class AutopayOnAlreadyDone(DomainError):  # noqa: N818 - the house's name for such errors.
    """Autopay is on already."""


class AutopayOffAlreadyDone(DomainError):  # noqa: N818 - the house's name for such errors.
    """Autopay is off already."""


# --- The borrower's word ------------------------------------------------------------------


@transaction.atomic
def turn_on(
    *,
    loan_id: int,
    text_version: int,
    card_last_four: str,
    language: str,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> AutopayMandate:
    """Record the borrower's authorization to collect what is due; announce a debit that is near.

    `text_version` and `card_last_four` are what the borrower saw. Raises UnableToTurnOnAutopayError
    when the loan has ended, when there is no account, or when the text or the account is another
    by now; AutopayOnAlreadyDone when a mandate is in force.
    """
    loan = _lock(loan_id)
    if loan.status not in MAY_HAVE_AUTOPAY:
        raise UnableToTurnOnAutopayError(_("Nothing is owed on this loan."))
    account = bank_account(loan.borrower)
    if account is None:
        raise UnableToTurnOnAutopayError(_("Add your bank account first."))
    if (text_version, card_last_four) != (autopay.CONSENT_TEXT_VERSION, account.last_four):
        raise UnableToTurnOnAutopayError(
            _("The account or the text has changed since you looked. Read it again, then decide.")
        )
    _end_if_stopped(loan, business_date, at)
    if mandate_in_force(loan) is not None:
        raise AutopayOnAlreadyDone(_("Autopay is on already."))
    mandate = AutopayMandate.objects.create(
        loan=loan,
        text_version=text_version,
        language=language,
        account_name=account.holder_name,
        card_number=account.card_number,
        card_last_four=account.last_four,
        granted_on=business_date,
        granted_at=at,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
    )
    _tell(loan, "autopay_on", {"card": mandate.card_last_four}, f"on:{mandate.pk}", at)
    _announce(loan, mandate, business_date, at)
    return mandate


@transaction.atomic
def turn_off(
    *, loan_id: int, business_date: datetime.date, actor: Actor, at: datetime.datetime
) -> AutopayEnd:
    """End the loan's mandate at once, and take back a debit that has not been sent yet.

    A debit that is with the bank cannot be taken back. Raises AutopayOffAlreadyDone when no mandate
    is in force.
    """
    loan = _lock(loan_id)
    mandate = mandate_in_force(loan)
    if mandate is None:
        raise AutopayOffAlreadyDone(_("Autopay is off already."))
    _take_back_unsent(mandate, at)
    end = _end(mandate, AutopayEndReason.TURNED_OFF, business_date, actor, at)
    _tell(loan, "autopay_off", {}, f"off:{mandate.pk}", at)
    return end


def _take_back_unsent(mandate: AutopayMandate, at: datetime.datetime) -> None:
    unsent = BankTransfer.objects.for_update().filter(
        autopay_debit__mandate=mandate, state=TransferState.PENDING, attempts=0
    )
    for transfer in unsent:
        transfer.state = TRANSFER_LIFECYCLE.after(TransferState.PENDING, TransferEvent.FAIL)
        transfer.failure_code = TURNED_OFF_CODE
        transfer.settled_at = at
        transfer.save(update_fields=["state", "failure_code", "settled_at"])


# --- The night ----------------------------------------------------------------------------


def give_notices(
    *, business_date: datetime.date, actor: Actor, clock: Clock, report: Report
) -> int:
    """Announce the debits that come near and end mandates that are over; return how many loans.

    Each loan is a transaction of its own; one that fails is logged and looked at the next night.
    """
    ahead = business_date + datetime.timedelta(days=autopay_rules().ahead_days)
    keys = _loans_with_mandate(_unpaid_by(ahead)) | _loans_with_mandate(
        Loan.objects.exclude(status__in=MAY_HAVE_AUTOPAY)
    )

    def work(loan: Loan) -> bool:
        at = clock()
        mandate = _living_mandate(loan, business_date, actor, at)
        return mandate is not None and _announce(loan, mandate, business_date, at)

    return _each(sorted(keys), work, report)


def collect_due(*, business_date: datetime.date, actor: Actor, clock: Clock, report: Report) -> int:
    """Order the debits that are to be made on `business_date`; return how many.

    They are sent after the commit of each. Run again for the same date it orders nothing twice: a
    debit whose outcome is not known plans no other, and an attempt exists once.
    """

    def work(loan: Loan) -> bool:
        return _collect(loan, business_date, actor, clock())

    return _each(sorted(_loans_with_mandate(_unpaid_by(business_date))), work, report)


def _unpaid_by(day: datetime.date) -> QuerySet[Loan]:
    return Loan.objects.open().filter(
        installments__payable_through__lte=day, installments__paid_on__isnull=True
    )


def _loans_with_mandate(loans: QuerySet[Loan]) -> set[int]:
    in_force = AutopayMandate.objects.filter(end__isnull=True, loan__in=loans.values("pk"))
    return set(in_force.values_list("loan_id", flat=True))


def _each(keys: list[int], work: Callable[[Loan], bool], report: Report) -> int:
    count = 0
    for done, key in enumerate(keys, start=1):
        try:
            with transaction.atomic():
                count += work(_lock(key))
        except Exception:
            # One loan must not keep the others waiting; the next night finds it again.
            logger.exception("Autopay could not handle loan %s.", key)
        report(done, len(keys))
    return count


def _collect(loan: Loan, business_date: datetime.date, actor: Actor, at: datetime.datetime) -> bool:
    mandate = _living_mandate(loan, business_date, actor, at)
    if mandate is None:
        return False
    facts = loan_facts(loan)
    known = mandate_facts(mandate, facts)
    state = facts.on(business_date)
    decision = autopay.decide(
        state=state,
        mandate=known,
        in_flight=in_flight_repayments(loan),
        plan_waits=facts.plan_waits(business_date),
        rules=autopay_rules(),
    )
    if decision.planned is None or decision.hold is not None:
        _give_time_for_our_delay(loan, decision, known, state, at)
        return False
    transfer = order_transfer(
        loan=loan,
        direction=TransferDirection.DEBIT,
        purpose=TransferPurpose.REPAYMENT,
        amount=decision.amount,
        account_name=mandate.account_name,
        card_number=mandate.card_number,
        business_date=business_date,
        at=at,
    )
    AutopayDebit.objects.create(
        mandate=mandate,
        installment_number=decision.planned.installment,
        attempt=decision.planned.attempt,
        transfer=transfer,
        business_date=business_date,
    )
    return True


def _give_time_for_our_delay(
    loan: Loan, decision: Decision, mandate: Mandate, state: LoanState, at: datetime.datetime
) -> None:
    """Move the due date when only our own late notice keeps autopay from collecting in time."""
    if decision.planned is None:
        return
    number = decision.planned.installment
    row = next(row for row in state.installments if row.number == number)
    through = autopay.day_after_our_delay(
        decision,
        mandate,
        due_date=row.due_date,
        as_of=state.as_of,
        today=local_date(at),
        rules=autopay_rules(),
    )
    if through is None:
        return
    through = terms_of(loan).last_day_in_time(through)
    record_event(
        loan=loan,
        make_event=lambda event_id, sequence: DueDateMoved(
            event_id=event_id,
            sequence=sequence,
            effective_date=state.as_of,
            number=number,
            payable_through=through,
        ),
        business_date=state.as_of,
        actor=SYSTEM,
        at=at,
        reason=_("Our notice of the autopay debit was late."),
    )


def _living_mandate(
    loan: Loan, business_date: datetime.date, actor: Actor, at: datetime.datetime
) -> AutopayMandate | None:
    """Return the mandate under which debits may go on; one that is over is ended here."""
    mandate = mandate_in_force(loan)
    if mandate is None or _end_if_stopped(loan, business_date, at):
        return None
    if loan.status not in MAY_HAVE_AUTOPAY:
        _end(mandate, AutopayEndReason.LOAN_ENDED, business_date, actor, at)
        return None
    account = bank_account(loan.borrower)
    if account is None or account.card_number != mandate.card_number:
        _end(mandate, AutopayEndReason.CARD_CHANGED, business_date, actor, at)
        words = {"card": mandate.card_last_four}
        _tell(loan, "autopay_card_changed", words, f"card:{mandate.pk}", at)
        return None
    return mandate


def _announce(
    loan: Loan, mandate: AutopayMandate, business_date: datetime.date, at: datetime.datetime
) -> bool:
    """Write the notice that is missing, if one is."""
    facts = loan_facts(loan)
    notice = _announcement(loan, mandate, facts, business_date)
    if notice is None or _was_announced(mandate, notice):
        return False
    key = f"notice:{mandate.pk}:{notice.installment}:{notice.attempt}"
    message = _tell(
        loan,
        "autopay_notice",
        {"amount": notice.amount, "debit_on": notice.debit_on, "card": mandate.card_last_four},
        f"{key}:{notice.debit_on}:{notice.amount.cents}",
        at,
    )
    _keep_notice(mandate, notice, message, business_date, at)
    return True


def _announcement(
    loan: Loan, mandate: AutopayMandate, facts: LoanFacts, as_of: datetime.date
) -> Announcement | None:
    if loan.status not in OPEN_STATUSES or facts.plan_waits(as_of):
        return None
    return autopay.announcement(
        state_on=facts.on,
        mandate=mandate_facts(mandate, facts),
        in_flight=in_flight_repayments(loan),
        as_of=as_of,
        rules=autopay_rules(),
    )


def _was_announced(mandate: AutopayMandate, notice: Announcement) -> bool:
    """Return whether the very same was said before, and did not reach the borrower."""
    return AutopayNotice.objects.filter(
        mandate=mandate,
        installment_number=notice.installment,
        attempt=notice.attempt,
        debit_on=notice.debit_on,
        amount=notice.amount.cents,
    ).exists()


def _keep_notice(
    mandate: AutopayMandate,
    notice: Announcement,
    message: Message,
    business_date: datetime.date,
    at: datetime.datetime,
) -> None:
    AutopayNotice.objects.create(
        mandate=mandate,
        installment_number=notice.installment,
        attempt=notice.attempt,
        debit_on=notice.debit_on,
        amount=notice.amount,
        message=message,
        business_date=business_date,
        created_at=at,
    )


# --- What became of a debit ---------------------------------------------------------------


def tell_of_failed_debit(
    *, transfer_id: int, business_date: datetime.date, at: datetime.datetime
) -> bool:
    """Tell the borrower why a debit failed and what comes next; stop after two in a row (CT-05).

    Returns False when the transfer is no failed debit of autopay: its message is another. Once,
    however often it is called.
    """
    debit = AutopayDebit.objects.filter(transfer_id=transfer_id).select_related("mandate").first()
    if debit is None:
        return False
    with transaction.atomic():
        loan = _lock(debit.mandate.loan_id)
        transfer = BankTransfer.objects.get(pk=transfer_id)
        if transfer.state != TransferState.FAILED:
            return False
        if transfer.failure_code != TURNED_OFF_CODE and mandate_in_force(loan) == debit.mandate:
            _tell_failed(loan, debit.mandate, transfer, business_date, at)
    return True


def _tell_failed(
    loan: Loan,
    mandate: AutopayMandate,
    transfer: BankTransfer,
    business_date: datetime.date,
    at: datetime.datetime,
) -> None:
    if _end_if_stopped(loan, business_date, at):
        return
    # A retry is counted from the day on which the bank said no.
    today = max(business_date, local_date(transfer.settled_at or at))
    retry = _announcement(loan, mandate, loan_facts(loan), today)
    if retry is not None and retry.attempt == 1:
        retry = None
    message = _tell(
        loan,
        "autopay_failed",
        {
            "amount": transfer.amount,
            "card": mandate.card_last_four,
            "reason": _latest_reason(loan, mandate),
            "retry_on": retry.debit_on if retry else None,
            "retry_amount": retry.amount if retry else Money.zero(),
        },
        f"failed:{transfer.pk}",
        at,
    )
    if retry is not None and not AutopayNotice.objects.filter(message=message).exists():
        _keep_notice(mandate, retry, message, business_date, at)


def _end_if_stopped(loan: Loan, business_date: datetime.date, at: datetime.datetime) -> bool:
    """End a mandate whose last two debits failed, and say so; return whether it was one."""
    mandate = mandate_in_force(loan)
    if mandate is None:
        return False
    facts = loan_facts(loan)
    standing = autopay.standing(
        facts.on(business_date), mandate_facts(mandate, facts), rules=autopay_rules()
    )
    if standing is not Hold.TWO_FAILURES:
        return False
    _end(mandate, AutopayEndReason.TWO_FAILURES, business_date, SYSTEM, at)
    words = {"card": mandate.card_last_four, "reason": _latest_reason(loan, mandate)}
    _tell(loan, "autopay_stopped", words, f"stopped:{mandate.pk}", at)
    return True


def _latest_reason(loan: Loan, mandate: AutopayMandate) -> str:
    """Return in the borrower's language why the latest debit failed."""
    latest = mandate.debits.select_related("transfer").order_by("-pk")[0]
    with translation.override(loan.borrower.language):
        return failure_reason(latest.transfer)


# --- Shared -------------------------------------------------------------------------------


def _lock(loan_id: int) -> Loan:
    return Loan.objects.for_update().select_related("agreement", "borrower").get(pk=loan_id)


def _end(
    mandate: AutopayMandate,
    reason: AutopayEndReason,
    business_date: datetime.date,
    actor: Actor,
    at: datetime.datetime,
) -> AutopayEnd:
    return AutopayEnd.objects.create(
        mandate=mandate,
        reason=reason,
        ended_on=business_date,
        ended_at=at,
        actor_user_id=actor.user_id,
        actor_label=actor.label,
    )


def _tell(
    loan: Loan, kind: str, words: Mapping[str, object], key: str, at: datetime.datetime
) -> Message:
    return queue_message(
        recipient=loan.borrower,
        kind=kind,
        purpose=ContactPurpose.SERVICING,
        context={
            **words,
            "number": loan.agreement.number,
            "path": f"/loans/{loan.public_id}/autopay/",
        },
        dedup_key=f"autopay:{key}",
        at=at,
    )
