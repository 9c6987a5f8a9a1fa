"""`mep local`: events from a file through the real function on one machine."""
