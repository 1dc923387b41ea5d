"""The JSON API of lending: the numbers of the pages, and repayments by key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import signed_in
from accounts.selectors.profiles import bank_account
from loans.access import access_loan, access_transfer
from loans.engine.lifecycle import LoanStatus
from loans.engine.terms import PrepaymentEffect
from loans.models import BankTransfer, Loan
from loans.selectors.business_day import business_date
from loans.selectors.loan_pages import LoanPage, loan_cards, loan_page, owed_after_write_off
from loans.selectors.receipts import taken_back_by
from loans.services.commands import KEY_LENGTH_MAX, KeyReusedError, MissingKeyError
from loans.services.repayments import request_repayment
from zhixin.shared import clock
from zhixin.shared.errors import DomainError
from zhixin.shared.money import InvalidAmountError, Money


class BorrowerAPIView(APIView):
    """Open to signed-in people, who see what is theirs."""

    guard = "borrower"


class NotPossible(APIException):
    """A request that the service refuses: 409 with the reason."""

    status_code = 409


class NeedsKey(APIException):
    """A money command without its Idempotency-Key header: 400."""

    status_code = 400


class KeyConflict(APIException):
    """An Idempotency-Key that was used with another body: 422."""

    status_code = 422


class RepaymentBody(serializers.Serializer[dict[str, Any]]):
    """The body of a repayment: {"amount": "123.45"}; "confirmed": true when it is meant twice.

    "prepayment" says what the part beyond everything due does; without it the terms decide.
    """

    amount = serializers.CharField(max_length=20)
    confirmed = serializers.BooleanField(default=False)
    prepayment = serializers.ChoiceField(choices=list(PrepaymentEffect), default=None)

    def validate_amount(self, value: str) -> Money:
        """Return the amount as Money."""
        try:
            return Money.parse(value)
        except InvalidAmountError as error:
            raise serializers.ValidationError(str(error)) from error


class Loans(BorrowerAPIView):
    """The borrower's loans."""

    def get(self, request: Request) -> Response:
        """Return a summary of each loan, open ones first."""
        return Response([_summary(card.loan) for card in loan_cards(signed_in(request))])


class LoanDetail(BorrowerAPIView):
    """One loan."""

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return what is due, what is owed and the schedule, from one fold."""
        loan = access_loan(signed_in(request), public_id)
        page = loan_page(loan, as_of=business_date())
        return Response(
            {
                **_summary(loan),
                "as_of": page.as_of,
                "due_now": page.state.due_now.to_json(),
                "payable_now": str(_payable_now(page)),
                "outstanding": page.state.outstanding.to_json(),
                "payoff_amount": str(page.state.payoff_amount),
                "written_off_on": page.written_off_on,
                "installments": [
                    {
                        "number": row.number,
                        "due_date": row.due_date,
                        "payable_through": row.payable_through,
                        "principal": str(row.principal),
                        "interest": str(row.interest),
                        "penalty": str(row.penalty),
                        "total": str(row.total),
                    }
                    for row in page.rows
                ],
            }
        )


class Repayments(BorrowerAPIView):
    """Repayments of one loan."""

    def post(self, request: Request, public_id: UUID) -> Response:
        """Have an amount collected; once for each Idempotency-Key."""
        user = signed_in(request)
        loan = access_loan(user, public_id)
        body = RepaymentBody(data=request.data)
        body.is_valid(raise_exception=True)
        account = bank_account(user)
        if account is None:
            raise NotPossible("There is no bank account in the profile.")
        try:
            transfer = request_repayment(
                loan_id=loan.pk,
                owner_id=user.pk,
                amount=body.validated_data["amount"],
                key=request.headers.get("Idempotency-Key", ""),
                account_name=account.holder_name,
                card_number=account.card_number,
                business_date=business_date(),
                at=clock.now(),
                confirmed=body.validated_data["confirmed"],
                prepayment=body.validated_data["prepayment"],
            )
        except MissingKeyError as error:
            raise NeedsKey(
                _("Send an Idempotency-Key header of 1 to %(most)d characters.")
                % {"most": KEY_LENGTH_MAX}
            ) from error
        except KeyReusedError as error:
            raise KeyConflict(
                _(
                    "This Idempotency-Key was used for another request: another loan, amount or "
                    "choice. Use a new key, or send the first request again."
                )
            ) from error
        except DomainError as error:
            raise NotPossible(str(error)) from error
        return Response(_payment(transfer), status=202)


class PaymentDetail(BorrowerAPIView):
    """One payment."""

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return what became of it."""
        return Response(_payment(access_transfer(signed_in(request), public_id)))


def _summary(loan: Loan) -> dict[str, object]:
    return {
        "id": loan.public_id,
        "contract_number": loan.agreement.number,
        "status": loan.status,
        "principal": str(loan.principal),
        "principal_outstanding": str(loan.principal_outstanding),
        "annual_rate": f"{loan.annual_rate:f}",
        **_dates(loan),
    }


def _payable_now(page: LoanPage) -> Money:
    """Return what is to be paid today; of a loan that was written off that is everything."""
    return page.due_amount if page.written_off_on else page.state.payable_now


def _dates(loan: Loan) -> dict[str, object]:
    """Return what is due when; of a loan that was written off everything is, and no day counts."""
    if loan.status == LoanStatus.CHARGED_OFF:
        return {
            "next_due_date": None,
            "next_due_amount": "0.00",
            "overdue_amount": str(owed_after_write_off(loan)),
            "days_past_due": loan.days_past_due,
        }
    return {
        "next_due_date": loan.next_due_date,
        "next_due_amount": str(loan.next_due_amount),
        "overdue_amount": str(loan.overdue_amount),
        "days_past_due": loan.days_past_due,
    }


def _payment(transfer: BankTransfer) -> dict[str, object]:
    reversal = taken_back_by(transfer)
    return {
        "id": transfer.public_id,
        "loan": transfer.loan.public_id,
        "purpose": transfer.purpose,
        "amount": str(transfer.amount),
        "prepayment": transfer.prepayment or None,
        "state": transfer.state,
        "failure_code": transfer.failure_code,
        "taken_back_on": reversal.effective_date if reversal else None,
        "taken_back_reason": reversal.reason if reversal else "",
    }
