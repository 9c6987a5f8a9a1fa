"""Tests of `mep.stack` without services."""
