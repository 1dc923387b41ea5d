"""Pure rules about people: contact, consent, masks, identity numbers."""
