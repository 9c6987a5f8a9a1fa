"""`mep trace`."""
