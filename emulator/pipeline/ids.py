"""Request IDs, event IDs and trace headers, the same for the same seed."""

import uuid
from random import Random


class IdGenerator:
    """Draws IDs. Safe to use from several threads.

    Args:
        seed: The same seed gives the same IDs in the same order.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(f"identities {seed}")

    def new(self) -> str:
        """Return a UUID of version 4."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def trace_root(self, now: float) -> str:
        """Return a new trace's ID as X-Ray writes it; `now` is Unix time in seconds."""
        return f"1-{int(now):08x}-{self._random.getrandbits(96):024x}"

    def trace_header(self, root: str) -> str:
        """Return a trace header for one try: the tries of an event share the trace, not the parent."""
        return f"Root={root};Parent={self._random.getrandbits(64):016x};Sampled=1"
