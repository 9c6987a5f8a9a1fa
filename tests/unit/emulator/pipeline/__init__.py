"""The event pipeline in simulated time."""
