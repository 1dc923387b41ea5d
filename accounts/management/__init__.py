"""Holds the commands."""
