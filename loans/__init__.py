"""Loans: products, applications, agreements, servicing, money, the night."""
