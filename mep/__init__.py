"""The operator's command line, `mep`."""

DISTRIBUTION = "mark-earnings-processed"
"""The name under which this package is installed: the `name` in pyproject.toml."""
