"""Interfaces to the world outside the loans app; called by tasks and views, never by services."""
