"""`mep open` of a real run."""
