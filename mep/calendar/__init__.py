"""`mep calendar`: check the calendar against the audit table; remove a mark.

The engine is every module but `command`, `unmark_command` and `render`: it imports neither a terminal library nor the
emulator, so that a scheduled function can use it.
"""

RATE = 50.0
"""Requests per second, so that a check leaves the tables' capacity to the function."""

GRACE = "1d"
"""How long after the end of its day a row may be without a mark."""

UNMARKED = "unmarked"
"""The `action` of the audit entry of a mark that an operator has removed."""
