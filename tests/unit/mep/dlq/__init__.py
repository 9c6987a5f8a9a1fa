"""`mep dlq`: what needs no queue."""
