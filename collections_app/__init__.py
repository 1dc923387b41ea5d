"""Overdue work and negotiation; the suffix keeps clear of the standard library's collections."""
