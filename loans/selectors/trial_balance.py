"""The trial balance: every account with its sums, and the sums that must tie to each other.

All of it is one statement of SQL; of each rule the first twenty loans that break it are told.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from loans.engine.ledger import HouseAccount, LedgerAccount
from zhixin.shared.money import Money, total


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """The sums of one account; `balance` is debits less credits."""

    account: LedgerAccount | HouseAccount
    debits: Money
    credits: Money

    @property
    def balance(self) -> Money:
        """Return debits less credits."""
        return self.debits - self.credits


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseEnd:
    """Something that does not tie: which rule, of which loan (None: of all), both sides."""

    rule: str
    loan_id: int | None
    held: Money
    expected: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """The accounts in their order, and what does not tie (nothing, in sound books)."""

    accounts: tuple[AccountBalance, ...]
    loose_ends: tuple[LooseEnd, ...]

    @property
    def debits(self) -> Money:
        """Return the sum of all debits."""
        return total(each.debits for each in self.accounts)

    @property
    def credits(self) -> Money:
        """Return the sum of all credits."""
        return total(each.credits for each in self.accounts)


def trial_balance() -> TrialBalance:
    """Return the trial balance of the whole journal, as of one moment."""
    sums: dict[str, tuple[int, int]] = {}
    ends: list[LooseEnd] = []
    with connection.cursor() as cursor:
        cursor.execute(_TRIAL_BALANCE)
        for rule, account, loan_id, left, right in cursor.fetchall():
            if rule == "":
                sums[account] = (int(left), int(right))
            else:
                ends.append(_loose_end(rule, loan_id, Money(int(left)), Money(int(right))))
    every = (*LedgerAccount, *HouseAccount)
    accounts = tuple(_account(account, *sums.get(account, (0, 0))) for account in every)
    difference = total(each.balance for each in accounts)
    if difference:
        ends.insert(0, _loose_end("the journal sums to zero", None, difference, Money.zero()))
    return TrialBalance(accounts=accounts, loose_ends=tuple(ends))


def _account(account: LedgerAccount | HouseAccount, debits: int, credits_: int) -> AccountBalance:
    return AccountBalance(account=account, debits=Money(debits), credits=Money(credits_))


def _loose_end(rule: str, loan_id: int | None, held: Money, expected: Money) -> LooseEnd:
    return LooseEnd(rule=rule, loan_id=loan_id, held=held, expected=expected)


# One statement sees one moment, while payments go on. Without a rule a row is an account with its
# sums; with one it is what does not tie: rule, loan, what is held, what is expected.
_TRIAL_BALANCE = """
WITH by_loan AS (
    SELECT loan_id,
           SUM(debit_cents - credit_cents)::bigint AS sum,
           COALESCE(SUM(debit_cents - credit_cents)
               FILTER (WHERE account = 'LOANS_RECEIVABLE'), 0)::bigint AS principal,
           COALESCE(SUM(credit_cents - debit_cents)
               FILTER (WHERE account = 'BORROWER_CREDIT'), 0)::bigint AS credit,
           COALESCE(SUM(debit_cents - credit_cents)
               FILTER (WHERE account = 'BANK'), 0)::bigint AS bank
      FROM loans_posting WHERE loan_id IS NOT NULL GROUP BY loan_id
), moved AS (
    SELECT e.loan_id, SUM(
               CASE WHEN e.kind IN ('REPAYMENT', 'RECOVERY') THEN 1 ELSE -1 END
               * (e.body->>'amount')::numeric * 100)::bigint AS amount
      FROM loans_loanevent e
     WHERE e.kind IN ('DISBURSEMENT', 'REPAYMENT', 'RECOVERY', 'REFUND')
       AND NOT EXISTS (SELECT 1 FROM loans_loanevent r
                        WHERE r.kind = 'REVERSAL' AND r.body->>'of' = e.event_id::text)
     GROUP BY e.loan_id
), projected AS (
    SELECT l.id, l.status, l.principal_outstanding_cents AS outstanding,
           l.overpaid_amount_cents AS overpaid,
           COALESCE(b.principal, 0) AS principal, COALESCE(b.credit, 0) AS credit
      FROM loans_loan l LEFT JOIN by_loan b ON b.loan_id = l.id
)
SELECT '', account, NULL::bigint, SUM(debit_cents)::bigint, SUM(credit_cents)::bigint
  FROM loans_posting GROUP BY account
UNION ALL (
SELECT 'each loan''s postings sum to zero', '', loan_id, sum, 0
  FROM by_loan WHERE sum <> 0 ORDER BY loan_id LIMIT 20)
UNION ALL (
SELECT 'each entry''s postings sum to zero', '', MIN(loan_id),
       SUM(debit_cents - credit_cents)::bigint, 0
  FROM loans_posting GROUP BY entry_id HAVING SUM(debit_cents - credit_cents) <> 0
 ORDER BY MIN(loan_id) LIMIT 20)
UNION ALL (
SELECT 'principal outstanding is the receivable, less money paid ahead', '', id, outstanding,
       GREATEST(principal - credit, 0)
  FROM projected
 WHERE status <> 'CHARGED_OFF' AND outstanding <> GREATEST(principal - credit, 0)
 ORDER BY id LIMIT 20)
UNION ALL (
SELECT 'nothing is receivable on a loan that is paid or written off', '', id, principal, 0
  FROM projected
 WHERE status IN ('PAID_OFF', 'OVERPAID', 'CHARGED_OFF') AND principal <> 0
 ORDER BY id LIMIT 20)
UNION ALL (
SELECT 'the credit of a closed loan is what was paid too much', '', id, overpaid, credit
  FROM projected
 WHERE status IN ('PAID_OFF', 'OVERPAID') AND overpaid <> credit
 ORDER BY id LIMIT 20)
UNION ALL (
SELECT 'the bank holds what the events moved', '', COALESCE(m.loan_id, b.loan_id),
       COALESCE(b.bank, 0), COALESCE(m.amount, 0)
  FROM by_loan b FULL JOIN moved m ON m.loan_id = b.loan_id
 WHERE COALESCE(b.bank, 0) <> COALESCE(m.amount, 0)
 ORDER BY 3 LIMIT 20)
UNION ALL (
SELECT 'money without a loan is what waits in the queue', '', NULL, held.amount, queue.amount
  FROM (SELECT COALESCE(SUM(credit_cents - debit_cents), 0)::bigint AS amount
          FROM loans_posting WHERE account = 'SUSPENSE') held,
       (SELECT COALESCE(SUM(r.amount_cents), 0)::bigint AS amount FROM loans_bankfilerow r
         WHERE EXISTS (SELECT 1 FROM loans_bankfilestep s
                        WHERE s.row_id = r.id AND s.kind = 'QUEUED')
           AND NOT EXISTS (SELECT 1 FROM loans_bankfilestep s
                            WHERE s.row_id = r.id AND s.kind IN ('MATCHED', 'RETURNED'))) queue
 WHERE held.amount <> queue.amount)
"""
