"""The journal's accounts. What a loan should hold in them is `LoanState.balances`.

Interest is recognized when it is billed, or when the loan is paid off early; penalty as the rounded
cumulative amount. The service posts the difference between two folds. See docs/ledger.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class NormalSide(StrEnum):
    """The side on which an account usually stands."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class LedgerAccount(StrEnum):
    """The accounts of the journal that a loan has; `HouseAccount` has the others."""

    BANK = "BANK"
    LOANS_RECEIVABLE = "LOANS_RECEIVABLE"
    INTEREST_RECEIVABLE = "INTEREST_RECEIVABLE"
    PENALTY_RECEIVABLE = "PENALTY_RECEIVABLE"
    FEES_RECEIVABLE = "FEES_RECEIVABLE"
    BORROWER_CREDIT = "BORROWER_CREDIT"
    INTEREST_INCOME = "INTEREST_INCOME"
    PENALTY_INCOME = "PENALTY_INCOME"
    FEE_INCOME = "FEE_INCOME"
    WAIVERS = "WAIVERS"
    CHARGE_OFF_LOSS = "CHARGE_OFF_LOSS"
    RECOVERY_INCOME = "RECOVERY_INCOME"

    @property
    def normal_side(self) -> NormalSide:
        """Return the side on which the account usually stands."""
        return NormalSide.CREDIT if self in _CREDIT_ACCOUNTS else NormalSide.DEBIT

    @property
    def label(self) -> str:
        """Return the account's English name, a source string for translation."""
        return _LABELS[self]


class HouseAccount(StrEnum):
    """The accounts of the journal that belong to no loan; their other side is the bank."""

    # Money that came in and of which nobody knows yet to which loan it belongs: a liability.
    SUSPENSE = "SUSPENSE"

    @property
    def normal_side(self) -> NormalSide:
        """Return the side on which the account usually stands."""
        return NormalSide.CREDIT


_CREDIT_ACCOUNTS: Final = frozenset(
    {
        LedgerAccount.BORROWER_CREDIT,
        LedgerAccount.INTEREST_INCOME,
        LedgerAccount.PENALTY_INCOME,
        LedgerAccount.FEE_INCOME,
        LedgerAccount.RECOVERY_INCOME,
    }
)

_LABELS: Final = {
    LedgerAccount.BANK: "Bank",
    LedgerAccount.LOANS_RECEIVABLE: "Loans receivable",
    LedgerAccount.INTEREST_RECEIVABLE: "Interest receivable",
    LedgerAccount.PENALTY_RECEIVABLE: "Penalty receivable",
    LedgerAccount.FEES_RECEIVABLE: "Fees receivable",
    LedgerAccount.BORROWER_CREDIT: "Borrower credit",
    LedgerAccount.INTEREST_INCOME: "Interest income",
    LedgerAccount.PENALTY_INCOME: "Penalty income",
    LedgerAccount.FEE_INCOME: "Fee income",
    LedgerAccount.WAIVERS: "Waivers",
    LedgerAccount.CHARGE_OFF_LOSS: "Charge-off loss",
    LedgerAccount.RECOVERY_INCOME: "Recovery income",
}
