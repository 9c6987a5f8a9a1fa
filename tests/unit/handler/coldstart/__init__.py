"""The short start: what is left out, and that nothing misses it."""
