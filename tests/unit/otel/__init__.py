"""Tests of telemetry: of what leaves the process, not of calls."""
