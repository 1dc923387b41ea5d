"""Lending in the admin: what is offered, who has asked, who waits for a person, what is owed."""

from loans.admin import (
    applications,
    autopay,
    bank_days,
    bank_files,
    books,
    documents,
    loan,
    money,
    night,
    products,
)

__all__ = [
    "applications",
    "autopay",
    "bank_days",
    "bank_files",
    "books",
    "documents",
    "loan",
    "money",
    "night",
    "products",
]
