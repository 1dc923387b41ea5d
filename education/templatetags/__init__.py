"""How lessons' Markdown becomes a page."""
