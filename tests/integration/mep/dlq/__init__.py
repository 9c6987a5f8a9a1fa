"""`mep dlq` on a real queue, bus and audit table."""
