"""Tests of `mep.query` without services."""
