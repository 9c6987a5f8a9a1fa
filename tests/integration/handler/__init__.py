"""The function's start, in processes of its own."""
