"""Span exporters: to the X-Ray daemon over UDP, and to an OpenTelemetry collector over HTTP."""
