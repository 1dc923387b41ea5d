"""People: identity, consent, messages and the contact gate."""
