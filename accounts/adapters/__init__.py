"""The edges of the app: allauth's hooks and the carriers of messages."""
