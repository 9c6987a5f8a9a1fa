"""`mep dlq`: list, show, redrive and discard dead letters.

The engine is every module but `commands`, `render` and `terminal`: it imports neither a terminal library nor the
emulator, so that a scheduled function can use it.
"""

VISIBILITY_TIMEOUT_S = 300
"""Visibility timeout of received messages in seconds: after SIGKILL they stay invisible for that long."""

MAX_MESSAGES = 20_000
"""Messages that one command reads; a standard queue allows 120,000 in flight."""

RATE = 10.0
"""Redriven events per second, so that a redrive does not overload the table again."""
