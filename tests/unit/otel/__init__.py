"""Tests of telemetry: they check what leaves the process."""
