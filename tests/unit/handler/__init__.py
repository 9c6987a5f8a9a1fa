"""The function by itself, without a network."""
