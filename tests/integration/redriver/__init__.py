"""The automatic redrive on a real queue, real tables and the real function."""
