"""Span exporters: to the X-Ray daemon over UDP, to an OpenTelemetry collector over HTTP."""
