"""Tests of what is synthesised."""
