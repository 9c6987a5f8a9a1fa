"""`mep dlq`: dead letters listed, shown, brought back and discarded."""
