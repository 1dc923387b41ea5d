"""The world outside, for development and tests: a bank and an SMS carrier.

Each is a process of its own that speaks over a socket and imports nothing of the product's apps;
only `zhixin.shared.signing` is shared, because both sides of a wire must spell alike.
"""
