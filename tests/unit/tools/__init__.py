"""Tests of what makes generated files."""
