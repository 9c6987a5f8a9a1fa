"""Everything that exists only to make a cold start short; see README.md."""

from collections.abc import Mapping

COLD_START = "HANDLER_COLD_START"
"""The variable that turns this package on (`fast`, the default) or off (`standard`)."""

FAST, STANDARD = "fast", "standard"


def is_standard(environ: Mapping[str, str]) -> bool:
    """Return whether libraries load as they are, and botocore with its own session."""
    return environ.get(COLD_START, "").strip().lower() == STANDARD
