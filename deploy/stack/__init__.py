"""The stack: one module for each thing that somebody asks about."""
