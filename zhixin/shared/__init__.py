"""The kernel that every app may use: money, rates, dates, fields, state tables, jobs."""
