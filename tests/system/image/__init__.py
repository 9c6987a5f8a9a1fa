"""The function's container image: what is in it, and what it does. These tests need Docker."""
