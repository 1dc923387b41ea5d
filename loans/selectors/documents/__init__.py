"""The documents of a loan for its borrower: schedule, statement, certificate, contract."""
