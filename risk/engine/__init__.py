"""The calculation of a credit decision: facts in, decision out, and nothing else."""
