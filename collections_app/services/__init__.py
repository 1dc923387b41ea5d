"""What writes: cases, contact notes, negotiation."""
