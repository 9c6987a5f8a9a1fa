"""The command line on the real services."""
