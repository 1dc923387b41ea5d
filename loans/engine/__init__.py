"""The pure loan engine: terms and events in, schedules, states and costs out.

Nothing here knows a database or a clock. `servicing.replay` is the heart: a loan is a fold over
its events. Amounts are whole cents inside; a rate times a time is an exact ratio of whole numbers
until the one rounding that a rule names.
"""
