"""Tests of `mep.verify` without services."""
