"""Overdue work and negotiation. (The suffix keeps clear of the standard library's collections.)"""
