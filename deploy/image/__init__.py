"""The container image: what its build runs, and what makes the files that it copies."""
