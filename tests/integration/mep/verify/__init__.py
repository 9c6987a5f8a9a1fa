"""Tests of `mep verify`: the real function on real tables, in a fake account."""
