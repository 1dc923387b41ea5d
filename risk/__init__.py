"""Credit risk: facts in, decision out. Knows no loans."""
