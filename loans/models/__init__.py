"""The tables of lending, in the order in which a loan meets them.

product → application → agreement (cost sheet, signature) → loan (events, projection) → ledger;
transfer (money over the bank) and business_day (the night) stand beside them.
"""

from loans.models.agreement import Agreement, CostSheet, CostSheetConfirmation
from loans.models.application import ApplicationStatusChange, LoanApplication
from loans.models.approval import CorrectionDecision, ProposedCorrection
from loans.models.autopay import AutopayDebit, AutopayEnd, AutopayMandate, AutopayNotice
from loans.models.bank_file import BankFile, BankFileRow, BankFileStep
from loans.models.books import BooksDifference
from loans.models.business_day import BusinessDay, NightStepRun
from loans.models.document import SettlementCertificate
from loans.models.ledger import JournalEntry, Posting
from loans.models.loan import Installment, Loan, LoanEvent, LoanStatusChange
from loans.models.product import Merchant, Product, ProductVersion
from loans.models.received_money import ReceivedMoney
from loans.models.reconciliation import BankBill, BankDifference, DifferenceStep
from loans.models.transfer import BankNotice, BankTransfer, MoneyCommand

__all__ = [
    "Agreement",
    "ApplicationStatusChange",
    "AutopayDebit",
    "AutopayEnd",
    "AutopayMandate",
    "AutopayNotice",
    "BankBill",
    "BankDifference",
    "BankFile",
    "BankFileRow",
    "BankFileStep",
    "BankNotice",
    "BankTransfer",
    "BooksDifference",
    "BusinessDay",
    "CorrectionDecision",
    "CostSheet",
    "CostSheetConfirmation",
    "DifferenceStep",
    "Installment",
    "JournalEntry",
    "Loan",
    "LoanApplication",
    "LoanEvent",
    "LoanStatusChange",
    "Merchant",
    "MoneyCommand",
    "NightStepRun",
    "Posting",
    "Product",
    "ProductVersion",
    "ProposedCorrection",
    "ReceivedMoney",
    "SettlementCertificate",
]
