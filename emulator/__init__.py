"""The one-machine stack: everything around the function, run for real on a laptop."""
