"""The event pipeline with the real function."""
