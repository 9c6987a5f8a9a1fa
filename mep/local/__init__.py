"""`mep local`: deliver events from a file to the function on this machine."""
