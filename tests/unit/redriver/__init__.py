"""The automatic redrive: what needs no service."""
