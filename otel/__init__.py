"""Telemetry of an event-driven Lambda function: spans, metrics, log lines and the deadline watchdog.

Knows nothing of what a function does: that is in an `otel.instrumentation.Instrumentation`.
"""
