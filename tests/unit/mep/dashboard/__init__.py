"""`mep dashboard`."""
