"""The double-entry journal. Append-only; every entry sums to zero when it commits."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loans.engine.ledger import HouseAccount, LedgerAccount
from loans.models.loan import REASON_LABELS, Loan, LoanEvent
from zhixin.shared.fields import MoneyField
from zhixin.shared.models import AppendOnly
from zhixin.shared.money import Money
from zhixin.shared.templatetags.zhixin import money

LEDGER_ACCOUNT_LABELS = {
    LedgerAccount.BANK: _("Bank"),
    LedgerAccount.LOANS_RECEIVABLE: _("Loans receivable"),
    LedgerAccount.INTEREST_RECEIVABLE: _("Interest receivable"),
    LedgerAccount.PENALTY_RECEIVABLE: _("Penalty interest receivable"),
    LedgerAccount.FEES_RECEIVABLE: _("Fees receivable"),
    LedgerAccount.BORROWER_CREDIT: _("Credit of borrowers"),
    LedgerAccount.INTEREST_INCOME: _("Interest income"),
    LedgerAccount.PENALTY_INCOME: _("Penalty interest income"),
    LedgerAccount.FEE_INCOME: _("Fee income"),
    LedgerAccount.WAIVERS: _("Waivers"),
    LedgerAccount.CHARGE_OFF_LOSS: _("Losses written off"),
    LedgerAccount.RECOVERY_INCOME: _("Recoveries"),
}
HOUSE_ACCOUNT_LABELS = {HouseAccount.SUSPENSE: _("Money without a loan")}
# Why money without a loan moved: it came, was booked on a loan after all, or went back.
SUSPENSE_REASON_LABELS = {
    "SUSPENSE_RECEIVED": _("Money without a loan came in"),
    "SUSPENSE_BOOKED": _("Money without a loan was booked on one"),
    "SUSPENSE_RETURNED": _("Money without a loan was returned"),
}
JOURNAL_REASON_LABELS = {**REASON_LABELS, **SUSPENSE_REASON_LABELS}

# Both directions: an entry without its postings, and postings added to an old entry. The count
# on the entry makes both fail, and so does any sum but zero (SQLSTATE 23514, check violation).
_BALANCE_CHECK = """
    IF (SELECT COUNT(*) <> e.posting_count OR COALESCE(SUM(p.debit_cents - p.credit_cents), 0) <> 0
          FROM loans_journalentry e LEFT JOIN loans_posting p ON p.entry_id = e.id
         WHERE e.id = {entry} GROUP BY e.posting_count)
    THEN
        RAISE EXCEPTION 'journal entry % does not balance', {entry} USING ERRCODE = '23514';
    END IF;
    RETURN NULL;
"""


class JournalEntry(AppendOnly):
    """One balanced change of the books on a business date: of a loan, or of money without one."""

    loan = models.ForeignKey(
        Loan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="journal_entries",
        verbose_name=_("loan"),
    )
    event = models.ForeignKey(
        LoanEvent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="journal_entries",
        verbose_name=_("event of a loan"),
    )
    business_date = models.DateField(_("business date"))
    reason = models.CharField(_("reason"), max_length=60, choices=JOURNAL_REASON_LABELS)
    posting_count = models.PositiveSmallIntegerField(_("number of postings"))
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("recorded by, as a user"),
    )
    actor_label = models.CharField(max_length=80, verbose_name=_("recorded by"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta(AppendOnly.Meta):
        """Balanced at commit."""

        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        triggers = [
            *AppendOnly.Meta.triggers,
            pgtrigger.Trigger(
                name="balanced",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                func=_BALANCE_CHECK.format(entry="NEW.id"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(posting_count__gte=2), name="journal_entry_has_two_sides"
            ),
            models.CheckConstraint(
                condition=Q(reason__in=list(SUSPENSE_REASON_LABELS)) ^ Q(loan__isnull=False),
                name="journal_entry_has_loan_or_suspense",
            ),
        ]

    def __str__(self) -> str:
        """Return the reason and the date."""
        return f"{self.get_reason_display()} {self.business_date}"


class Posting(AppendOnly):
    """One leg of an entry: a debit or a credit of one account."""

    entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.PROTECT,
        related_name="postings",
        verbose_name=_("journal entry"),
    )
    loan = models.ForeignKey(
        Loan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="postings",
        verbose_name=_("loan"),
    )
    account = models.CharField(
        _("account"),
        max_length=24,
        choices=[*LEDGER_ACCOUNT_LABELS.items(), *HOUSE_ACCOUNT_LABELS.items()],
    )
    debit = MoneyField(_("debit"), default=Money.zero)
    credit = MoneyField(_("credit"), default=Money.zero)

    class Meta(AppendOnly.Meta):
        """Exactly one side, and positive."""

        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        indexes = [models.Index(fields=["loan", "account"], name="posting_of_loan")]
        triggers = [
            *AppendOnly.Meta.triggers,
            pgtrigger.Trigger(
                name="balanced",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                func=_BALANCE_CHECK.format(entry="NEW.entry_id"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(debit__gt=0, credit=0) | Q(debit=0, credit__gt=0),
                name="posting_has_one_side",
            ),
            models.CheckConstraint(
                condition=Q(loan__isnull=False) & ~Q(account=HouseAccount.SUSPENSE)
                | Q(loan__isnull=True, account__in=[HouseAccount.SUSPENSE, LedgerAccount.BANK]),
                name="posting_without_loan_is_suspense",
            ),
        ]

    def __str__(self) -> str:
        """Return account, side and amount."""
        is_debit = self.debit.cents > 0
        side = _("Debit") if is_debit else pgettext_lazy("journal", "Credit")
        amount = self.debit if is_debit else self.credit
        return f"{side} {self.get_account_display()} {money(amount)}"
