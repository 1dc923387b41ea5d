"""Lending in the admin: what is offered, who has asked, who waits for a person, what is owed."""

from loans.admin import applications, autopay, books, products, servicing

__all__ = ["applications", "autopay", "books", "products", "servicing"]
