"""The admin around the work: what waits for whom, and the way to everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import IncomeProof
from collections_app.models import Case
from loans.engine.lifecycle import ApplicationState
from loans.models import BankDifference, BankFileRow, BankTransfer, LoanApplication
from loans.selectors.business_day import business_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Work that waits: what, how much, and where it is done."""

    title: str
    count: int
    url: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the admin's first page: the queues that this person may work."""
    queues = [
        Queue(title=title, count=count(), url=reverse(url))
        for permission, title, count, url in (
            (
                "loans.decide_referral",
                _("Applications with a person"),
                LoanApplication.objects.filter(state=ApplicationState.REFERRED).count,
                "admin:loans_referrals",
            ),
            (
                "accounts.verify_incomeproof",
                _("Proofs of income to look at"),
                IncomeProof.objects.filter(decided_at__isnull=True).count,
                "admin:accounts_incomeproof_changelist",
            ),
            (
                "collections_app.view_case",
                _("Overdue cases"),
                Case.objects.open().count,
                "admin:collections_app_case_changelist",
            ),
            (
                "loans.view_banktransfer",
                _("Transfers without the bank's word"),
                BankTransfer.objects.unsettled().count,
                "admin:loans_banktransfer_changelist",
            ),
            (
                "loans.record_money",
                _("Payouts that did not arrive"),
                BankTransfer.objects.payouts_that_did_not_arrive().count,
                "admin:loans_failed_payouts",
            ),
            (
                "loans.resolve_difference",
                _("Differences with the bank"),
                BankDifference.objects.waiting().count,
                "admin:loans_bank_differences",
            ),
            (
                "loans.import_bank_file",
                _("Money without a loan"),
                BankFileRow.objects.waiting().count,
                "admin:loans_money_queue",
            ),
        )
        if request.user.has_perm(permission)
    ]
    return {**context, "queues": queues, "business_date": business_date()}


# Group → (title, icon, URL, permission). Titles are translated where they are shown.
_PLACES: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        gettext_noop("Work"),
        (
            (
                gettext_noop("Applications with a person"),
                "approval_delegation",
                "admin:loans_referrals",
                "loans.view_loanapplication",
            ),
            (
                gettext_noop("Proofs of income"),
                "receipt_long",
                "admin:accounts_incomeproof_changelist",
                "accounts.view_incomeproof",
            ),
            (
                gettext_noop("Overdue cases"),
                "support_agent",
                "admin:collections_app_case_changelist",
                "collections_app.view_case",
            ),
        ),
    ),
    (
        gettext_noop("Lending"),
        (
            (
                gettext_noop("Applications"),
                "description",
                "admin:loans_loanapplication_changelist",
                "loans.view_loanapplication",
            ),
            (
                gettext_noop("Cost sheets"),
                "request_quote",
                "admin:loans_costsheet_changelist",
                "loans.view_costsheet",
            ),
            (
                gettext_noop("Loans"),
                "account_balance_wallet",
                "admin:loans_loan_changelist",
                "loans.view_loan",
            ),
            (
                gettext_noop("Products"),
                "category",
                "admin:loans_product_changelist",
                "loans.view_product",
            ),
            (
                gettext_noop("Merchants"),
                "storefront",
                "admin:loans_merchant_changelist",
                "loans.view_merchant",
            ),
            (
                gettext_noop("Decisions"),
                "balance",
                "admin:risk_assessment_changelist",
                "risk.view_assessment",
            ),
            (
                gettext_noop("Policies"),
                "rule",
                "admin:risk_policyversion_changelist",
                "risk.view_policyversion",
            ),
        ),
    ),
    (
        gettext_noop("Money"),
        (
            (
                gettext_noop("Journal"),
                "menu_book",
                "admin:loans_journalentry_changelist",
                "loans.view_journalentry",
            ),
            (
                gettext_noop("Bank transfers"),
                "sync_alt",
                "admin:loans_banktransfer_changelist",
                "loans.view_banktransfer",
            ),
            (
                gettext_noop("Payouts that did not arrive"),
                "money_off",
                "admin:loans_failed_payouts",
                "loans.view_banktransfer",
            ),
            (
                gettext_noop("Notices of the bank"),
                "mark_email_read",
                "admin:loans_banknotice_changelist",
                "loans.view_banknotice",
            ),
            (
                gettext_noop("Days compared with the bank"),
                "event_available",
                "admin:loans_bank_days",
                "loans.view_bankdifference",
            ),
            (
                gettext_noop("Differences with the bank"),
                "compare_arrows",
                "admin:loans_bank_differences",
                "loans.view_bankdifference",
            ),
            (
                gettext_noop("Bank files"),
                "upload_file",
                "admin:loans_bank_files",
                "loans.view_bankfile",
            ),
            (
                gettext_noop("Money without a loan"),
                "person_search",
                "admin:loans_money_queue",
                "loans.view_bankfile",
            ),
            (
                gettext_noop("Money commands"),
                "key",
                "admin:loans_moneycommand_changelist",
                "loans.view_moneycommand",
            ),
            (
                gettext_noop("Loan events"),
                "history",
                "admin:loans_loanevent_changelist",
                "loans.view_loanevent",
            ),
            (
                gettext_noop("Nights"),
                "bedtime",
                "admin:loans_nightsteprun_changelist",
                "loans.view_nightsteprun",
            ),
            (
                gettext_noop("Money received outside the rail"),
                "payments",
                "admin:loans_receivedmoney_changelist",
                "loans.view_receivedmoney",
            ),
            (
                gettext_noop("Differences in the books"),
                "difference",
                "admin:loans_booksdifference_changelist",
                "loans.view_booksdifference",
            ),
        ),
    ),
    (
        gettext_noop("People"),
        (
            (
                gettext_noop("Borrowers"),
                "person",
                "admin:accounts_borrowerprofile_changelist",
                "accounts.view_borrowerprofile",
            ),
            (
                gettext_noop("Accounts"),
                "group",
                "admin:accounts_user_changelist",
                "accounts.view_user",
            ),
            (
                gettext_noop("Messages"),
                "sms",
                "admin:accounts_message_changelist",
                "accounts.view_message",
            ),
            (
                gettext_noop("Who read personal data"),
                "policy",
                "admin:accounts_personaldataaccess_changelist",
                "accounts.view_personaldataaccess",
            ),
        ),
    ),
    (
        gettext_noop("Education"),
        (
            (
                gettext_noop("Lessons"),
                "school",
                "admin:education_lesson_changelist",
                "education.view_lesson",
            ),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar of the admin: the places that this person may open."""
    groups = [
        {
            "title": _(group),
            "separator": True,
            "items": [
                {"title": _(title), "icon": icon, "link": reverse(url)}
                for title, icon, url, permission in places
                if request.user.has_perm(permission)
            ],
        }
        for group, places in _PLACES
    ]
    return [group for group in groups if group["items"]]
