"""The commands of overdue work."""
