"""Limits of these commands, in a module that costs nothing to import."""

VISIBILITY_TIMEOUT_S = 300
"""Seconds for which a received message is hidden from others: so long it stays hidden if the process is killed."""

MAX_MESSAGES = 20_000
"""Messages that one command looks at; a standard queue lets 120,000 be in flight."""

RATE = 10.0
"""Events a second: a redrive must not do to the table what filled the queue."""
