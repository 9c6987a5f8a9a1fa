"""`mep demo`."""
