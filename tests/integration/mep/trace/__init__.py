"""`mep trace` of a real run."""
