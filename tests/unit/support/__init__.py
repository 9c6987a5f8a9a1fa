"""Tests of what the tests build on."""
